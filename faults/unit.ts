/** A server or a worker under a supervisor, as a container's: whenever it ends unasked it is started again. */
import { setTimeout as delay } from "node:timers/promises";
import { type Command, type Program, type Programs, send } from "./programs.ts";

export interface Unit {
  readonly name: string;
  /** Of a server. */
  readonly address: string | undefined;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** What came to pass with it, in order, for the notes of a failed round. */
  readonly events: string[];
  /** How often it ended with an error of its own, neither asked to nor killed. */
  readonly failures: number;
  start(): void;
  /** Ends it by force; it starts again after a moment, as after a crash. */
  kill(): void;
  /** Sends a signal to it and to its engine process. */
  signalTree(name: NodeJS.Signals): void;
  /** Ends its engine process by force. @returns whether there was one */
  killEngine(): boolean;
  /**
   * Asks it to end, and does not start it again.
   * @returns its exit code, or undefined where it had to be killed after `patienceMs`
   */
  stop(patienceMs: number): Promise<number | null | undefined>;
  /** Waits until /readyz says so. @returns whether it did */
  untilReady(patienceMs: number, signal: AbortSignal): Promise<boolean>;
}

export interface UnitOptions {
  programs: Programs;
  name: string;
  command: Command;
  port: number | undefined;
}

const RESTART_MS = 300;
const POLL_MS = 50;

export function createUnit({ programs, name, command, port }: UnitOptions): Unit {
  let program: Program | undefined;
  let isWanted = false;
  let isKilled = false;
  let failures = 0;
  const events: string[] = [];
  const began = performance.now();
  const note = (event: string): void => {
    events.push(`${((performance.now() - began) / 1000).toFixed(2)} s: ${name} ${event}`);
  };

  function start(): void {
    isWanted = true;
    isKilled = false;
    const own = programs.start(name, command);
    program = own;
    note(`started as ${own.pid}`);
    void own.ended.then(async (code) => {
      note(isKilled ? "was killed" : `ended with ${code}`);
      if (isWanted && !isKilled) failures += 1;
      await delay(RESTART_MS, undefined, { ref: false });
      if (isWanted && program === own) start();
    });
  }

  return {
    name,
    address: port === undefined ? undefined : `http://127.0.0.1:${port}`,
    get pid() {
      return program?.isRunning ? program.pid : undefined;
    },
    get isRunning() {
      return program?.isRunning ?? false;
    },
    events,
    get failures() {
      return failures;
    },
    start,
    kill() {
      isKilled = true;
      program?.signal("SIGKILL");
    },
    signalTree(signal) {
      if (!program?.isRunning) return;
      note(`gets ${signal}`);
      for (const pid of [program.pid, ...program.children()]) send(pid, signal);
    },
    killEngine() {
      const [engine] = program?.isRunning ? program.children() : [];
      if (engine === undefined) return false;
      note("loses its engine process");
      send(engine, "SIGKILL");
      return true;
    },
    async stop(patienceMs) {
      isWanted = false;
      if (!program?.isRunning) return 0;
      note("is asked to end");
      program.signal("SIGTERM");
      const late = Symbol("late");
      const code = await Promise.race([program.ended, delay(patienceMs, late, { ref: false })]);
      if (code !== late) return code as number | null;
      isKilled = true;
      program.signal("SIGKILL");
      await program.ended;
      return undefined;
    },
    async untilReady(patienceMs, signal) {
      const until = performance.now() + patienceMs;
      while (performance.now() < until && !signal.aborted) {
        const response = await fetch(`http://127.0.0.1:${port}/readyz`, {
          signal: AbortSignal.timeout(5000),
        }).catch(() => undefined);
        await response?.text().catch(() => {});
        if (response?.ok) return true;
        await delay(POLL_MS);
      }
      return false;
    },
  };
}
