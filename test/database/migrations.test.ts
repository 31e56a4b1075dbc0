import { expect, it } from "vitest";
import { migrate } from "../../src/database/migrations.ts";
import { newSchema, dropSchema } from "../support/databases.ts";
import { describeOnDatabases } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

describeOnDatabases("the tables", (bench) => {
  const version = async (): Promise<unknown[]> =>
    bench.database.query(`select number from ${bench.schema}.version`);

  it("are made once, whoever starts again", async () => {
    await bench.database.query(`insert into ${bench.schema}.secrets values ('migrations', 'kept')`);
    const before = await version();
    await Promise.all([bench.database, bench.other.context.database].map(migrate));
    expect(await version()).toEqual(before);
    expect(
      await bench.database.query(`select value from ${bench.schema}.secrets where name = 'migrations'`),
    ).toEqual([{ value: "kept" }]);
  });

  it("are made once where several servers begin with none at the same moment", async () => {
    const schema = newSchema();
    const databases = [bench.database, bench.other.context.database, bench.database];
    await Promise.all(databases.map((database) => migrate({ ...database, schema })));
    expect(await bench.database.query(`select number from ${schema}.version`)).toEqual(await version());
    expect(await bench.database.query(`select name, value from ${schema}.counters order by name`)).toEqual([
      { name: "completed", value: 0 },
      { name: "failed", value: 0 },
      { name: "low_priority_turn", value: 0 },
      { name: "retried", value: 0 },
      { name: "turn", value: 0 },
    ]);
    if (bench.name === "PostgreSQL") await dropSchema(schema);
  });

  it("are left as they are where a newer version made them, and it is said which", async () => {
    const before = await version();
    await bench.database.query(`update ${bench.schema}.version set number = number + 1`);
    await expect(migrate(bench.database)).rejects.toEqual(
      refusal(
        "DATABASE_UNAVAILABLE",
        `The database schema ${bench.database.schema} was made by a newer version of Retouch.`,
      ),
    );
    await bench.database.query(`update ${bench.schema}.version set number = number - 1`);
    expect(await version()).toEqual(before);
  });
});
