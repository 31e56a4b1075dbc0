/** The database that ships is the one that a first start would make, but for what differs between any two. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { Database } from "../../src/database/database.ts";
import { openEmbeddedDatabase } from "../../src/database/embedded.ts";
import { bringUpToDate, makeFreshDatabase } from "../../tools/fresh-database.ts";
import { threadEntry } from "../support/databases.ts";
import { openEmbedded } from "../support/embedded.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Everything that a schema is made of, as text, and the settings. */
const CATALOGUE: Readonly<Record<string, string>> = {
  columns: `select n.nspname, c.relname, c.relkind, c.relpersistence, c.reloptions, a.attnum, a.attname,
                   format_type(a.atttypid, a.atttypmod) as type, a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
                   pg_get_expr(d.adbin, d.adrelid) as value
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
              left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
             where n.nspname !~ '^pg_toast' order by 1, 2, 6`,
  indexes: "select schemaname, tablename, indexdef from pg_indexes order by 1, 2, 3",
  constraints: `select conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid) from pg_constraint
                 order by 1, 2, 4`,
  functions: `select n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), p.prosrc, p.provolatile
                from pg_proc p join pg_namespace n on n.oid = p.pronamespace order by 1, 2, 3`,
  types: `select n.nspname, t.typname, t.typtype, array(select enumlabel::text from pg_enum where enumtypid = t.oid
                  order by enumsortorder) as labels
            from pg_type t join pg_namespace n on n.oid = t.typnamespace where n.nspname !~ '^pg_toast' order by 1, 2`,
  triggers:
    "select tgrelid::regclass::text, tgname, tgfoid::regproc::text from pg_trigger where not tgisinternal order by 1, 2",
  partitions: "select inhrelid::regclass::text, inhparent::regclass::text from pg_inherits order by 1, 2",
  extensions: "select extname, extversion from pg_extension order by 1",
  schemas: "select nspname from pg_namespace where nspname !~ '^pg_temp' order by 1",
  settings: "select name, setting, source from pg_settings order by 1",
  databases: "select datname, datcollate, datctype, datlocprovider, encoding from pg_database",
};

async function described(database: Database): Promise<Record<string, unknown>> {
  const parts: [string, unknown][] = [];
  const lines = async (text: string): Promise<string[]> =>
    (await database.query(text)).map((row) => JSON.stringify(row));
  for (const [name, text] of Object.entries(CATALOGUE)) parts.push([name, await lines(text)]);
  const tables = await database.query<{ name: string; columns: string }>(
    `select a.attrelid::regclass::text as name, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
       from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and c.relname <> 'instance' and a.attnum > 0 and not a.attisdropped and n.nspname ~ '^retouch'
        and format_type(a.atttypid, a.atttypmod) !~ '^timestamp'
      group by 1 order by 1`,
  );
  for (const { name, columns } of tables) {
    parts.push([`rows of ${name}`, await lines(`select ${columns} from ${name} order by 1`)]);
  }
  // pg-boss makes tables for the days after the one on which a database is made.
  const days = [...new Set(JSON.stringify(parts).match(DAY_TABLE))].toSorted();
  const numbered = JSON.stringify(parts).replaceAll(DAY_TABLE, (name) => `day ${days.indexOf(name) + 1}`);
  return Object.fromEntries(JSON.parse(numbered) as [string, unknown][]);
}

const DAY_TABLE = /queue_stats_\d{8}/g;

async function opened(folder: string, schema = "retouch"): Promise<Database> {
  const notices: string[] = [];
  const database = await openEmbeddedDatabase({
    folder,
    schema,
    threadEntry,
    onError: (error) => notices.push(error.message),
    onNotice: (text) => notices.push(text),
  });
  onTestFinished(async () => {
    await database.close();
    expect(notices).toEqual([]);
  });
  return database;
}

it("equals one that is made from nothing, with our latest tables in both", async () => {
  const folder = await temporaryFolder();
  const made = path.join(folder, "made");
  mkdirSync(made);
  await makeFreshDatabase(made);
  const fresh = await opened(made);
  const prepared = await opened(path.join(folder, "prepared"));
  // Of the processes that use a queue.
  for (const database of [prepared, fresh]) {
    expect(await database.query("select host from retouch_queue.instance")).toEqual([]);
  }
  // Both, since the settings of a language appear when it is first used.
  for (const database of [prepared, fresh]) await bringUpToDate(database);
  const [one, other] = [await described(prepared), await described(fresh)];
  for (const name of Object.keys(other)) expect(one[name], name).toEqual(other[name]);
  expect(Object.keys(one)).toEqual(Object.keys(other));
  expect(Object.keys(one).filter((name) => name.startsWith("rows of")).length).toBeGreaterThan(10);
  const secrets = await prepared.query(
    "select * from retouch.secrets union all select id, name from retouch.api_keys",
  );
  expect(secrets).toEqual([]);
}, 600_000);

it("has no tables of its own where another schema is used", async () => {
  const database = await opened(path.join(await temporaryFolder(), "database"), "mine");
  await bringUpToDate(database);
  const schemas = await database.query(
    "select nspname as name from pg_namespace where nspname !~ '^(pg_|information_schema)' order by 1",
  );
  expect(schemas).toEqual([{ name: "mine" }, { name: "mine_queue" }, { name: "public" }]);
});

it("replaces what a first start left that was killed", async () => {
  const parent = await temporaryFolder();
  const folder = path.join(parent, "database");
  mkdirSync(`${folder}.new`);
  writeFileSync(path.join(`${folder}.new`, "PG_VERSION"), "half");
  const database = await openEmbedded(folder);
  expect(await database.query("select count(*) as count from retouch.jobs")).toEqual([{ count: 0 }]);
  await database.close();
  expect(readdirSync(parent)).toEqual(["database"]);
  expect(existsSync(path.join(folder, "postmaster.pid"))).toBe(false);
});
