/** Notes when each key was last used, to a minute: whoever is verified waits for nothing, and the database hardly works. */
import type { Database } from "../database/database.ts";
import { WITHOUT_SYNC } from "../database/durability.ts";

const PAUSE_MS = 60_000;
/** Keys remembered; with more, some are noted more often. */
const MAX_KEYS = 10_000;

/** @param schema quoted for statements */
export function createLastUse(database: Pick<Database, "query">, schema: string): (keyId: string) => void {
  const notedAt = new Map<string, number>();
  return (keyId) => {
    const now = performance.now();
    const before = notedAt.get(keyId);
    if (before !== undefined && now - before < PAUSE_MS) return;
    if (notedAt.size >= MAX_KEYS) notedAt.clear();
    notedAt.set(keyId, now);
    const writing = database.query(
      `update ${schema}.api_keys set last_used_at = clock_timestamp() where id = $1 and ${WITHOUT_SYNC}`,
      [keyId],
      { isPlannedOnce: true },
    );
    // The next call within a minute notes it.
    writing.catch(() => notedAt.delete(keyId));
  };
}
