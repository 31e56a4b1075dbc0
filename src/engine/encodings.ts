/**
 * Encoded prompts and images that are kept in memory from edit to edit: the same picture with another seed then begins with
 * its first step. They belong to one engine, so checkpoint, weights, precision and device are the same for all of them; a
 * key covers the rest. What was made for one owner is found by that owner alone: otherwise the time of an edit would tell
 * what somebody else has edited.
 */
import { createHash } from "node:crypto";
import type { Tensor } from "../runtime/tensor.ts";

/** What an encoder made. Its numbers must not change. */
export type Encoding = Tensor | Float32Array;

/** What an encoding depends on. */
export interface EncodingKey {
  /** Which encoder made it. */
  encoder: string;
  /** All that it read apart from `bytes`: token ids, sizes, tiles, the LoRAs that changed it. */
  read: readonly unknown[];
  /** The bytes of an image. @default none */
  bytes?: Uint8Array | undefined;
}

/** The encodings of one owner. */
export interface Encodings {
  /** The encoding of this key, or a new one. A failure is not kept. */
  get<Value extends Encoding>(key: EncodingKey, make: () => Promise<Value>): Promise<Value>;
}

/** For code that looks at single stages. */
export const NOTHING_KEPT: Encodings = { get: (_, make) => make() };

export interface EncodingCounts {
  /** Encodings that were found. */
  hits: number;
  /** Encodings that had to be made. */
  misses: number;
  /** Bytes of those that are kept. */
  bytes: number;
}

/** Seven prompts of FLUX.1, or four of FLUX.2 klein 4B, beside the references of as many edits. */
export const ENCODING_CACHE_BYTES = 64 * 2 ** 20;
/** What nobody asks for is dropped, whether or not others need the room: a deleted picture does not stay. */
export const ENCODING_IDLE_MS = 30 * 60_000;

interface Kept {
  value: Encoding;
  bytes: number;
  owner: string;
  usedAt: number;
}

export class EncodingCache {
  readonly #maxBytes: number;
  readonly #idleMs: number;
  /** The one that was used longest ago first. */
  readonly #kept = new Map<string, Kept>();
  /** What the running edit leaves, at most `#maxBytes`. */
  #roomBytes: number;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param maxBytes of all encodings; 0 keeps none, and one that is larger alone is not kept */
  constructor(maxBytes: number, { idleMs = ENCODING_IDLE_MS }: { idleMs?: number } = {}) {
    this.#maxBytes = maxBytes;
    this.#roomBytes = maxBytes;
    this.#idleMs = idleMs;
  }

  get counts(): EncodingCounts {
    return { hits: this.#hits, misses: this.#misses, bytes: this.#bytes };
  }

  /** @param owner whose edits these are: no other owner finds them */
  of(owner: string): Encodings {
    return {
      get: async <Value extends Encoding>(key: EncodingKey, make: () => Promise<Value>) => {
        const name = nameOf(owner, key);
        const known = this.#kept.get(name);
        if (known) {
          this.#hits += 1;
          this.#keep(name, known.value, owner);
          return known.value as Value;
        }
        const value = await make();
        this.#misses += 1;
        this.#keep(name, value, owner);
        return value;
      },
    };
  }

  /**
   * Leaves the memory that an edit needs to that edit.
   * @param roomBytes what the edit leaves; negative counts as none
   * @returns the most bytes that are kept from now on
   */
  fit(roomBytes: number): number {
    this.#roomBytes = Math.max(0, Math.min(this.#maxBytes, roomBytes));
    this.#makeRoom();
    return this.#roomBytes;
  }

  /** Drops everything. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const name of this.#kept.keys()) this.#drop(name);
  }

  #keep(name: string, value: Encoding, owner: string): void {
    this.#drop(name);
    const bytes = bytesOf(value);
    if (bytes > this.#roomBytes) return;
    this.#kept.set(name, { value, bytes, owner, usedAt: performance.now() });
    this.#bytes += bytes;
    this.#makeRoom();
    this.#timer ??= setTimeout(() => this.#dropIdle(), this.#idleMs).unref();
  }

  #drop(name: string): void {
    this.#bytes -= this.#kept.get(name)?.bytes ?? 0;
    this.#kept.delete(name);
  }

  #makeRoom(): void {
    for (const name of this.#kept.keys()) {
      if (this.#bytes <= this.#roomBytes) return;
      this.#drop(name);
    }
  }

  #dropIdle(): void {
    this.#timer = undefined;
    const idleFrom = performance.now() - this.#idleMs;
    for (const [name, { usedAt }] of this.#kept) if (usedAt <= idleFrom) this.#drop(name);
    const [oldest] = this.#kept.values();
    if (oldest === undefined) return;
    this.#timer = setTimeout(() => this.#dropIdle(), Math.max(1, oldest.usedAt - idleFrom)).unref();
  }
}

const bytesOf = (value: Encoding): number =>
  value instanceof Float32Array ? value.byteLength : value.data.byteLength;

/** A digest, so that neither texts nor pictures are held as keys; JSON keeps the parts apart. */
function nameOf(owner: string, { encoder, read, bytes }: EncodingKey): string {
  const hash = createHash("sha256").update(JSON.stringify([owner, encoder, read]));
  return hash
    .update("\0")
    .update(bytes ?? new Uint8Array(0))
    .digest("base64");
}
