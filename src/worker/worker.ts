/**
 * Takes jobs from the queue and lets the engine process run them, one at a time. Used alike by `retouch
 * serve` and by `retouch worker` on another machine.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { WorkQueue } from "../jobs/contracts.ts";
import type { ClaimedJob, JobResult, WorkerFault, WorkerRecord } from "../jobs/job.ts";
import type { Log } from "../log.ts";
import { createStorageWatch } from "../storage/watch.ts";
import { runAttempt } from "./attempt.ts";
import type { EngineOutcome, EngineProcess } from "./engine-process.ts";
import { createLatestWriter } from "./latest-writer.ts";
import { createOutage } from "./outage.ts";
import { createSourceFetcher } from "./source-fetcher.ts";
import { averageSpeed, defaultLimitMs, measureSpeed } from "./speed.ts";
import { untilAborted } from "./until-aborted.ts";

export interface WorkerOptions {
  queue: WorkQueue;
  engine: EngineProcess;
  log: Log;
  leaseRenewalMs: number;
  /** How long a running job may go on when the worker is told to stop. */
  shutdownDeadlineMs: number;
  /** Deletes a stored result that no job refers to. */
  discard: (result: JobResult) => Promise<void>;
  /** Deletes a stored image that no job refers to. */
  discardSource: (key: string) => Promise<void>;
  /** How long to keep trying to write the end of a job while the database is away. @default 60,000 */
  writePatienceMs?: number | undefined;
}

export interface Worker {
  readonly id: string;
  /** Current status; `unhealthy` comes with the reason, and with what is at fault. */
  status(): { status: WorkerRecord["status"]; reason?: string | undefined; fault?: WorkerFault | undefined };
  start(): void;
  /** Takes no more jobs, waits for the running one until the deadline, then gives it back. May be called more than once. */
  stop(): Promise<void>;
}

const ID_LENGTH = 14;
const ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
/** News of a job may be missed while a connection is down. */
const POLL_MS = 1000;
const MIN_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
/** Time for the last writes after the deadline of a stop. */
const LAST_WRITES_MS = 2000;

/** The worker owns `engine` from here on, and closes it when it stops. */
export function createWorker(options: WorkerOptions): Worker {
  const { queue, engine, log, shutdownDeadlineMs, leaseRenewalMs, writePatienceMs = 60_000 } = options;
  const id = Array.from({ length: ID_LENGTH }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)]).join("");
  const stopping = new AbortController();
  const shutdown = new AbortController();
  const outage = createOutage(log);
  const storage = createStorageWatch({
    check: () => engine.checkStorage(),
    onAway(error) {
      log.warn(
        { workerId: id, detail: messageOf(error) },
        "The storage does not work; this worker takes no jobs.",
      );
      report();
    },
    onBack() {
      log.info({ workerId: id }, "The storage works again.");
      report();
      endSleep();
    },
  });
  const sources = createSourceFetcher({
    ...options,
    outage,
    workerId: id,
    writePatienceMs,
    isStorageAway: () => storage.isAway,
    onStorageAway: storage.failed,
  });
  let record: WorkerRecord = { id, status: "initializing" };
  /** The status but for a storage that is away. */
  let doing: WorkerRecord["status"] = "initializing";
  let reason: string | undefined;
  let backoffMs = MIN_BACKOFF_MS;
  let loop: Promise<void> | undefined;
  let ending: Promise<void> | undefined;
  let signsOfLife: NodeJS.Timeout | undefined;
  let isNews = false;
  let endSleep = (): void => {};

  const reports = createLatestWriter((latest: WorkerRecord) =>
    // The next report repeats it.
    outage.watch(() => queue.report(latest)).catch(() => {}),
  );
  function faultNow(): WorkerFault | undefined {
    return reason !== undefined ? "engine" : storage.isAway ? "storage" : undefined;
  }
  function become(status: WorkerRecord["status"]): void {
    doing = status;
    report();
  }
  function report(): void {
    const status = storage.isAway ? "unhealthy" : doing;
    const fault = faultNow();
    if (record.status === status && record.fault === fault) return;
    record = { ...record, status, fault };
    reports.write(record);
  }

  async function work(): Promise<void> {
    const stopListening = queue.onQueued(() => {
      isNews = true;
      if (record.status === "idle") endSleep();
    });
    signsOfLife = setInterval(() => reports.write(record), leaseRenewalMs);
    reports.write(record);
    sources.start();
    while (!stopping.signal.aborted) {
      if (!(await engineIsReady())) continue;
      if (storage.isAway) {
        become("idle");
        await sleep(POLL_MS);
        continue;
      }
      isNews = false;
      const job = await outage.watch(() => queue.claim(id)).catch(() => undefined);
      if (job) await run(job);
      else {
        become("idle");
        if (!isNews) await sleep(POLL_MS);
      }
    }
    clearInterval(signsOfLife);
    stopListening();
    await sources.stop();
    await reports.done();
    await queue.leave(id).catch(() => {});
  }

  /** Waits for the engine, or after a failure until the next try. */
  async function engineIsReady(): Promise<boolean> {
    if (!engine.isReady && reason === undefined) become("initializing");
    try {
      const speed = await untilAborted(engine.ready(), stopping.signal);
      if (speed === undefined) return false;
      record = { ...record, speed: record.speed ?? speed };
      reason = undefined;
      backoffMs = MIN_BACKOFF_MS;
      return true;
    } catch (error) {
      const message = messageOf(error);
      if (message !== reason) log.error({ workerId: id }, message);
      reason = message;
      become("unhealthy");
      await sleep(backoffMs);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
      return false;
    }
  }

  async function run(job: ClaimedJob): Promise<void> {
    // Claimed while the stop arrived: given back before anything is done.
    if (stopping.signal.aborted) shutdown.abort();
    become("running");
    const attempt = {
      ...options,
      outage,
      workerId: id,
      writePatienceMs,
      stopping: stopping.signal,
      shutdown: shutdown.signal,
      onWaiting: storage.failed,
    };
    const { executionTimeoutMs = defaultLimitMs(record.speed, job.edit) } = job;
    const outcome = await runAttempt(attempt, { ...job, executionTimeoutMs });
    if (outcome.kind === "storageAway") storage.failed(outcome.detail);
    if (outcome.kind !== "completed") return;
    if (outcome.result.image.kind === "stored") storage.worked();
    learn(outcome);
  }

  function learn({ result, timing }: Extract<EngineOutcome, { kind: "completed" }>): void {
    if (record.speed === undefined) return;
    const { numSteps = result.numSteps } = timing;
    // The last step was taken by an earlier attempt.
    if (numSteps === 0) return;
    const measured = measureSpeed(record.speed, timing, { ...result, numSteps });
    record = { ...record, speed: averageSpeed(record.speed, measured) };
  }

  function sleep(ms: number): Promise<void> {
    if (stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      endSleep = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function end(): Promise<void> {
    stopping.abort();
    storage.stop();
    endSleep();
    const deadline = setTimeout(() => shutdown.abort(), shutdownDeadlineMs);
    const patience = new AbortController();
    await Promise.race([
      loop,
      // A database that hangs must not keep the program from ending.
      delay(shutdownDeadlineMs + LAST_WRITES_MS, undefined, { signal: patience.signal }).catch(() => {}),
    ]);
    clearTimeout(deadline);
    patience.abort();
    clearInterval(signsOfLife);
    await engine.close();
  }

  return {
    id,
    status() {
      const { status } = record;
      const fault = faultNow();
      if (fault === undefined) return { status };
      return { status, reason: reason ?? "The storage does not work.", fault };
    },
    start() {
      loop ??= work();
    },
    stop() {
      ending ??= end();
      return ending;
    },
  };
}
