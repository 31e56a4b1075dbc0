/**
 * A database whose clock stands still and can be set, for the statements of some connections: `clock_timestamp()` is
 * another function there.
 */
import { quoted } from "../../src/database/migrations.ts";
import { connectDatabase, type Database } from "../../src/database/database.ts";
import { databaseUrl } from "./databases.ts";

export interface SetClock {
  /** Sets the clock forward by milliseconds, or back if negative. */
  step(ms: number): Promise<void>;
  /** The database with this clock; closed by `close`, but for the embedded one. */
  database: Database;
  close(): Promise<void>;
}

const FUNCTION = (schema: string): string => `
  create table ${schema}.set_clock (at timestamptz not null);
  insert into ${schema}.set_clock values (pg_catalog.clock_timestamp());
  create function ${schema}.clock_timestamp() returns timestamptz language sql volatile as
    $$ select at from ${schema}.set_clock $$;`;

/** Sets the clock of `plain`, which is the embedded database, or another connection to the same schema. */
export async function setClock(plain: Database): Promise<SetClock> {
  const schema = quoted(plain.schema);
  await plain.query(FUNCTION(schema));
  const path = `${schema}, pg_catalog, public`;
  let database = plain;
  if (plain.isEmbedded) await plain.query(`set search_path = ${path}`);
  else {
    const url = new URL(databaseUrl);
    url.searchParams.set("options", `-c search_path=${path.replaceAll(" ", "")}`);
    database = await connectDatabase({
      url: url.href,
      schema: plain.schema,
      onError: (error) => {
        throw error;
      },
    });
  }
  return {
    database,
    async step(ms) {
      await plain.query(`update ${schema}.set_clock set at = at + $1 * interval '1 millisecond'`, [ms]);
    },
    async close() {
      if (plain.isEmbedded) await plain.query("reset search_path");
      else await database.close();
      await plain.query(`drop function ${schema}.clock_timestamp(); drop table ${schema}.set_clock`);
    },
  };
}
