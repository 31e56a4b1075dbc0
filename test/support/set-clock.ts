/** A database whose clock can be set, for the statements of one connection: `clock_timestamp()` is another function there. */
import { quoted } from "../../src/database/migrations.ts";
import { connectDatabase, type Database } from "../../src/database/database.ts";
import { databaseUrl } from "./databases.ts";

export interface SetClock {
  /** Sets the clock of all statements, milliseconds from now on forward, or back if negative. */
  step(ms: number): Promise<void>;
  /** The database with this clock; closed by `close`, but for the embedded one. */
  database: Database;
  close(): Promise<void>;
}

const FUNCTION = (schema: string): string => `
  create table if not exists ${schema}.step (ms bigint not null);
  delete from ${schema}.step;
  insert into ${schema}.step values (0);
  create or replace function ${schema}.clock_timestamp() returns timestamptz language sql volatile as
    $$ select pg_catalog.clock_timestamp() + (select ms from ${schema}.step) * interval '1 millisecond' $$;`;

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
      await plain.query(`update ${schema}.step set ms = ms + $1`, [ms]);
    },
    async close() {
      if (plain.isEmbedded) {
        await plain.query(`reset search_path`);
        await plain.query(`drop function ${schema}.clock_timestamp(); drop table ${schema}.step`);
      } else await database.close();
    },
  };
}
