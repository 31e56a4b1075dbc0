import { expect, it } from "vitest";
import { hasTables, migrate } from "../../src/database/migrations.ts";
import { newSchema, dropSchema } from "../support/databases.ts";
import { describeOnDatabases } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

describeOnDatabases("the tables", (bench) => {
  const version = async (): Promise<unknown[]> =>
    bench.database.query(`select number from ${bench.schema}.version`);

  it("are made once, whoever starts again", async () => {
    await bench.database.query(`insert into ${bench.schema}.secrets values ('migrations', 'kept')`);
    const before = await version();
    await Promise.all([bench.database, bench.other.context.database].map((one) => migrate(one)));
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

  it("of the first version keep what is in them, and each delivery gets an id of its own", async () => {
    const old = { ...bench.database, schema: newSchema() };
    await migrate(old, { to: 1 });
    const deliveries = `${old.schema}.webhook_deliveries`;
    await old.query(
      `insert into ${old.schema}.api_keys (id, name, prefix, hash) values ('key_1', 'a', 'b', 'c')`,
    );
    await old.query(
      `insert into ${deliveries} (job_id, key_id, url, job) select 'job', 'key_1', 'https://a.example', '{}'
         from generate_series(1, 3)`,
    );
    await migrate(old);
    const ids = await old.query<{ message_id: string }>(`select message_id from ${deliveries}`);
    expect(new Set(ids.map((row) => row.message_id)).size).toBe(3);
    for (const row of ids) expect(row.message_id).toMatch(/^msg_[0-9a-f]{32}$/);
    expect(await old.query(`select name from ${old.schema}.api_keys`)).toEqual([{ name: "a" }]);
    expect(await old.query(`select secret from ${old.schema}.webhook_secrets`)).toEqual([]);
    await old.query(`drop schema ${old.schema} cascade`);
  });

  it("are looked for without being made", async () => {
    const nowhere = { ...bench.database, schema: newSchema() };
    expect(await hasTables(nowhere)).toBe(false);
    expect(await hasTables(bench.database)).toBe(true);
    const schemas = await bench.database.query("select 1 from pg_namespace where nspname = $1", [
      nowhere.schema,
    ]);
    expect(schemas).toEqual([]);
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
