/**
 * One side of a comparison: a process that loads a checkpoint once and answers a JSON line of standard input with one
 * of standard output. `bench/diffusers_edit.py` describes the lines; both sides speak the same.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";

/** How to start a side. */
export interface SideCommand {
  /** The name in messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** @default this process's */
  env?: NodeJS.ProcessEnv;
}

export interface SideSettings {
  checkpoint: string;
  threads: number;
}

/** An edit's parameters. Images are file paths. */
export interface EditOrder {
  image: string;
  prompt: string;
  width: number;
  height: number;
  steps: number;
  /** @default the model's own */
  guidance?: number;
  seed: number;
  output: string;
}

export interface EditTimes {
  /** From the decoded image, or the encoded one for Retouch, to the written file. */
  seconds: number;
  /** From the start of the first step to the end of the last. */
  denoiseSeconds: number;
  /** Of the processor while `seconds` pass, by all of the process's threads. */
  cpuSeconds?: number;
}

interface ReadyAnswer {
  ready: true;
  loadSeconds: number;
}

/** Characters of standard error that a failure's message repeats. */
const KEPT_ERROR_CHARACTERS = 4000;
const CLOSE_TIMEOUT_MS = 20_000;

export class Side {
  readonly name: string;
  /** From the start of the process until it can take an edit. */
  startSeconds = 0;
  /** The part of that spent on the checkpoint. */
  loadSeconds = 0;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #errors = "";

  private constructor({ name, command, args, env }: SideCommand) {
    this.name = name;
    this.#process = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env });
    this.#reader = createInterface({ input: this.#process.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#process.stderr!.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-KEPT_ERROR_CHARACTERS);
    });
    // If the process has ended, the missing answer shows it.
    this.#process.stdin!.on("error", () => {});
  }

  /** Starts the process and waits until it is ready. */
  static async start(command: SideCommand): Promise<Side> {
    const started = performance.now();
    const side = new Side(command);
    const { loadSeconds } = (await side.#answer()) as ReadyAnswer;
    side.startSeconds = (performance.now() - started) / 1000;
    side.loadSeconds = loadSeconds;
    return side;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  async edit(order: EditOrder): Promise<EditTimes> {
    this.#process.stdin!.write(`${JSON.stringify(order)}\n`);
    return (await this.#answer()) as EditTimes;
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.stdin!.end();
    const timeout = setTimeout(() => this.#process.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await ended;
    clearTimeout(timeout);
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended without an answer:\n${this.#errors}`);
    const answer = JSON.parse(value) as { error?: string };
    if (answer.error !== undefined) throw new Error(`${this.name} failed: ${answer.error}`);
    return answer;
  }
}
