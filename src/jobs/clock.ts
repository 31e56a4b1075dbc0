/**
 * The database's clock, and how far it can be trusted. Leases, ttls and retention all end by it, so a gap or a
 * step would end them for everyone at once: workers that are alive would lose their jobs, and results would be
 * deleted days before their time. After a gap or a step, nobody is judged for one lease, in which whoever is alive
 * says so; after a large step, nothing is deleted for an hour, in which an operator can set the clock right.
 */
import type { Database } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import { createStepWatch } from "./clock-steps.ts";

export interface Moment {
  /** The database's clock, milliseconds of the epoch. What is done at this moment goes by this time. */
  nowMs: number;
  /** Whether whoever has not reported for a lease is lost. */
  mayJudge: boolean;
  /** Whether what has expired may be ended and deleted. */
  mayDelete: boolean;
  /** Whether this is the first look, or there was a gap or a step since the one before. */
  isUnsteady: boolean;
}

export interface Clock {
  /** Reads the clock; to be called about once a second. @throws RetouchError DATABASE_UNAVAILABLE */
  look(): Promise<Moment>;
  /**
   * What the latest look allows; nothing if it was too long ago. A clock may have been set since: whoever judges by
   * the database's clock now has to judge by `nowMs` as well.
   */
  latest(): Pick<Moment, "nowMs" | "mayJudge" | "mayDelete">;
}

export interface ClockOptions {
  leaseMs: number;
  /** Whether nobody else uses the database: then whoever held a lease at the start is gone. */
  isSoleOwner: boolean;
  /** A monotonic clock, milliseconds. @default performance.now */
  monotonic?: (() => number) | undefined;
}

/** A gap shorter than this costs no lease, which is renewed several times in its length. */
const MIN_GAP_MS = 2000;
/** Clocks are slewed by less, and a step of this size costs no lease either. */
const STEP_MS = 1000;
/** A step up to this size only ends things this much too early or too late. */
const LARGE_STEP_MS = 60_000;
/**
 * The same between the latest sign of any server or worker and the first after it. It may be a step while all were
 * down, or just the time that they were down, which a restart or an upgrade should not exceed.
 */
const LONG_PAUSE_MS = 10 * 60_000;
/** How often that sign is written. */
const SIGN_MS = 10_000;
/** Time to set a clock right before anything is deleted by it: for an operator who is called by an alarm. */
export const HOLD_MS = 60 * 60_000;

export function createClock(database: Database, options: ClockOptions): Clock {
  const { leaseMs, isSoleOwner, monotonic = () => performance.now() } = options;
  const note = createStepWatch();
  const gapMs = Math.max(leaseMs / 2, MIN_GAP_MS);
  let judgesFrom = -Infinity;
  let isStepUnknown = false;
  let latest: { moment: Moment; at: number } | undefined;

  async function look(): Promise<Moment> {
    const askedAt = monotonic();
    const read = await sign(database, gapMs, isStepUnknown);
    const answeredAt = monotonic();
    const change = note({ databaseMs: read.nowMs, askedAt, answeredAt });
    isStepUnknown = false;
    if (change && Math.abs(change.stepMs) > LARGE_STEP_MS) {
      // If this fails, the next look says it again, and meanwhile nothing is deleted.
      isStepUnknown = true;
      read.unsteadyMs = (await sign(database, gapMs, true)).unsteadyMs;
      isStepUnknown = false;
    }
    const isUnsteady = change === undefined || change.gapMs > gapMs || Math.abs(change.stepMs) > STEP_MS;
    if (isUnsteady && (change !== undefined || !isSoleOwner)) judgesFrom = answeredAt + leaseMs;
    const moment = {
      nowMs: read.nowMs,
      mayJudge: answeredAt >= judgesFrom,
      mayDelete: read.nowMs - read.unsteadyMs >= HOLD_MS,
      isUnsteady,
    };
    latest = { moment, at: answeredAt };
    return moment;
  }

  return {
    look,
    latest() {
      if (latest === undefined || monotonic() - latest.at > gapMs)
        return { nowMs: 0, mayJudge: false, mayDelete: false };
      return latest.moment;
    },
  };
}

/**
 * Reads the clock, and leaves a sign for those who start later. The clock was unsteady if that is said, if the
 * sign lies in the future, or if nobody has left one for a long time.
 */
async function sign(
  database: Database,
  limitMs: number,
  isUnsteady: boolean,
): Promise<{ nowMs: number; unsteadyMs: number }> {
  const table = `${quoted(database.schema)}.clock`;
  const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;
  const [row] = await database.query<{ now_ms: number; unsteady_ms: number }>(
    `with given as (
       select clock_timestamp() as now, interval '1 millisecond' * $2::float8 as step,
              interval '1 millisecond' * $3::float8 as pause, interval '1 millisecond' * $4::float8 as often),
     signed as (
       insert into ${table} as clock (seen_at, unsteady_at) select now, to_timestamp(0) from given
       on conflict (is_only) do update set
         seen_at = excluded.seen_at,
         unsteady_at = case
           when $1 or clock.seen_at > excluded.seen_at + (select step from given)
                or clock.seen_at < excluded.seen_at - (select pause from given)
                or clock.unsteady_at > excluded.seen_at + (select step from given)
           then excluded.seen_at else clock.unsteady_at end
         where $1 or clock.seen_at not between excluded.seen_at - (select often from given) and excluded.seen_at
       returning unsteady_at)
     select ${ms("clock_timestamp()")} as now_ms,
            ${ms("coalesce((select unsteady_at from signed), (select unsteady_at from " + table + "), to_timestamp(0))")}
              as unsteady_ms`,
    [isUnsteady, LARGE_STEP_MS, LONG_PAUSE_MS, SIGN_MS],
    { isPlannedOnce: true, isVital: true, limitMs },
  );
  return { nowMs: row!.now_ms, unsteadyMs: row!.unsteady_ms };
}

/** A time that was read from the clock, in SQL. */
export const timeOf = (ms: string): string => `to_timestamp(${ms}::float8 / 1000)`;
