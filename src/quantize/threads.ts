/** Threads that round numbers while their owner reads and writes. */
import { Worker } from "node:worker_threads";
import type { ConvertedPart, Part } from "./convert.ts";

interface Waiting {
  resolve: (converted: ConvertedPart) => void;
  reject: (error: Error) => void;
}

export class ConvertThread {
  readonly #worker: Worker;
  /** In the order of the parts that the thread was given. */
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;

  /** @param entry the thread's compiled file */
  constructor(entry = new URL("./convert-thread.js", import.meta.url)) {
    this.#worker = new Worker(entry);
    this.#worker.on("message", (converted: ConvertedPart) => this.#waiting.shift()!.resolve(converted));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("A thread that rounds weights has ended.")));
  }

  /** Rejects with the error that ended the thread. */
  convert(part: Part): Promise<ConvertedPart> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(part);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
