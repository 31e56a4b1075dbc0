/**
 * Takes jobs from the queue and lets the engine process run them: one at a time, or several together where the engine has
 * found that faster. Used alike by `retouch serve` and by `retouch worker` on another machine.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { EditSpeed } from "../engine/estimate.ts";
import { messageOf } from "../errors.ts";
import type { WorkQueue } from "../jobs/contracts.ts";
import type { ClaimedJob, JobResult, ServedEndpoint, WorkerFault, WorkerRecord } from "../jobs/job.ts";
import type { Log } from "../log.ts";
import { createStorageWatch } from "../storage/watch.ts";
import { runAttempt } from "./attempt.ts";
import { createCompanions } from "./companions.ts";
import { createEndpointChoice } from "./endpoint-choice.ts";
import type { EnginePool } from "./engine-pool.ts";
import { createLatestWriter } from "./latest-writer.ts";
import { createOutage } from "./outage.ts";
import type { JobGroup } from "./protocol.ts";
import { createSourceFetcher } from "./source-fetcher.ts";
import { defaultLimitMs, speedAfter } from "./speed.ts";
import { untilAborted } from "./until-aborted.ts";

export interface WorkerOptions {
  queue: WorkQueue;
  engines: EnginePool;
  log: Log;
  leaseRenewalMs: number;
  /** How long a running job may go on when the worker is told to stop. */
  shutdownDeadlineMs: number;
  /** How long loaded endpoints keep the worker while others have jobs waiting. @default 0 */
  modelTurnMs?: number | undefined;
  /** Deletes a stored result that no job refers to. */
  discard: (result: JobResult) => Promise<void>;
  /** Signs the receipts of results. @default they are not signed */
  receiptKey?: string | undefined;
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
/** News of a job may be missed while a connection is down. Pauses grow while there is none: a worker that waits costs little. */
const POLL_MS = 1000;
const MOST_POLL_MS = 5000;
/** Time for the last writes after the deadline of a stop. */
const LAST_WRITES_MS = 2000;

/** The worker owns `engines` from here on, and closes them when it stops. */
export function createWorker(options: WorkerOptions): Worker {
  const { queue, engines, log, shutdownDeadlineMs, leaseRenewalMs, writePatienceMs = 60_000 } = options;
  const { isLoaded, endpoints } = engines;
  const choice = createEndpointChoice({ endpoints, isLoaded, turnMs: options.modelTurnMs ?? 0 });
  const id = Array.from({ length: ID_LENGTH }, () => ID_CHARACTERS[randomInt(ID_CHARACTERS.length)]).join("");
  const stopping = new AbortController();
  const shutdown = new AbortController();
  const outage = createOutage(log);
  const companions = createCompanions(
    {
      isLikeNext: (...asked) => outage.watch(() => queue.isLikeNext(...asked)),
      claimLike: (...asked) => outage.watch(() => queue.claimLike(...asked)),
      handBack: (...given) => queue.handBack(...given),
    },
    id,
  );
  const storage = createStorageWatch({
    check: () => engines.checkStorage(),
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
    engine: engines,
    outage,
    workerId: id,
    writePatienceMs,
    isStorageAway: () => storage.isAway,
    onStorageAway: storage.failed,
  });
  let record: WorkerRecord = {
    id,
    status: "initializing",
    endpoints: Object.fromEntries(endpoints.map((endpoint) => [endpoint, {}])),
  };
  /** The status but for a storage that is away. */
  let doing: WorkerRecord["status"] = "initializing";
  let loop: Promise<void> | undefined;
  let ending: Promise<void> | undefined;
  let signsOfLife: NodeJS.Timeout | undefined;
  let isNews = false;
  let endSleep = (): void => {};

  const reports = createLatestWriter((latest: WorkerRecord) =>
    // The next report repeats it.
    outage.watch(() => queue.report(latest)).catch(() => {}),
  );
  /** Why no engine can be loaded, if that is so of all of them. */
  function reasonNow(): string | undefined {
    const reasons = endpoints.map(choice.reasonOf);
    return reasons.includes(undefined) ? undefined : reasons[0];
  }
  function faultNow(): WorkerFault | undefined {
    return reasonNow() !== undefined ? "engine" : storage.isAway ? "storage" : undefined;
  }
  function learnOf(endpoint: string, served: ServedEndpoint): void {
    record = { ...record, endpoints: { ...record.endpoints, [endpoint]: served } };
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
    let pauseMs = POLL_MS;
    while (!stopping.signal.aborted) {
      isNews = false;
      const endpoint = (await waitingEndpoint()) ?? choice.idle();
      if (endpoint === undefined) {
        become("unhealthy");
        await sleep(choice.restMs());
        continue;
      }
      if (!(await engineIsReady(endpoint))) continue;
      if (storage.isAway) {
        become("idle");
        await sleep(POLL_MS);
        continue;
      }
      const job = await outage.watch(() => queue.claim(id, endpoint)).catch(() => undefined);
      if (job) await run(job);
      else {
        become("idle");
        if (!isNews) await sleep(pauseMs);
      }
      pauseMs = job || isNews ? POLL_MS : Math.min(2 * pauseMs, MOST_POLL_MS);
    }
    clearInterval(signsOfLife);
    stopListening();
    await sources.stop();
    await reports.done();
    await queue.leave(id).catch(() => {});
  }

  /** The endpoint whose turn it is, of those that have jobs waiting. A worker of one endpoint need not ask. */
  async function waitingEndpoint(): Promise<string | undefined> {
    if (endpoints.length === 1 || storage.isAway) return undefined;
    for (const group of choice.groups()) {
      if (group.length === 0) continue;
      const found = await outage.watch(() => queue.nextEndpoint(group)).catch(() => undefined);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Waits for an endpoint's engine. */
  async function engineIsReady(endpoint: string): Promise<boolean> {
    const isNew = !isLoaded(endpoint);
    if (isNew && reasonNow() === undefined) become("initializing");
    try {
      const speed = await untilAborted(engines.load(endpoint), stopping.signal);
      if (speed === undefined) return false;
      const isBack = choice.reasonOf(endpoint) !== undefined;
      choice.loaded(endpoint, isNew);
      const { place } = engines.of(endpoint);
      learnOf(endpoint, { speed: record.endpoints[endpoint]?.speed ?? speed, ...place });
      if (isBack) reports.write(record);
      return true;
    } catch (error) {
      const message = messageOf(error);
      if (message !== choice.reasonOf(endpoint)) log.error({ workerId: id, endpoint }, message);
      choice.failed(endpoint, message);
      learnOf(endpoint, { ...record.endpoints[endpoint], isFaulty: true });
      if (reasonNow() === undefined) reports.write(record);
      return false;
    }
  }

  /** Runs a job, and together with it those behind it where that is faster. */
  async function run(job: ClaimedJob): Promise<void> {
    // Claimed while the stop arrived: given back before anything is done.
    if (stopping.signal.aborted) shutdown.abort();
    become("running");
    choice.taken(job.endpoint);
    const { speed } = record.endpoints[job.endpoint] ?? {};
    const jobs = [job, ...(stopping.signal.aborted ? [] : await companions.takeFor(job, speed))];
    const group = jobs.length > 1 ? { id: `${job.id} ${job.attempt}`, size: jobs.length } : undefined;
    await Promise.all(jobs.map((one) => runOne(one, speed, group)));
  }

  async function runOne(
    job: ClaimedJob,
    speed: EditSpeed | undefined,
    group: JobGroup | undefined,
  ): Promise<void> {
    const { endpoint } = job;
    const attempt = {
      ...options,
      engine: engines.of(endpoint),
      outage,
      workerId: id,
      writePatienceMs,
      stopping: stopping.signal,
      shutdown: shutdown.signal,
      onWaiting: storage.failed,
      group,
    };
    const { executionTimeoutMs = defaultLimitMs(speed, job.edit) } = job;
    const outcome = await runAttempt(attempt, { ...job, executionTimeoutMs });
    if (outcome.kind === "storageAway") storage.failed(outcome.detail);
    if (outcome.kind !== "completed") return;
    if (outcome.result.image.kind === "stored") storage.worked();
    const { result, timing, worthTogether } = outcome;
    companions.learn(job, worthTogether);
    // Together, nobody can tell how long each would have taken.
    if (speed !== undefined && group === undefined) {
      learnOf(endpoint, { ...record.endpoints[endpoint], speed: speedAfter(speed, result, timing) });
    }
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
    await engines.close();
  }

  return {
    id,
    status() {
      const { status } = record;
      const fault = faultNow();
      if (fault === undefined) return { status };
      return { status, reason: reasonNow() ?? "The storage does not work.", fault };
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
