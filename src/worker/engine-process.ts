/** The parent's side of the engine process: starts it, hands it one job at a time, kills it if necessary. */
import { type ChildProcess, fork } from "node:child_process";
import type { JobEdit, KeptState } from "../jobs/job.ts";
import type { EncodingCounts } from "../engine/encodings.ts";
import type { EditSpeed } from "../engine/estimate.ts";
import type { Log } from "../log.ts";
import { ENGINE_FLAGS, engineEnvironment } from "./engine-environment.ts";
import { endSentence, makeNice } from "./engine-child.ts";
import type { EngineOutcome, FetchOutcome, NotDone, RunEvents } from "./engine-outcome.ts";
import { createEncodingTotal } from "./encoding-total.ts";
import type { EditCircumstances, EngineAnswer, EnginePlace, EngineRequest, EngineSetup } from "./protocol.ts";

export type { EngineOutcome, FetchOutcome, RunEvents } from "./engine-outcome.ts";

export interface EngineProcess {
  /** Whether it is warmed up and alive. */
  readonly isReady: boolean;
  /** Memory that its process takes for a usual edit; known once it has warmed up for the first time. */
  readonly neededBytes: number | undefined;
  /** What it runs on, and the name of its checkpoint; known once it has warmed up. */
  readonly place?: EnginePlace | undefined;
  /** Encodings found and made by its processes so far, and bytes kept by the running one. */
  readonly encodings: EncodingCounts;
  /**
   * Starts the process if there is none.
   * @returns once it has warmed up
   * @throws Error with a sentence if it cannot
   */
  ready(): Promise<EditSpeed>;
  /** Runs one job; `signal` stops it within a step, or kills the process if that is slow. Never rejects. */
  run(id: string, edit: JobEdit, options: RunOptions): Promise<EngineOutcome>;
  /** Downloads a job's image into the storage, beside other work. `signal` ends it at once. Never rejects. */
  fetch(id: string, url: string, options: { signal: AbortSignal }): Promise<FetchOutcome>;
  /** Checks our storage from inside the process that uses it. @throws Error for the log */
  checkStorage(): Promise<void>;
  /**
   * Ends the process at once; the next `ready` starts another.
   * @param jobId the job for whose sake; others that run in it are `absent`: they are not to blame
   */
  kill(jobId: string): void;
  /** The same, and waits until its memory is free. */
  unload(): Promise<void>;
  /** Ends the process for good. */
  close(): Promise<void>;
}

export interface RunOptions extends RunEvents, EditCircumstances {
  signal: AbortSignal;
  /** Called with every state that was stored for the job; each replaces the one before. */
  onState?: ((state: KeptState) => void) | undefined;
  /** Aborts when the worker is about to end: from then on, the state is kept after every step. */
  stopping?: AbortSignal | undefined;
}

export interface EngineProcessOptions {
  setup: EngineSetup;
  log: Log;
  /** The compiled program of the process. */
  entry?: URL | undefined;
  /** How long a cancelled job may go on, on top of its current step. @default 2000 */
  cancelGraceMs?: number | undefined;
}

interface Running {
  child: ChildProcess;
  /** Known once it is warmed up. */
  speed?: EditSpeed;
  /** Ended by us. */
  isEnding: boolean;
  /** For this job's sake. */
  endedFor?: string;
}

/** An answer of the process about one request. */
type AnswerAbout = Extract<EngineAnswer, { id: string }>;

const MAX_LISTENERS = 32;
const CHECK_TIMEOUT_MS = 20_000;
const MAX_LOGGED_CHARACTERS = 2000;

/** Starts nothing yet. */
export function createEngineProcess(options: EngineProcessOptions): EngineProcess {
  const { setup, log, cancelGraceMs = 2000 } = options;
  const entry = options.entry ?? new URL("./engine-main.js", import.meta.url);
  let running: Running | undefined;
  let starting: Promise<EditSpeed> | undefined;
  let isClosed = false;
  let neededBytes: number | undefined;
  let place: EnginePlace | undefined;
  const encodings = createEncodingTotal();
  let checks = 0;
  let downloads = 0;

  const forget = (own: Running): void => {
    if (running !== own) return;
    running = starting = undefined;
    encodings.restart();
  };
  const end = (own: Running, jobId?: string): void => {
    own.isEnding = true;
    if (jobId !== undefined) own.endedFor ??= jobId;
    own.child.kill("SIGKILL");
    forget(own);
  };

  function start(): Promise<EditSpeed> {
    if (isClosed) return Promise.reject(new Error("The engine process was closed."));
    const child = fork(entry, {
      serialization: "advanced",
      env: engineEnvironment(setup.engine.checkpoint),
      execArgv: [...ENGINE_FLAGS],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    makeNice(child);
    // Each edit that runs together with others, and each download beside them, hears its answers.
    child.setMaxListeners(MAX_LISTENERS);
    const own: Running = { child, isEnding: false };
    running = own;
    // Only native code writes to stderr, such as a runtime that runs out of memory.
    child.stderr?.on("data", (chunk: Buffer) => {
      log.warn({ output: String(chunk).slice(0, MAX_LOGGED_CHARACTERS) }, "The engine process complains.");
    });
    return new Promise((resolve, reject) => {
      const fail = (message: string): void => {
        forget(own);
        reject(new Error(message));
      };
      child.on("message", (answer: EngineAnswer) => {
        if (answer.kind === "ready") {
          own.speed = answer.speed;
          ({ neededBytes } = answer);
          const { checkpoint, weights, speed, device } = answer;
          for (const notice of [...device.notices, ...(answer.notices ?? [])]) log.warn(notice);
          const { name, reason, computeType } = device;
          place = { device: `${name} (${computeType})`, model: checkpoint };
          log.info({ checkpoint, weights, device: name, reason, computeType, speed }, "The engine is ready.");
          resolve(answer.speed);
        } else if (answer.kind === "encodings") {
          if (running === own) encodings.set(answer.encodings);
        } else if (answer.kind === "converting") {
          log.info(answer.conversion, "Weights are being converted, once.");
        } else if (answer.kind === "unusable") {
          end(own);
          fail(answer.message);
        }
      });
      child.on("error", (error) => fail(`The engine process cannot be started: ${error.message}.`));
      child.once("exit", (code, signal) => {
        if (own.speed && !own.isEnding) log.error(endSentence(code, signal));
        fail(endSentence(code, signal));
      });
      send(child, { kind: "setup", setup });
    });
  }

  /**
   * Sends one request about a job, and waits for its end.
   * @param handlers.onAnswer called with an answer about it; @returns the outcome, if that was the final
   * answer
   * @param handlers.onCancel called after the cancellation was sent; @returns the outcome, if the end is not
   * waited for
   */
  function ask<Outcome>(
    { child }: Running,
    jobId: string,
    request: Extract<EngineRequest, { kind: "edit" | "fetch" | "check" }>,
    signal: AbortSignal,
    handlers: {
      onAnswer: (answer: AnswerAbout) => Outcome | undefined;
      onCancel: () => Outcome | undefined;
    },
  ): Promise<Outcome | NotDone> {
    const { id } = request;
    return new Promise((resolve) => {
      const finish = (outcome: Outcome | NotDone): void => {
        child.off("message", hear);
        child.off("exit", crash);
        signal.removeEventListener("abort", abort);
        resolve(outcome);
      };
      const hear = (answer: EngineAnswer): void => {
        if (!("id" in answer) || answer.id !== id) return;
        if (answer.kind === "failed" && answer.detail !== undefined) {
          log.error({ jobId, detail: answer.detail }, answer.error);
        }
        if (answer.kind === "failed") {
          const { error, failure, safety } = answer;
          return finish({ kind: "failed", error, failure, safety });
        }
        if (answer.kind === "attemptFailed") {
          log.error({ jobId, detail: answer.detail }, answer.error);
          return finish({ kind: "crashed", error: answer.error });
        }
        if (answer.kind === "storageAway") return finish({ kind: "storageAway", detail: answer.detail });
        if (answer.kind === "cancelled") return finish({ kind: "cancelled" });
        const outcome = handlers.onAnswer(answer);
        if (outcome !== undefined) finish(outcome);
      };
      const crash = (code: number | null, by: NodeJS.Signals | null): void =>
        finish({ kind: "crashed", error: endSentence(code, by) });
      const abort = (): void => {
        send(child, { kind: "cancel", id });
        const outcome = handlers.onCancel();
        if (outcome !== undefined) finish(outcome);
      };
      child.on("message", hear);
      child.once("exit", crash);
      signal.addEventListener("abort", abort, { once: true });
      send(child, request);
      if (signal.aborted) abort();
    });
  }

  async function unload(): Promise<void> {
    if (running === undefined) return;
    const { child } = running;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    end(running);
    await exited;
  }

  return {
    get isReady() {
      return running?.speed !== undefined;
    },

    get neededBytes() {
      return neededBytes;
    },

    get place() {
      return place;
    },

    get encodings() {
      return encodings.total();
    },

    ready() {
      starting ??= start();
      return starting;
    },

    async run(id, edit, { signal, onProgress, onStage, onWaiting, onState, stopping, ...how }) {
      const own = running;
      const speed = own?.speed;
      if (own === undefined || speed === undefined) return { kind: "absent" };
      // A negative prompt runs two passes per step; decoding cannot be interrupted either.
      // Where several run together, its step takes as long as one of each.
      const { size: members = 1 } = how.group ?? {};
      const graceMs = cancelGraceMs + members * (2 * speed.stepMs + speed.fixedMs);
      let grace: NodeJS.Timeout | undefined;
      const stop = (): void => send(own.child, { kind: "stopping", id });
      stopping?.addEventListener("abort", stop, { once: true });
      const outcome = await ask<EngineOutcome>(own, id, { kind: "edit", id, edit, ...how }, signal, {
        onAnswer(answer) {
          if (answer.kind === "progress") onProgress(answer.progress);
          if (answer.kind === "stage") onStage?.(answer.stage);
          if (answer.kind === "waiting") onWaiting?.(answer.detail);
          if (answer.kind === "state") onState?.(answer.state);
          if (answer.kind === "note") log[answer.note.level]({ jobId: id }, answer.note.sentence);
          if (answer.kind !== "completed") return undefined;
          const { kind, result, timing, judged, worthTogether } = answer;
          return { kind, result, timing, judged, worthTogether };
        },
        onCancel() {
          grace = setTimeout(() => end(own, id), graceMs);
          return undefined;
        },
      });
      clearTimeout(grace);
      stopping?.removeEventListener("abort", stop);
      const isOthersEnd = own.endedFor !== undefined && own.endedFor !== id;
      return outcome.kind === "crashed" && isOthersEnd ? { kind: "absent" } : outcome;
    },

    async fetch(jobId, url, { signal }) {
      const own = running;
      if (own?.speed === undefined) return { kind: "absent" };
      // An earlier download for the same job may still be under way: its answer is not this one's.
      downloads += 1;
      const id = `${jobId} source ${downloads}`;
      const outcome = await ask<FetchOutcome>(own, jobId, { kind: "fetch", id, url }, signal, {
        onAnswer(answer) {
          if (answer.kind !== "fetched") return undefined;
          const { kind, key, bytes, size, sha256 } = answer;
          return { kind, key, bytes, size, sha256 };
        },
        // Nobody waits for its end, and no engine is killed for it.
        onCancel: () => ({ kind: "cancelled" }),
      });
      // We ended the process ourselves, for another job's sake.
      return outcome.kind === "crashed" && own.isEnding ? { kind: "absent" } : outcome;
    },

    async checkStorage() {
      const own = running;
      if (own?.speed === undefined) throw new Error("There is no engine process.");
      checks += 1;
      const id = `storage check ${checks}`;
      // The process ends its check earlier, unless it hangs itself.
      const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
      const outcome = await ask<{ kind: "checked" } | NotDone>(own, id, { kind: "check", id }, signal, {
        onAnswer: ({ kind }) => (kind === "checked" ? { kind } : undefined),
        onCancel: () => ({ kind: "cancelled" }),
      });
      if (outcome.kind === "checked") return;
      throw new Error(
        outcome.kind === "storageAway" ? outcome.detail : "The storage was not checked in time.",
      );
    },

    kill(jobId) {
      if (running) end(running, jobId);
    },

    unload,

    async close() {
      isClosed = true;
      await unload();
    },
  };
}

/** If a message cannot be sent, the exit follows, and a listener handles that. */
const send = (child: ChildProcess, request: EngineRequest): void => void child.send(request, () => {});
