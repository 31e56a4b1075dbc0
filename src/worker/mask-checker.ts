/** Has the files of masks checked in a process of their own, one at a time, for as long as somebody asks. */
import { type ChildProcess, fork } from "node:child_process";
import { type FailureRecord, RetouchError } from "../errors.ts";
import type { GivenMask } from "../engine/mask-rules.ts";
import { childEnvironment } from "../process-environment.ts";

/** What the process is told. */
export interface MaskOrder {
  given: GivenMask;
  maxPixels: number;
}

export type MaskAnswer =
  | { kind: "ready" }
  | { kind: "usable" }
  | { kind: "refused"; record: FailureRecord }
  | { kind: "failed"; reason: string };

export interface MaskChecker {
  /**
   * Resolves for a mask that can be used, and for one of which that is not known in time: its job tells.
   * @throws RetouchError INVALID_PARAMETER about `mask`
   */
  check(given: GivenMask): Promise<void>;
  /** Ends the process. */
  close(): void;
}

export interface MaskCheckerOptions {
  /** Most pixels of a picture. */
  maxPixels: number;
  /** The process's compiled file. */
  entry?: URL | undefined;
  /** Why a mask was not checked, for the log. */
  onError?: ((reason: string) => void) | undefined;
  /** How long one mask may take once the process is there. @default 2,000: clients of /run give up after three seconds */
  checkMs?: number | undefined;
  /** How long the process may take to start. @default 20,000 */
  startMs?: number | undefined;
  /** How long it stays without a mask. @default 30,000 */
  idleMs?: number | undefined;
}

/** More than wait already are left to their jobs. */
const MAX_WAITING = 8;
const TOO_LATE = "A mask could not be checked in time.";

export function createMaskChecker({
  maxPixels,
  entry = new URL("./mask-process.js", import.meta.url),
  onError = () => {},
  checkMs = 2000,
  startMs = 20_000,
  idleMs = 30_000,
}: MaskCheckerOptions): MaskChecker {
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let readyAt = 0;
  let isClosed = false;

  const end = (): void => {
    child?.kill("SIGKILL");
    child = undefined;
  };

  /** The next answer of the process; undefined if it ends, or there is none in time: then it is ended. */
  async function answerOf(of: ChildProcess, limitMs: number): Promise<MaskAnswer | undefined> {
    return new Promise((resolve) => {
      const settle = (answer?: MaskAnswer): void => {
        clearTimeout(timer);
        of.off("message", settle).off("exit", gone).off("error", gone);
        if (answer === undefined && child === of) end();
        resolve(answer);
      };
      const gone = (): void => settle();
      const timer = setTimeout(gone, limitMs);
      of.on("message", settle).on("exit", gone).on("error", gone);
    });
  }

  async function started(): Promise<ChildProcess | undefined> {
    if (child?.connected) return child;
    const made = fork(entry, {
      // Bytes travel as they are.
      serialization: "advanced",
      env: childEnvironment(),
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child = made;
    // Whatever goes wrong with it later is seen by the next question.
    made.on("error", () => {});
    made.unref();
    made.channel?.unref();
    const answer = await answerOf(made, startMs);
    readyAt = performance.now();
    return answer?.kind === "ready" ? made : undefined;
  }

  async function ask(given: GivenMask, since: number): Promise<FailureRecord | undefined> {
    clearTimeout(idle);
    const asked = isClosed ? undefined : await started();
    if (asked === undefined) return unknown("The process that checks masks does not start.");
    if (performance.now() - Math.max(since, readyAt) > checkMs) return unknown(TOO_LATE);
    const answering = answerOf(asked, checkMs);
    asked.send({ given, maxPixels } satisfies MaskOrder, () => {});
    const answer = await answering;
    idle = setTimeout(end, idleMs).unref();
    if (answer === undefined) return unknown(TOO_LATE);
    if (answer.kind === "failed") return unknown(answer.reason);
    return answer.kind === "refused" ? answer.record : undefined;
  }

  function unknown(reason: string): undefined {
    onError(reason);
  }

  return {
    async check(given) {
      if (waiting >= MAX_WAITING) return;
      waiting += 1;
      const since = performance.now();
      const turn = last.then(() => ask(given, since));
      last = turn.catch(() => {});
      const record = await turn.finally(() => (waiting -= 1));
      if (record) throw new RetouchError(record.code, { kind: record.kind, values: record.values });
    },
    close() {
      isClosed = true;
      clearTimeout(idle);
      end();
    },
  };
}
