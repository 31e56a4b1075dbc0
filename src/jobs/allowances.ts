/**
 * What an API key may still ask for, counted across all servers of one database. A server takes calls of a
 * rate and places for concurrent calls in portions, so that most calls need no query; no other server hands
 * out what it has taken.
 */
import { randomUUID } from "node:crypto";
import type { Database } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";

export interface Allowances {
  /**
   * Takes up to `wanted` calls of the current window, which begins with its first call.
   * @returns how many were left to take, and in how many milliseconds the window ends
   */
  takeCalls(
    keyId: string,
    name: string,
    options: { wanted: number; limit: number; windowMs: number },
  ): Promise<{ granted: number; endsInMs: number }>;
  /**
   * Changes how many places for concurrent calls this server has.
   * @param options.held what it has now; it never ends up with less than the smaller of this and `wanted`
   * @returns how many it has now
   */
  holdPlaces(
    keyId: string,
    name: string,
    options: { held: number; wanted: number; limit: number },
  ): Promise<number>;
  /** Reports this server alive; the places of one that has not done so for `PLACES_LOST_MS` become free. */
  renewPlaces(): Promise<void>;
}

const PLACES_LOST_MS = 15_000;

export function createAllowances(database: Database): Allowances {
  const schema = quoted(database.schema);
  const serverId = randomUUID();
  // A window that ends later than it could have begun is of before the clock was set back.
  const isOpen =
    "rate.ends_at > clock_timestamp() and rate.ends_at <= clock_timestamp() + $5 * interval '1 millisecond'";
  return {
    async takeCalls(keyId, name, { wanted, limit, windowMs }) {
      const [row] = await database.query<{ granted: number; ends_in_ms: number }>(
        `insert into ${schema}.rates as rate (key_id, name, used, granted, ends_at)
         values ($1, $2, least($3::int, $4::int), least($3::int, $4::int), clock_timestamp() + $5 * interval '1 millisecond')
         on conflict (key_id, name) do update set
           granted = greatest(0, least($3::int, $4::int - case when ${isOpen} then rate.used else 0 end)),
           used = case when ${isOpen} then greatest(rate.used, least(rate.used + $3::int, $4::int))
                       else least($3::int, $4::int) end,
           ends_at = case when ${isOpen} then rate.ends_at else excluded.ends_at end
         returning granted, (extract(epoch from ends_at - clock_timestamp()) * 1000)::float8 as ends_in_ms`,
        [keyId, name, wanted, limit, windowMs],
        { isPlannedOnce: true },
      );
      return { granted: row!.granted, endsInMs: Math.max(0, row!.ends_in_ms) };
    },

    holdPlaces(keyId, name, { held, wanted, limit }) {
      return database.transaction(async (sql) => {
        // Servers that take the last places at the same moment take turns here.
        await sql.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
          `${database.schema} ${keyId} ${name}`,
        ]);
        const [others] = await sql.query<{ places: number }>(
          `select coalesce(sum(places), 0)::int as places from ${schema}.call_places
            where key_id = $1 and name = $2 and server_id <> $3
              and abs(extract(epoch from clock_timestamp() - seen_at) * 1000) < $4`,
          [keyId, name, serverId, PLACES_LOST_MS],
        );
        const places = Math.max(Math.min(held, wanted), Math.min(wanted, limit - others!.places));
        await sql.query(
          `insert into ${schema}.call_places (server_id, key_id, name, places, seen_at)
           values ($1, $2, $3, $4, clock_timestamp())
           on conflict (key_id, name, server_id) do update set places = excluded.places, seen_at = excluded.seen_at`,
          [serverId, keyId, name, places],
        );
        return places;
      });
    },

    async renewPlaces() {
      await database.query(
        `update ${schema}.call_places set seen_at = clock_timestamp() where server_id = $1 and places > 0`,
        [serverId],
      );
    },
  };
}

/** Deletes windows that are over and servers that are gone. */
export async function forgetAllowances(database: Database): Promise<void> {
  const schema = quoted(database.schema);
  await database.query(`delete from ${schema}.rates where ends_at < clock_timestamp() - interval '1 minute'`);
  await database.query(
    `delete from ${schema}.call_places where seen_at < clock_timestamp() - interval '1 minute'`,
  );
}
