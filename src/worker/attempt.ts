/** One attempt at one job: its time limit, lease, cancellation, and its end, which must not get lost. */
import { setTimeout as delay } from "node:timers/promises";
import type { WorkQueue } from "../jobs/contracts.ts";
import type { ClaimedJob, JobOutcome, JobProgress, JobResult } from "../jobs/job.ts";
import type { SafetyRecord } from "../jobs/safety-record.ts";
import type { Log } from "../log.ts";
import type { EngineOutcome, EngineProcess, RunEvents } from "./engine-process.ts";
import { createLatestWriter } from "./latest-writer.ts";
import type { Outage } from "./outage.ts";
import type { EditStage, EditTiming, JobGroup } from "./protocol.ts";
import { createStateWriter } from "./state-writer.ts";
import { untilAborted } from "./until-aborted.ts";

/** A job whose missing time limit the worker has filled in. */
export type BoundedJob = ClaimedJob & { executionTimeoutMs: number };

export interface AttemptOptions {
  queue: WorkQueue;
  engine: EngineProcess;
  log: Log;
  outage: Outage;
  workerId: string;
  leaseRenewalMs: number;
  /** Signs the receipts of results. @default they are not signed */
  receiptKey?: string | undefined;
  /** How long to keep trying to write the job's end. */
  writePatienceMs: number;
  /** Aborts when the worker is told to end, some time before `shutdown`. */
  stopping: AbortSignal;
  /** Stops the job so that it is given back. */
  shutdown: AbortSignal;
  /** Deletes a stored result that no job refers to. */
  discard: (result: JobResult) => Promise<void>;
  /** Called while the result waits because our storage does not take it. */
  onWaiting?: RunEvents["onWaiting"];
  /** The jobs that this one runs together with. @default it runs alone */
  group?: JobGroup | undefined;
  /** Deletes a stored state that no job refers to. */
  discardSource: (key: string) => Promise<void>;
}

/** Why a running job is stopped. `lost`: it belongs to another worker, was cancelled, or expired. */
type StopReason = "lost" | "timeout" | "shutdown";

const RETRY_MS = 200;
/** Longer than the process's own limits for reading all sources. */
const MAX_READING_MS = 15 * 60_000;

/** Runs the job to its end and writes that end. Never rejects. @returns what the engine made of it */
export async function runAttempt(options: AttemptOptions, job: BoundedJob): Promise<EngineOutcome> {
  const { queue, engine, outage, workerId, leaseRenewalMs, shutdown, group } = options;
  const { size: members = 1 } = group ?? {};
  const log = options.log.child({ jobId: job.id, workerId, attempt: job.attempt });
  log.info("The job starts.");
  const controller = new AbortController();
  let why: StopReason | undefined;
  const stop = (reason: StopReason): void => {
    if (why !== undefined) return;
    why = reason;
    controller.abort();
    // Timeout and shutdown have waited long enough, and a job over its time may be stuck where no message
    // reaches it. Where others run in the same process, that is found out before it is ended.
    const isPatient = reason === "timeout" && members > 1;
    if (reason !== "lost" && !isPatient) engine.kill(job.id);
  };
  const renewal = createLatestWriter(async () => {
    // After an error, the lease limits how long this may go on.
    const isOurs = await outage.watch(() => queue.renew(job, workerId)).catch(() => true);
    if (!isOurs) stop("lost");
  });
  const renew = (): void => renewal.write(undefined);
  const progress = createLatestWriter(
    async (latest: JobProgress) => {
      // Progress that could not be written is followed by newer progress.
      const isOurs = await outage.watch(() => queue.progress(job, workerId, latest)).catch(() => true);
      if (!isOurs) stop("lost");
    },
    ({ isPartial = false }) => isPartial,
  );
  const states = createStateWriter(options, job);
  const onShutdown = (): void => stop("shutdown");

  // What the storage takes is not the job's own time, and an edit that is done is not lost because it cannot be
  // stored yet.
  // Together they take longer than each would alone.
  const limitMs = members * job.executionTimeoutMs;
  let timeout = setTimeout(() => stop("timeout"), limitMs);
  const onStage = (stage: EditStage): void => {
    clearTimeout(timeout);
    if (stage === "reading") timeout = setTimeout(() => engine.kill(job.id), MAX_READING_MS);
    if (stage === "editing") timeout = setTimeout(() => stop("timeout"), limitMs);
  };
  const renewals = setInterval(renew, leaseRenewalMs);
  const stopWatching = queue.onChanged(job.id, renew);
  shutdown.addEventListener("abort", onShutdown, { once: true });
  if (shutdown.aborted) onShutdown();
  try {
    const outcome = await engine.run(job.id, job.edit, {
      owner: job.keyId,
      signal: controller.signal,
      onProgress: progress.write,
      onStage,
      onWaiting: options.onWaiting,
      state: job.state,
      room: job.room,
      receiptKey: options.receiptKey,
      safetyThreshold: job.safetyThreshold,
      approved: job.approved,
      group,
      onState: states.write,
      stopping: options.stopping,
    });
    clearTimeout(timeout);
    await untilAborted(progress.done(), shutdown);
    await untilAborted(states.done(), shutdown);
    await settle(options, job, outcome, why);
    const partsMs = outcome.kind === "completed" ? rounded(outcome.timing.partsMs) : undefined;
    log.info({ outcome: why ?? kindOf(outcome), partsMs, safety: safetyOf(outcome) }, "The job ends.");
    return outcome;
  } catch (error) {
    log.error({ err: error }, "The job's end could not be written.");
    return { kind: "cancelled" };
  } finally {
    clearTimeout(timeout);
    clearInterval(renewals);
    stopWatching();
    shutdown.removeEventListener("abort", onShutdown);
  }
}

const kindOf = (outcome: EngineOutcome): string =>
  outcome.kind === "completed" && outcome.judged?.isHeld ? "held" : outcome.kind;

function safetyOf(outcome: EngineOutcome): SafetyRecord | undefined {
  if (outcome.kind === "failed") return outcome.safety;
  return outcome.kind === "completed" ? outcome.judged?.safety : undefined;
}

const rounded = (partsMs: EditTiming["partsMs"]): Record<string, number> =>
  Object.fromEntries(Object.entries(partsMs).map(([part, ms]) => [part, Number(ms.toFixed(1))]));

/** Writes how the attempt ended. A finished result counts, even if the job was about to be stopped. */
async function settle(
  options: AttemptOptions,
  job: BoundedJob,
  outcome: EngineOutcome,
  why: StopReason | undefined,
): Promise<void> {
  const { queue, workerId } = options;
  const write = (work: () => Promise<boolean>): Promise<Written> => untilWritten(options, work);
  if (outcome.kind === "completed") {
    const { result, judged } = outcome;
    const end: JobOutcome = judged?.isHeld
      ? { status: "held", result, safety: judged.safety }
      : { status: "completed", result, safety: judged?.safety };
    const written = why === "lost" ? "refused" : await write(() => queue.finish(job, workerId, end));
    // Deleting is safe only if the job certainly does not refer to the result; the sweeper deletes the rest.
    if (written === "refused") await discard(options, result);
  } else if (why === "lost") return;
  else if (why === "timeout") {
    const error = `The job ran for longer than its limit of ${job.executionTimeoutMs / 1000} seconds (policy.executionTimeout).`;
    await write(() => queue.finish(job, workerId, { status: "timedOut", error }));
  } else if (outcome.kind === "failed") {
    await write(() =>
      queue.finish(job, workerId, {
        status: "failed",
        error: outcome.error,
        failure: outcome.failure,
        safety: outcome.safety,
      }),
    );
  } else if (why === "shutdown" || outcome.kind === "absent" || outcome.kind === "storageAway") {
    await write(() => queue.handBack(job, workerId));
  } else if (outcome.kind === "crashed") {
    await write(() => queue.fail(job, workerId, outcome.error));
  }
}

type Written =
  | "written"
  /** The job is no longer ours. */
  | "refused"
  /** It is no longer ours, perhaps because an earlier try succeeded and only its reply got lost. */
  | "unknown";

/** A database restart must not cost a result. What cannot be written at all is left until the lease ends. */
export async function untilWritten(
  { outage, shutdown, writePatienceMs }: Pick<AttemptOptions, "outage" | "shutdown" | "writePatienceMs">,
  write: () => Promise<boolean>,
): Promise<Written> {
  const until = performance.now() + writePatienceMs;
  for (let isFirst = true; ; isFirst = false) {
    try {
      if (await outage.watch(write)) return "written";
      return isFirst ? "refused" : "unknown";
    } catch (error) {
      if (shutdown.aborted || performance.now() > until) throw error;
      await untilAborted(delay(RETRY_MS), shutdown);
    }
  }
}

async function discard({ discard: remove, log }: AttemptOptions, result: JobResult): Promise<void> {
  await remove(result).catch((error: unknown) => {
    log.warn({ err: error }, "A result that nobody needs could not be deleted.");
  });
}
