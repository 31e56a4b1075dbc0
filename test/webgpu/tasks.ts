/**
 * A program that does tasks on the software device, one after the other, in a process of its own: a driver in software can
 * crash, and takes its process with it. Tasks that follow each other share the kernels that the device has compiled, which
 * takes longer than most edits of so small networks.
 */
import { type ChildProcess, fork } from "node:child_process";
import { inspect } from "node:util";
import { softwareGpu } from "../../tools/software-gpu.ts";
import { root } from "../support/fixtures.ts";

const TIMEOUT_MS = 900_000;

export class DeviceTasks {
  readonly #bundle: string;
  #child: ChildProcess | undefined;
  #isBusy = false;

  /** @param bundle the compiled program, which ends with `answerTasks` */
  constructor(bundle: string) {
    this.#bundle = bundle;
  }

  /**
   * In a new process if the last one ended, failed or is still at work, because whoever asked for that has given up.
   * @throws Error with what the process said, if it fails or ends without an answer
   */
  ask(task: unknown): Promise<unknown> {
    if (this.#isBusy) this.close();
    // It may have crashed since its last answer.
    if (this.#child?.connected !== true) this.#child = this.#start();
    const child = this.#child;
    this.#isBusy = true;
    let printed = "";
    const keep = (chunk: Buffer): void => void (printed += chunk.toString());
    child.stderr!.on("data", keep);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
      const finish = (reason?: Error): void => {
        clearTimeout(timer);
        child.stderr!.off("data", keep);
        child.removeAllListeners("message").removeAllListeners("close");
        if (reason) reject(reason);
        if (this.#child !== child) return;
        this.#isBusy = false;
        if (reason) this.close();
      };
      child.once("message", (answer: TaskAnswer) => {
        if ("error" in answer) return finish(new Error(answer.error));
        finish();
        resolve(answer.found);
      });
      // After the process has ended and all that it printed has arrived.
      child.once("close", (code, signal) =>
        finish(new Error(printed.trim() || `The process ends with ${signal ?? code}.`)),
      );
      child.send(task as object, (error) => {
        // A process that has ended reports so itself.
        if (error && child.connected) finish(error);
      });
    });
  }

  #start(): ChildProcess {
    return fork(this.#bundle, {
      cwd: root,
      env: softwareGpu(),
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
  }

  /** Ends the process. */
  close(): void {
    // Not an orderly exit, in which a driver may crash or hang.
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
    this.#isBusy = false;
  }
}

type TaskAnswer = { found: unknown } | { error: string };

/** In the process: answers each task. */
export function answerTasks<Task>(answer: (task: Task) => Promise<unknown>): void {
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.on("message", (task) => {
    answer(task as Task).then(
      (found) => process.send!({ found } satisfies TaskAnswer),
      (error: unknown) => process.send!({ error: inspect(error) } satisfies TaskAnswer),
    );
  });
}
