/** A process that answers a line of JSON with one; one that ends or takes too long is started anew for the next. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** For one answer; the first one of a process also waits for its libraries to load. */
const LIMITS = { answerMs: 60_000, firstMs: 240_000 };
const SHOWN_CHARACTERS = 600;

export class LineProcess {
  readonly #command: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #limits: typeof LIMITS;
  #child: ChildProcess | undefined;
  #errors = "";
  #settle: ((answer: object) => void) | undefined;
  #id = 0;
  #isWarm = false;

  constructor(command: readonly string[], environment: NodeJS.ProcessEnv = {}, limits = LIMITS) {
    this.#command = command;
    this.#environment = environment;
    this.#limits = limits;
  }

  /** The answer; one with `fault` if there is none. */
  async ask<Answer>(question: object): Promise<Answer | { fault: string }> {
    const id = (this.#id += 1);
    const child = (this.#child ??= this.#start());
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<object>((resolve) => {
      this.#settle = resolve;
      const limit = this.#isWarm ? this.#limits.answerMs : this.#limits.firstMs;
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        this.#child = undefined;
        resolve({ fault: `no answer within ${limit / 1000} seconds` });
      }, limit);
      child.stdin!.write(`${JSON.stringify({ id, ...question })}\n`);
    });
    clearTimeout(timer);
    this.#settle = undefined;
    this.#isWarm = true;
    return answer as Answer | { fault: string };
  }

  close(): void {
    this.#child?.kill("SIGKILL");
  }

  #start(): ChildProcess {
    const [program, ...args] = this.#command;
    const child = spawn(program!, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...this.#environment },
    });
    this.#errors = "";
    this.#isWarm = false;
    child.stderr!.on("data", (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-SHOWN_CHARACTERS);
    });
    // A process that has ended reports so below; what was still being written to it is lost.
    child.stdin!.on("error", () => undefined);
    createInterface({ input: child.stdout! }).on("line", (line) => {
      // A library may print, too.
      if (this.#child === child && line.startsWith("{")) this.#settle?.(JSON.parse(line) as object);
    });
    const onEnd = (what: string): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#settle?.({ fault: `${what}: ${this.#errors.trim()}` });
    };
    child.once("error", (error) => onEnd(error.message));
    child.once("close", (code, signal) => onEnd(`the process ended with ${signal ?? `code ${code}`}`));
    return child;
  }
}
