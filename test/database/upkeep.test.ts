/** What keeps the embedded database's folder small: dead rows are reused, and the WAL ends. */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { openEmbedded, usedDataFolder } from "../support/embedded.ts";

const MEGABYTE = 2 ** 20;

function megabytes(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return (
    files.reduce((sum, file) => sum + statSync(path.join(file.parentPath, file.name)).size, 0) / MEGABYTE
  );
}

it("keeps the folder small while large results come and go without an idle moment", async () => {
  const folder = path.join(await usedDataFolder(), "database");
  const database = await openEmbedded(folder);
  onTestFinished(() => database.close());
  const before = megabytes(folder);
  await database.query("create table results (id integer primary key, result jsonb)");
  await database.query("alter table results alter result set storage external");
  // 400 results of 256 KB, of which eight stay at any time, and each is written twice: 200 MB in all.
  for (let id = 0; id < 400; id += 1) {
    await database.query(
      "insert into results values ($1::integer, jsonb_build_object('image', repeat(md5($1::integer::text), 8192)))",
      [id],
    );
    await database.query("update results set result = result || '{\"charged\": true}' where id = $1", [id]);
    await database.query("delete from results where id = $1", [id - 8]);
  }
  expect(megabytes(folder) - before).toBeLessThan(100);

  // Once there is nothing to do, no more than these rows and the last of the WAL stays.
  await database.query("delete from results");
  await vi.waitFor(
    async () => {
      const [table] = await database.query<{ bytes: number }>(
        "select pg_total_relation_size('results')::float8 as bytes",
      );
      expect(table!.bytes).toBeLessThan(MEGABYTE);
      expect(megabytes(path.join(folder, "pg_wal"))).toBeLessThan(20);
    },
    { timeout: 60_000, interval: 1000 },
  );
}, 600_000);

it("vacuums a table whose rows only change, and plans by what it holds", async () => {
  const folder = path.join(await usedDataFolder(), "database");
  const database = await openEmbedded(folder);
  onTestFinished(() => database.close());
  await database.query("create table tallies (id integer primary key, value integer)");
  await database.query("insert into tallies select number, 0 from generate_series(1, 5000) as number");
  for (let round = 0; round < 5; round += 1) await database.query("update tallies set value = value + 1");
  await vi.waitFor(
    async () => {
      const [table] = await database.query(
        `select n_dead_tup as dead, n_mod_since_analyze as changed, reltuples::float8 as rows
           from pg_stat_user_tables join pg_class on relid = oid where pg_class.relname = 'tallies'`,
      );
      expect(table).toEqual({ dead: 0, changed: 0, rows: 5000 });
    },
    { timeout: 60_000, interval: 1000 },
  );
});
