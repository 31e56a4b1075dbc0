/** A process of its own that answers one question after the other, for as long as somebody asks. */
import { type ChildProcess, fork } from "node:child_process";
import { childEnvironment } from "../process-environment.ts";

export interface AskedProcess<Order, Answer> {
  /** The answer, or why there is none: never an error. */
  ask(order: Order): Promise<Answer | Unanswered>;
  /** Ends the process. */
  close(): void;
}

/** Too many wait already, it does not start, or it gave no answer in time. */
export type Unanswered = "busy" | "unstarted" | "late";

export interface AskedProcessOptions {
  /** The process's compiled file. */
  entry: URL;
  /** How long one answer may take once the process is there, milliseconds. */
  answerMs: number;
  /** How long the process may take to start. @default 20,000 */
  startMs?: number | undefined;
  /** How long it stays without a question. @default 30,000 */
  idleMs?: number | undefined;
}

const START_MS = 20_000;
const IDLE_MS = 30_000;
/** Longest line of questions. */
const MAX_WAITING = 8;

/** Questions and answers travel by structured clone, bytes as they are. */
export function createAskedProcess<Order extends object, Answer extends object>({
  entry,
  answerMs,
  startMs = START_MS,
  idleMs = IDLE_MS,
}: AskedProcessOptions): AskedProcess<Order, Answer> {
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
  async function answerOf(of: ChildProcess, limitMs: number): Promise<object | undefined> {
    return new Promise((resolve) => {
      const settle = (answer?: object): void => {
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
    return isReady(answer) ? made : undefined;
  }

  async function askNow(order: Order, since: number): Promise<Answer | Unanswered> {
    clearTimeout(idle);
    const asked = isClosed ? undefined : await started();
    if (asked === undefined) return "unstarted";
    if (performance.now() - Math.max(since, readyAt) > answerMs) return "late";
    const answering = answerOf(asked, answerMs);
    asked.send(order, () => {});
    const answer = await answering;
    idle = setTimeout(end, idleMs).unref();
    return (answer as Answer | undefined) ?? "late";
  }

  return {
    async ask(order) {
      if (waiting >= MAX_WAITING) return "busy";
      waiting += 1;
      const since = performance.now();
      const turn = last.then(() => askNow(order, since));
      last = turn.catch(() => {});
      return turn.finally(() => (waiting -= 1));
    },
    close() {
      isClosed = true;
      clearTimeout(idle);
      end();
    },
  };
}

const isReady = (answer: object | undefined): boolean =>
  answer !== undefined && "kind" in answer && answer.kind === "ready";
