/** The LoRAs that an engine may use: names and their files. Those of the latest edit stay in memory. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { failure, RetouchError } from "../errors.ts";
import type { Adapters } from "../models/adapters.ts";
import type { FindBase } from "./base-weights.ts";
import { findBeside } from "./configuration.ts";
import { joinLoras, type ScaledLora } from "./join.ts";
import type { Lora } from "./lora-file.ts";
import { loraBytes, readLora } from "./read-lora.ts";
import type { FindTarget } from "./targets.ts";
import { type LoraUse, MAX_LORAS, unknownLora } from "./use.ts";

const MAX_SHOWN_KEYS = 3;

/** The LoRAs of one edit, before they are read. */
export interface ChosenLoras {
  /** The most memory they take once read; all others have been released by then. */
  memoryBytes: number;
  /** SHA-256 of each file, and of the configuration beside it, in hexadecimal. @throws RetouchError LORA_INVALID */
  digests(): Promise<string[]>;
  /**
   * What they add to the network's layers, and sentences on what the user should know of them.
   * @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED for a file, with the LoRA's name as the value `lora`
   */
  read(): Promise<{ adapters: Adapters; notices: string[] }>;
}

/** Once as they are, and once multiplied by their scales. */
const COPIES = 2;

export class LoraRegistry {
  readonly #files: ReadonlyMap<string, string>;
  readonly #findTarget: FindTarget;
  readonly #findBase: FindBase | undefined;
  /** By file. */
  readonly #kept = new Map<string, { identity: string; lora: Lora }>();
  readonly #digests = new Map<string, { identity: string; digest: string }>();
  #joined: Joined = NOTHING;

  /** @param findBase finds the network's own weights; without it, DoRAs are refused */
  constructor(files: Readonly<Record<string, string>>, findTarget: FindTarget, findBase?: FindBase) {
    this.#files = new Map(Object.entries(files));
    this.#findTarget = findTarget;
    this.#findBase = findBase;
  }

  /**
   * Reads the headers of the files.
   * @throws RetouchError INVALID_PARAMETER for an unknown name, LORA_INVALID for its file, with the name as the value
   * `lora`
   */
  async choose(uses: readonly LoraUse[]): Promise<ChosenLoras> {
    const chosen = uses.map((use) => ({ ...use, file: this.#fileOf(use.name) }));
    let memoryBytes = 0;
    for (const { name, file } of chosen) {
      memoryBytes += COPIES * (await loraBytes(file).catch((error: unknown) => fail(error, name)));
    }
    const digests = (): Promise<string[]> => Promise.all(chosen.map(({ file }) => this.#digest(file)));
    return { memoryBytes, digests, read: () => this.#use(chosen) };
  }

  /**
   * Bytes that the LoRAs of one edit may take once read, the most first: of as many of the largest as an edit may have,
   * of fewer of them, and of each alone. A file that cannot be read takes none; it is refused when it is used.
   */
  async roomsWanted(): Promise<number[]> {
    const bytesOf = (file: string): Promise<number> => loraBytes(file).catch(() => 0);
    const sizes = (await Promise.all([...this.#files.values()].map(bytesOf))).map((bytes) => COPIES * bytes);
    const largest = sizes.toSorted((a, b) => b - a).slice(0, MAX_LORAS);
    const sums = largest.map((_, index) => largest.slice(0, index + 1).reduce((sum, size) => sum + size, 0));
    return [...new Set([...sums, ...sizes])].toSorted((a, b) => b - a);
  }

  async #use(chosen: readonly Chosen[]): ReturnType<ChosenLoras["read"]> {
    // Release the old ones first: there may be no room for both.
    const files = new Set(chosen.map(({ file }) => file));
    for (const file of this.#kept.keys()) if (!files.has(file)) this.#kept.delete(file);
    if (!isSame(this.#joined.of, chosen)) this.#joined = NOTHING;

    const loras: (Chosen & ScaledLora)[] = [];
    const notices: string[] = [];
    for (const use of chosen) {
      const { name, file } = use;
      const lora = await this.#read(file).catch((error: unknown) => fail(error, name));
      loras.push({ ...use, lora });
      notices.push(...lora.remarks.map((remark) => `The LoRA ${name} ${remark}.`));
      if (lora.unusedKeys.length > 0) notices.push(unusedNotice(name, lora.unusedKeys));
    }
    const isJoined = loras.every(({ lora }, index) => lora === this.#joined.of[index]?.lora);
    if (!isJoined) this.#joined = { of: loras, adapters: join(loras) };
    return { adapters: this.#joined.adapters, notices };
  }

  #fileOf(name: string): string {
    const file = this.#files.get(name);
    if (file === undefined) throw unknownLora(name, [...this.#files.keys()]);
    return file;
  }

  async #digest(file: string): Promise<string> {
    const identity = await wholeIdentityOf(file);
    const known = this.#digests.get(file);
    if (known?.identity === identity) return known.digest;
    const digest = await loraDigest(file);
    this.#digests.set(file, { identity, digest });
    return digest;
  }

  async #read(file: string): Promise<Lora> {
    const identity = await wholeIdentityOf(file);
    const known = this.#kept.get(file);
    if (known?.identity === identity) return known.lora;
    this.#kept.delete(file);
    const lora = await readLora(file, this.#findTarget, this.#findBase);
    this.#kept.set(file, { identity, lora });
    return lora;
  }
}

/** What {@link ChosenLoras.digests} says of a file. @throws RetouchError LORA_INVALID */
export async function loraDigest(file: string): Promise<string> {
  const beside = await findBeside(file);
  const digests = await Promise.all([file, ...(beside ? [beside] : [])].map(sha256Of));
  return digests.join(":");
}

/** @throws RetouchError LORA_INVALID */
async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const bytes of createReadStream(file)) hash.update(bytes as Buffer);
  } catch (cause) {
    throw unopened(file, cause);
  }
  return hash.digest("hex");
}

type Chosen = LoraUse & { file: string };

interface Joined {
  of: readonly (Chosen & ScaledLora)[];
  adapters: Adapters;
}
const NOTHING: Joined = { of: [], adapters: new Map() };

const isSame = (some: readonly Chosen[], others: readonly Chosen[]): boolean =>
  some.length === others.length &&
  some.every(({ file, scale }, index) => file === others[index]!.file && scale === others[index]!.scale);

/** @throws RetouchError LORA_INVALID */
export async function identityOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs } = await stat(file);
    return [dev, ino, size, mtimeMs].join(":");
  } catch (cause) {
    throw unopened(file, cause);
  }
}

/** With that of the configuration beside it. @throws RetouchError LORA_INVALID */
async function wholeIdentityOf(file: string): Promise<string> {
  const beside = await findBeside(file);
  return [await identityOf(file), beside && (await identityOf(beside))].join(" ");
}

/** @throws RetouchError LORA_UNSUPPORTED, with the name of the LoRA that does not go with the others */
function join(loras: readonly (Chosen & ScaledLora)[]): Adapters {
  try {
    return joinLoras(loras);
  } catch (error) {
    const file = error instanceof RetouchError ? error.failure.values?.["file"] : undefined;
    return fail(error, loras.find((lora) => lora.file === file)?.name ?? "");
  }
}

function unopened(file: string, cause: unknown): RetouchError {
  const values = { what: "LoRA file", file, fault: "cannot be opened" };
  return new RetouchError("LORA_INVALID", failure("file", values), { cause });
}

/** Adds the LoRA's name: whoever sent only that gets a sentence with it, and without the file's path. */
function fail(error: unknown, lora: string): never {
  if (!(error instanceof RetouchError)) throw error;
  const { kind, values } = error.failure;
  throw new RetouchError(error.code, { kind, values: { ...values, lora } }, { cause: error.cause });
}

function unusedNotice(name: string, keys: readonly string[]): string {
  const more = keys.length > MAX_SHOWN_KEYS ? ` and ${keys.length - MAX_SHOWN_KEYS} more` : "";
  const shown = keys.slice(0, MAX_SHOWN_KEYS).join(", ");
  return `The LoRA ${name} has keys for which the network has no place; they have no effect: ${shown}${more}.`;
}
