/** Programs that a round starts, each in a process group of its own, and their certain end. Linux only: it reads /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface Command {
  command: string;
  args: readonly string[];
  env: Record<string, string>;
  /** User and group that it runs as. @default this one */
  user?: { uid: number; gid: number } | undefined;
}

export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Resolves with the exit code, null after a signal. */
  readonly ended: Promise<number | null>;
  readonly isRunning: boolean;
  /** Sends a signal to this process alone. Does nothing where it has ended. */
  signal(name: NodeJS.Signals): void;
  /** Processes that it has started and that still run. */
  children(): number[];
}

export interface Programs {
  /** Starts a program; what it writes goes to a file of that name in the folder. */
  start(name: string, command: Command): Program;
  /** Ends everything by force, and waits for it. */
  killAll(): Promise<void>;
}

/** Every group of every round, so that none outlives this process. */
const groups = new Set<number>();
process.on("exit", () => groups.forEach(killGroup));

function killGroup(group: number): void {
  for (const pid of [...descendantsOf(group), -group]) send(pid, "SIGKILL");
}

/** @param folder for the logs */
export function createPrograms(folder: string): Programs {
  const running = new Map<ChildProcess, Promise<unknown>>();
  return {
    start(name, { command, args, env, user }) {
      const log = openSync(path.join(folder, `${name}.log`), "a");
      const child = spawn(command, args, {
        cwd: folder,
        env,
        ...user,
        // Its input ends with this process, which our own programs take as the sign to end.
        stdio: ["pipe", log, log],
        detached: true,
      });
      closeSync(log);
      const ended = new Promise<number | null>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", resolve);
      });
      const { pid } = child;
      if (pid === undefined) throw new Error(`${command} cannot be started.`);
      groups.add(pid);
      running.set(child, ended);
      void ended.catch(() => {}).then(() => running.delete(child));
      return {
        name,
        pid,
        ended,
        get isRunning() {
          return child.exitCode === null && child.signalCode === null;
        },
        signal: (signal) => void child.kill(signal),
        children: () => childrenOf(pid),
      };
    },
    async killAll() {
      const ends = [...running.values()];
      const own = [...running.keys()].map(({ pid }) => pid!);
      own.forEach(killGroup);
      await Promise.race([Promise.allSettled(ends), delay(5000, undefined, { ref: false })]);
      for (const pid of own) groups.delete(pid);
    },
  };
}

/** Sends a signal to a process that may have ended. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** @returns process ids */
export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

export const descendantsOf = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child].concat(descendantsOf(child)));
