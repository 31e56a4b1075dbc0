import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  connectDatabase,
  type Database,
  type Sql,
  type StatementOptions,
} from "../../src/database/database.ts";
import { openLink } from "../../tools/link.ts";
import { databaseUrl, postgresMissing } from "../support/databases.ts";
import { describeOnDatabases } from "../support/jobs.ts";
import { refusal } from "../support/refusal.ts";

describeOnDatabases("a database", (bench) => {
  const names = async (): Promise<string[]> =>
    (
      await bench.database.query<{ name: string }>(`select name from ${bench.schema}.secrets order by name`)
    ).map(({ name }) => name);
  const insert = () => `insert into ${bench.schema}.secrets values ($1, 'value')`;
  afterEach(() => bench.database.query(`delete from ${bench.schema}.secrets`));

  it("answers with rows, whole numbers of every size as numbers", async () => {
    expect(
      await bench.database.query("select $1::text as text, count(*) as count, 2^40::bigint as large", ["é"]),
    ).toEqual([{ text: "é", count: 1, large: 2 ** 40 }]);
  });

  it("keeps the plans of those statements that are planned once, and makes them anew for a changed table", async () => {
    const { query, transaction } = bench.database;
    const count = `select count(*) from ${bench.schema}.secrets where name = $1`;
    const kept = (options: StatementOptions) =>
      transaction(async (sql) => {
        await sql.query(count, ["a"], options);
        return sql.query("select from pg_prepared_statements where statement = $1", [count]);
      });
    expect(await kept({})).toHaveLength(0);
    expect(await kept({ isPlannedOnce: true })).toHaveLength(1);
    for (let time = 0; time < 8; time += 1) await query(count, ["a"], { isPlannedOnce: true });
    await query(`alter table ${bench.schema}.secrets add column note text, drop column value`);
    await query(`insert into ${bench.schema}.secrets (name) values ($1)`, ["a"]);
    expect(await query(count, ["a"], { isPlannedOnce: true })).toEqual([{ count: 1 }]);
    await query(
      `alter table ${bench.schema}.secrets add column value text not null default '', drop column note`,
    );
  });

  describe("in a transaction", () => {
    it("keeps all of it, and answers with what it came to", async () => {
      const result = await bench.database.transaction(async (sql) => {
        for (const name of ["a", "b"]) await sql.query(insert(), [name]);
        return "done";
      });
      expect(result).toBe("done");
      expect(await names()).toEqual(["a", "b"]);
    });

    it("keeps nothing where the work throws", async () => {
      const failed = bench.database.transaction(async (sql) => {
        await sql.query(insert(), ["a"]);
        throw new Error("Not now.");
      });
      await expect(failed).rejects.toThrow("Not now.");
      expect(await names()).toEqual([]);
    });

    it("keeps nothing where a statement fails, even if the work goes on", async () => {
      await bench.database
        .transaction(async (sql) => {
          await sql.query(insert(), ["a"]);
          await sql.query("select 1/0").catch(() => {});
        })
        .catch(() => {});
      expect(await names()).toEqual([]);
    });

    it("is alone: of many that change one row, none loses what another did", async () => {
      const counters = `${bench.schema}.counters`;
      await Promise.all(
        Array.from({ length: 12 }, (_, at) =>
          [bench.database, bench.other.context.database][at % 2]!.transaction(async (sql) => {
            const [row] = await sql.query<{ value: number }>(
              `select value from ${counters} where name = 'completed' and endpoint = '' for update`,
            );
            await sql.query(`update ${counters} set value = $1 where name = 'completed' and endpoint = ''`, [
              row!.value + 1,
            ]);
          }),
        ),
      );
      expect(
        await bench.database.query(
          `select value from ${counters} where name = 'completed' and endpoint = ''`,
        ),
      ).toEqual([{ value: 12 }]);
    });
  });

  describe("after a failure", () => {
    it("goes on, with the next statement and with notifications", async () => {
      const heard: string[] = [];
      const stop = bench.database.notifications.onNotification((payload) => heard.push(payload));
      for (let count = 0; count < 3; count += 1) {
        await expect(bench.database.query("select 1/0")).rejects.toThrow("division by zero");
      }
      await bench.database.query("select pg_notify($1, 'news')", [`${bench.database.schema}_events`]);
      await expect.poll(() => heard).toEqual(["news"]);
      stop();
    });

    it("leaves no transaction open that the failed text began", async () => {
      const text = `begin; ${insert().replace("$1", "'a'")}; select 1/0; commit`;
      await expect(bench.database.query(text)).rejects.toThrow("division by zero");
      expect(await names()).toEqual([]);
    });
  });

  describe("notifies", () => {
    let heard: string[];
    let stop: () => void;
    beforeEach(async () => {
      heard = [];
      stop = bench.other.context.database.notifications.onNotification((payload) => heard.push(payload));
      // News come in order: after this, none of an earlier test is on its way.
      await bench.database.query(NOTIFY, [channel(), "begin"]);
      await expect.poll(() => heard.at(-1)).toBe("begin");
      heard.length = 0;
    });
    afterEach(() => stop());
    const NOTIFY = "select pg_notify($1, $2)";
    const channel = () => `${bench.database.schema}_events`;

    it("other processes of what was committed, once it is, and of nothing else", async () => {
      await bench.database
        .transaction(async (sql) => {
          await sql.query(NOTIFY, [channel(), "failed"]);
          throw new Error("Not now.");
        })
        .catch(() => {});
      await bench.database.transaction(async (sql) => {
        await sql.query(NOTIFY, [channel(), "done"]);
        expect(heard).toEqual([]);
      });
      await bench.database.query(NOTIFY, ["another_channel", "foreign"]);
      await bench.database.query(NOTIFY, [channel(), "last"]);
      await expect.poll(() => heard).toEqual(["done", "last"]);
    });

    it("nobody who has stopped listening", async () => {
      const others: string[] = [];
      bench.other.context.database.notifications.onNotification((payload) => others.push(payload))();
      await bench.database.query(NOTIFY, [channel(), "news"]);
      await expect.poll(() => heard).toEqual(["news"]);
      expect(others).toEqual([]);
    });
  });

  // The embedded database has no connections that could break.
  if (bench.name === "PGlite") return;
  describe("whose connections break", () => {
    let database: Database;
    let errors: Error[];
    beforeEach(async () => {
      errors = [];
      const { schema } = bench.database;
      database = await connectDatabase({ url: databaseUrl, schema, onError: (error) => errors.push(error) });
    });
    afterEach(() => database.close());
    const end = (where: string, values: unknown[]) =>
      bench.database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${where}`, values);

    describe("in the middle of a transaction", () => {
      const TERMINATED = refusal(
        "DATABASE_UNAVAILABLE",
        "DATABASE_URL: the database does not answer (terminating connection due to administrator command).",
      );
      const pidOf = async (sql: Sql): Promise<number> =>
        (await sql.query<{ pid: number }>("select pg_backend_pid() as pid"))[0]!.pid;
      const endAndHear = async (sql: Sql): Promise<void> => {
        const pid = await pidOf(sql);
        await end("pid = $1", [pid]);
        // The server says farewell before it forgets the connection, so that afterwards the driver has the news.
        const isThere = "select 1 from pg_stat_activity where pid = $1";
        await expect.poll(() => bench.database.query(isThere, [pid])).toEqual([]);
        await setImmediate();
      };
      const expectNothingKept = async (): Promise<void> => {
        expect(await names()).toEqual([]);
        expect(await database.query("select 1 as one")).toEqual([{ one: 1 }]);
      };

      it("fail the statement that was running, say why, and are replaced", async () => {
        const failed = database.transaction(async (sql) => {
          await sql.query(insert(), ["a"]);
          const pid = await pidOf(sql);
          const running = sql.query("select pg_sleep(60)");
          // Its end may be heard before it is waited for.
          running.catch(() => {});
          const isRunning = "select 1 from pg_stat_activity where pid = $1 and query like '%pg_sleep(60)%'";
          await expect.poll(() => bench.database.query(isRunning, [pid])).toHaveLength(1);
          await end("pid = $1", [pid]);
          await running;
        });
        await expect(failed).rejects.toEqual(TERMINATED);
        await expectNothingKept();
      });

      it("fail the next statement, say why, and are replaced", async () => {
        const failed = database.transaction(async (sql) => {
          await sql.query(insert(), ["a"]);
          await endAndHear(sql);
          await sql.query("select 1");
        });
        await expect(failed).rejects.toEqual(TERMINATED);
        await expectNothingKept();
      });

      it("at its end, leave open whether it was committed", async () => {
        const failed = database.transaction(async (sql) => {
          await sql.query(insert(), ["a"]);
          await endAndHear(sql);
        });
        await expect(failed).rejects.toEqual(
          refusal("COMMIT_UNDECIDED", /may or may not have been stored\.$/),
        );
        await expectNothingKept();
      });

      it("leave an error of the work's own as it is", async () => {
        const failed = database.transaction(async (sql) => {
          await end("pid = $1", [await pidOf(sql)]);
          throw new Error("Not now.");
        });
        await expect(failed).rejects.toThrow("Not now.");
        await expectNothingKept();
      });
    });

    it("replaces those that were idle, and says so", async () => {
      const [row] = await database.query<{ pid: number }>("select pg_backend_pid() as pid");
      await end("pid = $1", [row!.pid]);
      await expect.poll(() => errors).toHaveLength(1);
      expect(await database.query("select 1 as one")).toEqual([{ one: 1 }]);
    });

    it("listens anew, and says that news may have been missed", async () => {
      const heard: string[] = [];
      let reconnects = 0;
      database.notifications.onNotification((payload) => heard.push(payload));
      database.notifications.onReconnect(() => (reconnects += 1));
      const channel = `${bench.database.schema}_events`;
      // The bench's own connections listen as well, and began before.
      const listening =
        "select max(backend_start) from pg_stat_activity where query = 'listen \"' || $1 || '\"'";
      await end(`backend_start = (${listening})`, [channel]);
      await expect.poll(() => reconnects).toBe(1);
      await bench.database.query("select pg_notify($1, 'news')", [channel]);
      await expect.poll(() => heard).toEqual(["news"]);
      expect(errors).toHaveLength(1);
    });
  });
});

describe("a database that goes away", () => {
  it("refuses what needs a connection, and answers again when it is back", async ({ skip }) => {
    if (postgresMissing !== undefined) skip(postgresMissing);
    const link = await openLink(databaseUrl);
    const database = await connectDatabase({ url: link.url, schema: "retouch", onError: () => {} });
    try {
      await link.set({ kind: "refused" });
      const unavailable = refusal(
        "DATABASE_UNAVAILABLE",
        /^DATABASE_URL: the database does not answer \(.+\)\.$/,
      );
      await expect(database.query("select 1")).rejects.toEqual(unavailable);
      await expect(database.transaction((sql) => sql.query("select 1"))).rejects.toEqual(unavailable);
      await link.set({ kind: "up" });
      expect(await database.query("select 1 as one")).toEqual([{ one: 1 }]);
    } finally {
      await database.close();
      await link.close();
    }
  });
});

describe("a database that cannot be opened", () => {
  it("is refused in one sentence without the password", async () => {
    const url = "postgres://retouch:a-secret@127.0.0.1:1/retouch";
    const refused = connectDatabase({ url, schema: "retouch", onError: () => {} });
    await expect(refused).rejects.toEqual(
      refusal("DATABASE_UNAVAILABLE", /^DATABASE_URL: the database cannot be opened \(.*ECONNREFUSED.*\)\.$/),
    );
    await expect(refused).rejects.not.toThrow("a-secret");
  });
});
