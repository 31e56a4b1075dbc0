/** An unfinished blob: the file and its hash grow together, and it gets its final name once the hash is right. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import type { HubFile } from "./listing.ts";

export class BlobWriter {
  readonly #file: HubFile;
  readonly #blob: string;
  readonly #handle: FileHandle;
  #hash: Hash;
  #have = 0;

  private constructor(file: HubFile, blob: string, handle: FileHandle) {
    this.#file = file;
    this.#blob = blob;
    this.#handle = handle;
    this.#hash = startHash(file);
  }

  /** Resumes what an earlier run left, which is read once for its hash. */
  static async open(file: HubFile, blob: string, signal: AbortSignal): Promise<BlobWriter> {
    const writer = new BlobWriter(file, blob, await open(incompleteOf(blob), "a"));
    try {
      const { size } = await writer.#handle.stat();
      if (size > file.size) await writer.restart();
      else if (size > 0) {
        for await (const chunk of createReadStream(incompleteOf(blob), { end: size - 1, signal })) {
          writer.#count(chunk as Buffer);
        }
      }
      return writer;
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  /** Bytes written so far. */
  get have(): number {
    return this.#have;
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.byteLength;) {
      const { bytesWritten } = await this.#handle.write(chunk, offset);
      this.#count(chunk.subarray(offset, offset + bytesWritten));
      offset += bytesWritten;
    }
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = startHash(this.#file);
    this.#have = 0;
  }

  /** Gives the file its name if it is what the hub lists, and otherwise starts again. */
  async finish(): Promise<boolean> {
    const isRight = this.#have === this.#file.size && this.#hash.copy().digest("hex") === this.#file.oid;
    if (!isRight) {
      await this.restart();
      return false;
    }
    await this.#handle.sync();
    await rename(incompleteOf(this.#blob), this.#blob);
    return true;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** Deletes what was written. */
  async discard(): Promise<void> {
    await rm(incompleteOf(this.#blob), { force: true });
  }

  #count(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#have += chunk.byteLength;
  }
}

export const incompleteOf = (blob: string): string => `${blob}.incomplete`;

/** Git hashes a file with its kind and size in front. */
function startHash({ hash, size }: HubFile): Hash {
  return hash === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}
