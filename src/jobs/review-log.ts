/** The log of reviews: which result was held, and who decided what. Entries are added, never changed. */
import type { Sql } from "../database/database.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { SafetyRecord } from "./safety-record.ts";

export type ReviewEvent =
  | "held"
  | "approved"
  | "rejected"
  /** Nobody decided in time. */
  | "expired"
  /** By the owner of the job. */
  | "cancelled";

/** Who did something, as the log keeps it. */
export interface Actor {
  /** Of an operator's key; absent where it was none. */
  keyId?: string | undefined;
  /** 1 to 200 characters. */
  name: string;
}

/** Actors without a name of their own. */
export const CHECKER = "safety checker";
export const OWNER = "owner of the job";
export const TIME_LIMIT = "time limit";

export interface ReviewEntry {
  at: Date;
  jobId: string;
  /** Of the job. */
  keyId: string;
  event: ReviewEvent;
  actor: Actor;
  reason?: string | undefined;
  safety?: SafetyRecord | undefined;
}

interface NewEntry {
  id: string;
  key_id: string;
  event: ReviewEvent;
  actor: Actor;
  reason?: string | undefined;
  safety: SafetyRecord | null;
}

/** Writes an entry in the transaction of what it tells. */
export async function writeEntry(
  schema: string,
  sql: Sql,
  { id, key_id: keyId, event, actor, reason, safety }: NewEntry,
): Promise<void> {
  await sql.query(
    `insert into ${schema}.review_entries (job_id, key_id, event, actor_key_id, actor, reason, safety)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, keyId, event, actor.keyId, actor.name, reason, safety && JSON.stringify(safety)],
  );
}

interface EntryRow {
  at: Date;
  job_id: string;
  key_id: string;
  event: ReviewEvent;
  actor_key_id: string | null;
  actor: string;
  reason: string | null;
  safety: SafetyRecord | null;
}

/** Entries, newest first: of one job, or of all. */
export async function readEntries(
  context: JobsContext,
  { jobId, offset, limit }: { jobId?: string | undefined; offset: number; limit: number },
): Promise<ReviewEntry[]> {
  const rows = await context.database.query<EntryRow>(
    `select at, job_id, key_id, event, actor_key_id, actor, reason, safety
       from ${schemaOf(context)}.review_entries where $1::text is null or job_id = $1
      order by id desc offset $2 limit $3`,
    [jobId, offset, limit],
  );
  return rows.map((row) => ({
    at: row.at,
    jobId: row.job_id,
    keyId: row.key_id,
    event: row.event,
    actor: { keyId: row.actor_key_id ?? undefined, name: row.actor },
    reason: row.reason ?? undefined,
    safety: row.safety ?? undefined,
  }));
}
