/**
 * Images given by URL: each is downloaded while its job waits, and only then is the job queued for an engine,
 * so that a slow host blocks no engine. A download belongs to one worker for as long as that worker reports
 * being alive.
 */
import type { Sql } from "../database/database.ts";
import { timeOf } from "./clock.ts";
import { channelOf, type JobsContext, schemaOf } from "./context.ts";
import type { WorkQueue } from "./contracts.ts";
import { noted } from "./course.ts";
import { endJobs } from "./ending.ts";
import { quotaError, readRoom } from "./key-use.ts";
import { newsOf } from "./events.ts";
import type { ClaimedSource, JobFailure, JobImage, JobImages, StoredSource } from "./job.ts";
import { jobFailureOf } from "./job-failure.ts";
import { lineageOfWaiting } from "./lineage.ts";
import { storedRows } from "./pictures.ts";
import { type PlaceRow, placeOf } from "./rows.ts";
import { isAlive } from "./workers.ts";

type Sources = Pick<
  WorkQueue,
  "claimSource" | "onSource" | "holdsSource" | "keepSource" | "failSource" | "releaseSource"
>;

/** Longer than any download may take. After this time, the worker has lost track of it. */
const FORGOTTEN_MS = 15 * 60_000;
const HELD = "id = $1 and source_tries = $2 and source_worker = $3 and status = 'queued'";

export function createSources(context: JobsContext): Sources {
  const { database, events, settings, clock } = context;
  const schema = schemaOf(context);
  const holderOf = (source: ClaimedSource, workerId: string): unknown[] => [
    source.id,
    source.tries,
    workerId,
  ];
  /** What each worker knows to hold. */
  const held = new Map<string, Set<string>>();
  /** Workers whose latest claim got no answer: it may have been done. */
  const unanswered = new Set<string>();
  /** Once it is certain what became of a download, it is no longer held. */
  async function settled(source: ClaimedSource, workerId: string, write: Promise<boolean>): Promise<boolean> {
    const isDone = await write;
    held.get(workerId)?.delete(source.id);
    return isDone;
  }

  return {
    async claimSource(workerId, { maxOfKey }) {
      // A clock that was set a moment ago, unnoticed yet, makes the living look lost: by the time of the latest look
      // they are not, and by the clock as it is now they are not once they have reported again.
      const { nowMs, mayJudge } = clock.latest();
      const known = held.get(workerId) ?? new Set();
      held.set(workerId, known);
      if (unanswered.has(workerId)) await giveUnknownBack(context, workerId, known);
      const [row] = await database
        .query<ClaimedSource & { mask: JobImage | null }>(
          `update ${schema}.jobs
            set source_worker = $1, source_tries = source_tries + 1, source_started_at = clock_timestamp()
          where id = (
            select id from ${schema}.jobs as waiting
             where status = 'queued' and awaits_images and expires_at > clock_timestamp()
               and (source_worker is null
                    or $5 and (
                      source_started_at < least(clock_timestamp(), ${timeOf("$6")}) - $4 * interval '1 millisecond'
                      or source_worker not in (
                        select id from ${schema}.workers
                         where ${isAlive("$3")} or ${isAlive("$3", timeOf("$6"))})))
               and $2 > (
                 select count(*) from ${schema}.jobs as held
                  where held.key_id = waiting.key_id and held.status = 'queued' and held.source_worker = $1)
             order by is_low_priority, turn, submitted_at limit 1 for update skip locked)
          returning id, source_tries as tries, edit -> 'images' as images, edit -> 'mask' as mask`,
          [workerId, maxOfKey, settings.leaseMs, FORGOTTEN_MS, mayJudge, nowMs],
        )
        .catch((error: unknown) => {
          unanswered.add(workerId);
          throw error;
        });
      unanswered.delete(workerId);
      if (row) known.add(row.id);
      return row && { ...row, mask: row.mask ?? undefined };
    },

    onSource: (listener) => events.on("source", undefined, listener),

    async holdsSource(source, workerId) {
      const rows = await database.query(
        `select from ${schema}.jobs where ${HELD}`,
        holderOf(source, workerId),
      );
      return rows.length > 0;
    },

    keepSource: (source, workerId, kept) =>
      settled(
        source,
        workerId,
        database.transaction((sql) => keep(context, sql, holderOf(source, workerId), kept)),
      ),

    failSource: (source, workerId, reason) =>
      settled(
        source,
        workerId,
        database.transaction((sql) => fail(context, sql, holderOf(source, workerId), reason)),
      ),

    async releaseSource(source, workerId, { isTried }) {
      const rows = await database.query(
        `with released as (
           update ${schema}.jobs set source_worker = null, source_tries = source_tries - $6 where ${HELD} returning id)
         select pg_notify($4, $5) from released`,
        [...holderOf(source, workerId), channelOf(context), newsOf("source"), isTried ? 0 : 1],
      );
      held.get(workerId)?.delete(source.id);
      return rows.length > 0;
    },
  };
}

/**
 * Gives downloads back that a worker was given without learning of it, since the answer got lost, as if they had
 * never been given.
 * @param known those that it knows of
 */
async function giveUnknownBack(
  context: JobsContext,
  workerId: string,
  known: Iterable<string>,
): Promise<void> {
  await context.database.query(
    `update ${schemaOf(context)}.jobs set source_worker = null, source_tries = source_tries - 1
      where source_worker = $1 and status = 'queued' and awaits_images and id <> all($2)`,
    [workerId, [...known]],
  );
}

/** Ends the job of a download as failed. @returns false if the download belongs to nobody any more, or to another worker */
async function fail(
  context: JobsContext,
  sql: Sql,
  holder: readonly unknown[],
  reason: JobFailure,
): Promise<boolean> {
  // To its owner the job has run: the end of a job says when it began, and where.
  const [started] = await sql.query<{ id: string }>(
    `update ${schemaOf(context)}.jobs
        set status = 'running', worker_id = $3, started_at = source_started_at, source_worker = null
      where ${HELD} returning id`,
    holder,
  );
  if (started === undefined) return false;
  const ended = await endJobs(context, sql, { status: "failed", ...reason }, "id = $5", [started.id]);
  return ended.length > 0;
}

async function keep(
  context: JobsContext,
  sql: Sql,
  holder: readonly unknown[],
  { images, mask, sources }: JobImages & { sources: readonly StoredSource[] },
): Promise<boolean> {
  const schema = schemaOf(context);
  const [owner] = await sql.query<{ key_id: string }>(
    `select key_id from ${schema}.jobs where ${HELD} for update`,
    holder,
  );
  if (owner === undefined) return false;
  const room = await readRoom(context, sql, owner.key_id);
  if (sources.reduce((sum, { bytes }) => sum + bytes, 0) > room.bytes) {
    await fail(context, sql, holder, jobFailureOf(quotaError(room)));
    return false;
  }
  const [first] = images;
  const sha256 = first?.kind === "stored" ? first.sha256 : undefined;
  const lineage = sha256 && (await lineageOfWaiting(context, sql, sha256, HELD, holder));
  const [row] = await sql.query<PlaceRow>(
    `with kept as (
       update ${schema}.jobs set edit = edit || $4, awaits_images = false, source_worker = null, ${noted("imagesStored")}
        where ${HELD} returning id, key_id, endpoint, queue_id, is_low_priority, turn),
     counted as (
       insert into ${schema}.pictures (storage_key, key_id, bytes, job_id)
       select storage_key, key_id, bytes, id from kept, ${storedRows("$5", "$6")})
     select endpoint, queue_id, is_low_priority, turn, pg_notify($7, $8) from kept`,
    [
      ...holder,
      JSON.stringify({ images, mask, ...(lineage && { lineage }) }),
      sources.map(({ key }) => key),
      sources.map(({ bytes }) => bytes),
      channelOf(context),
      newsOf("queued"),
    ],
  );
  if (row === undefined) return false;
  await context.queue.send(sql, row.queue_id, placeOf(row));
  return true;
}
