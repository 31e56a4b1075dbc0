/** Connections to PostgreSQL on which nothing arrives any more, without an end: nothing waits for them for good. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../src/database/database.ts";
import { quoted } from "../../src/database/migrations.ts";
import { type Link, openLink } from "../../tools/link.ts";
import {
  databaseUrl,
  dropSchema,
  newSchema,
  postgresDatabase,
  postgresMissing,
} from "../support/databases.ts";
import { refusal } from "../support/refusal.ts";

const SILENT = refusal(
  "DATABASE_UNAVAILABLE",
  /^DATABASE_URL: the database does not answer \(no answer within [\d.]+ s\)\.$/,
);

describe.skipIf(postgresMissing !== undefined)(
  `a silent connection (${postgresMissing ?? "PostgreSQL"})`,
  () => {
    const schema = newSchema();
    let straight: Database;
    let link: Link;
    let database: Database;
    let errors: Error[];
    beforeEach(async () => {
      straight = await postgresDatabase(schema);
      errors = [];
      link = await openLink(databaseUrl);
      database = await connectDatabase({ url: link.url, schema, onError: (error) => errors.push(error) });
    });
    afterEach(async () => {
      await database.close();
      await link.close();
      await straight.close();
      await dropSchema(schema);
    });
    const insert = `insert into ${quoted(schema)}.secrets values ($1, 'value')`;
    const names = async (): Promise<string[]> =>
      (
        await straight.query<{ name: string }>(`select name from ${quoted(schema)}.secrets order by name`)
      ).map(({ name }) => name);
    const one = [{ one: 1 }];

    it("fails what waits for it after a time, and is not used again", async () => {
      const all = Array.from({ length: 10 }, () => database.query("select pg_sleep(0.2)"));
      await Promise.all(all);
      await link.set({ kind: "silent", loses: "everything" });
      await expect(database.query("select 1", [], { limitMs: 300 })).rejects.toEqual(SILENT);
      await link.set({ kind: "up" });
      // The other nine are as silent, and none of them costs another wait.
      expect(await database.query("select 1 as one", [], { limitMs: 300 })).toEqual(one);
    });

    it("gives up a statement without a limit of its own, too, and a place for which others wait", async () => {
      await link.set({ kind: "silent", loses: "everything" });
      const answers = Array.from({ length: 12 }, () => database.query("select 1"));
      for (const answer of await Promise.allSettled(answers)) {
        expect(answer).toMatchObject({ status: "rejected", reason: { code: "DATABASE_UNAVAILABLE" } });
      }
      await link.set({ kind: "up" });
      expect(await database.query("select 1 as one")).toEqual(one);
    });

    it("takes nothing back that was not committed, and leaves open what may have been", async () => {
      const unfinished = database.transaction(
        async (sql) => {
          await sql.query(insert, ["a"]);
          await link.set({ kind: "silent", loses: "everything" });
          await sql.query(insert, ["b"]);
        },
        { limitMs: 300 },
      );
      await expect(unfinished).rejects.toEqual(SILENT);
      await link.set({ kind: "up" });
      const undecided = database.transaction(
        async (sql) => {
          await sql.query(insert, ["c"]);
          await link.set({ kind: "silent", loses: "answers" });
        },
        { limitMs: 300 },
      );
      await expect(undecided).rejects.toEqual(
        refusal("COMMIT_UNDECIDED", /may or may not have been stored\.$/),
      );
      await link.set({ kind: "up" });
      await expect.poll(names).toEqual(["c"]);
    });

    it("does not keep the listener from news for long", async () => {
      const heard: string[] = [];
      let reconnects = 0;
      database.notifications.onNotification((payload) => heard.push(payload));
      database.notifications.onReconnect(() => (reconnects += 1));
      await link.set({ kind: "silent", loses: "everything" });
      await link.set({ kind: "up" });
      await expect.poll(() => reconnects).toBe(1);
      await straight.query("select pg_notify($1, 'news')", [`${schema}_events`]);
      await expect.poll(() => heard).toEqual(["news"]);
      expect(errors.map(String)).toContainEqual(expect.stringMatching(/no answer within 5 s/));
    });

    it("lets the database be closed, whatever waits for an answer", async () => {
      await database.query("select 1");
      const waiting = database.transaction(async (sql) => {
        await sql.query("select 1");
        await link.set({ kind: "silent", loses: "everything" });
        await sql.query("select 1");
      });
      waiting.catch(() => {});
      await expect.poll(async () => (await names()).length).toBe(0);
      await database.close();
      await expect(waiting).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    });

    it("does not keep a new connection waiting", async () => {
      await link.set({ kind: "silent", loses: "everything" });
      const refused = connectDatabase({ url: link.url, schema, onError: () => {} });
      await expect(refused).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    });
  },
);

describe.skipIf(postgresMissing !== undefined)("a slow statement", () => {
  it("is ended by the server, and a longer one that may take longer is not", async () => {
    const database = await connectDatabase({ url: databaseUrl, schema: "retouch", onError: () => {} });
    try {
      const limit = async (options?: { limitMs: number }): Promise<unknown> => {
        const text = "select current_setting('statement_timeout') as value";
        return (await database.query<{ value: string }>(text, [], options))[0]!.value;
      };
      expect(await limit()).toBe("10s");
      expect(await limit({ limitMs: 60_000 })).toBe("1min");
      expect(await limit({ limitMs: Infinity })).toBe("0");
      expect(await limit()).toBe("10s");
      const cut = database.transaction(async (sql) => {
        await sql.query("set local statement_timeout = 50");
        await sql.query("select pg_sleep(60)");
      });
      await expect(cut).rejects.toEqual(refusal("DATABASE_UNAVAILABLE", /statement timeout/));
      expect(await database.query("select 1 as one")).toEqual([{ one: 1 }]);
    } finally {
      await database.close();
    }
  });
});
