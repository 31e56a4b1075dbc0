/** What each API key has queued and stored, read at most once a second; own additions count at once. */
import type { Sql } from "../database/database.ts";
import { mayTakeRoom } from "../engine/result-room.ts";
import { RetouchError } from "../errors.ts";
import { type JobsContext, schemaOf } from "./context.ts";
import type { JobEdit, KeyRoom } from "./job.ts";
import type { Fleet } from "./workers.ts";

export interface KeyUse {
  queued: number;
  /** Of sources and results. */
  bytes: number;
}

const FRESH_MS = 1000;
/** Number of keys remembered. */
const MAX_KEYS = 1000;

/** Reads a key's use. To add to it, change the object this returns: all callers within a second share it. */
export function createKeyUses(context: JobsContext): (keyId: string) => Promise<KeyUse> {
  const known = new Map<string, { readAt: number; use: Promise<KeyUse> }>();
  return (keyId) => {
    const found = known.get(keyId);
    if (found && performance.now() - found.readAt <= FRESH_MS) return found.use;
    const reading = { readAt: performance.now(), use: readKeyUse(context, keyId) };
    // The key read longest ago goes first.
    known.delete(keyId);
    known.set(keyId, reading);
    if (known.size > MAX_KEYS) known.delete(known.keys().next().value!);
    reading.use.catch(() => {
      if (known.get(keyId) === reading) known.delete(keyId);
    });
    return reading.use;
  };
}

async function readKeyUse(context: JobsContext, keyId: string): Promise<KeyUse> {
  const schema = schemaOf(context);
  const [row] = await context.database.query<{ queued: number; bytes: string | null }>(
    `select (select count(*) from ${schema}.jobs where key_id = $1 and status = 'queued') as queued,
            (select sum(bytes) from ${schema}.pictures where key_id = $1) as bytes`,
    [keyId],
  );
  return { queued: row?.queued ?? 0, bytes: Number(row?.bytes ?? 0) };
}

/** How many jobs of one key may wait. */
export const queueLimitOf = ({ settings }: JobsContext, { workers }: Pick<Fleet, "workers">): number =>
  Math.max(settings.maxQueued, workers.length * settings.maxQueuedPerWorker);

/** Counts one more job, unless too many wait. @throws RetouchError QUEUE_FULL */
export function admitJob(context: JobsContext, fleet: Fleet, use: KeyUse): void {
  const limit = queueLimitOf(context, fleet);
  if (use.queued > limit) throw fullOfKey(use.queued);
  if (fleet.queued > Math.max(limit, context.settings.maxQueuedTotal)) {
    throw full(`${fleet.queued} jobs are waiting already`);
  }
  // Both are read once a second, and a burst comes faster.
  fleet.queued += 1;
  use.queued += 1;
}

export const fullOfKey = (queued: number): RetouchError =>
  full(`${queued} jobs of this key are waiting already`);

const full = (what: string): RetouchError =>
  new RetouchError("QUEUE_FULL", `${what}, which is the limit; try again later.`);

/** Counts more bytes, unless that would be too many. @throws RetouchError QUOTA_EXCEEDED */
export function admitBytes({ settings }: JobsContext, use: KeyUse, bytes: number): void {
  const room = roomWith(settings, use.bytes);
  if (bytes > room.bytes) throw quotaError(room);
  use.bytes += bytes;
}

export const quotaError = ({ fullText }: KeyRoom): RetouchError =>
  new RetouchError("QUOTA_EXCEEDED", fullText);

/** What a key may store beyond what it has. */
export async function readRoom(context: JobsContext, sql: Sql, keyId: string): Promise<KeyRoom> {
  const [row] = await sql.query<{ bytes: string | null }>(
    `select sum(bytes) as bytes from ${schemaOf(context)}.pictures where key_id = $1`,
    [keyId],
  );
  return roomWith(context.settings, Number(row?.bytes ?? 0));
}

/** The same for the results of an edit, which counts where they can be large and are stored here. */
export const roomForResults = async (
  context: JobsContext,
  sql: Sql,
  { keyId, edit }: { keyId: string; edit: JobEdit },
): Promise<KeyRoom | undefined> =>
  edit.bucket === undefined && mayTakeRoom(edit) ? readRoom(context, sql, keyId) : undefined;

function roomWith({ keyQuotaBytes: quota, fileLifetimeMs }: JobsContext["settings"], used: number): KeyRoom {
  const fullText =
    `The images stored for this key take ${megabytes(used)} of ${megabytes(quota)}; ` +
    `results are deleted after ${Math.round(fileLifetimeMs / 3_600_000)} h.`;
  return { bytes: quota - used, fullText };
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MB`;

/**
 * Whether the transaction that adds a job must read the number of its key's waiting jobs anew: other servers
 * add to it too, which matters within a second if the number is near the limit; reading it is cheap if the
 * limit is low.
 */
export function isNearLimit({ queued }: KeyUse, limit: number): boolean {
  return limit <= FEW || queued >= limit / 2;
}

const FEW = 64;

/** SQL condition on SQL expressions: at most `limit` jobs of a key wait, or there is no limit (null). */
export function hasRoom(schema: string, { keyId, limit }: Record<"keyId" | "limit", string>): string {
  return `(${limit}::bigint is null or ${limit}::bigint >= (select count(*) from (
    select from ${schema}.jobs as others where others.key_id = ${keyId} and others.status = 'queued'
     limit ${limit}::bigint + 1) as waiting))`;
}
