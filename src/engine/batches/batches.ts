/** Whether runs of the transformer take several images, as it was chosen or measured on this machine, for one checkpoint. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { invalid } from "../../errors.ts";
import { writeFileAtomically } from "../../files/write-atomically.ts";
import { readProcessor } from "../../machine/processor.ts";
import { runtimeVersion } from "../../runtime/onnxruntime.ts";
import { MAX_IMAGES } from "../../models/transformers/image-batch.ts";
import { once } from "../once.ts";
import { sha256 } from "../../sha256.ts";
import { BATCH_SIZES, BatchSpeeds, type ShapeSpeeds } from "./batch-speeds.ts";
import { membersOf } from "../members-of.ts";

/**
 * The most images that a run of the transformer takes: 1 has all alone; a larger number has as many as that together wherever
 * their bits are equal; `auto` finds out what is faster, with as many as four.
 */
export type BatchChoice = "auto" | number;

const BATCH_CHOICES: readonly string[] = [
  "auto",
  ...Array.from({ length: MAX_IMAGES }, (_, index) => String(index + 1)),
];

const FORMAT = "retouch-batches";
const VERSION = 1;
const MAX_BYTES = 1 << 20;
/** Sizes of images that are remembered of a checkpoint: the latest ones. */
const MAX_SHAPES = 200;

/** @throws RetouchError INVALID_PARAMETER for what is no choice */
export function checkBatch(batch: BatchChoice): void {
  if (batch === "auto" || (Number.isInteger(batch) && batch >= 1 && batch <= MAX_IMAGES)) return;
  throw invalid("oneOf", { field: "batch", choices: BATCH_CHOICES.join(", "), given: JSON.stringify(batch) });
}

export interface BatchFileOptions {
  cacheFolder: string;
  /** Tells checkpoints apart. */
  digest: () => Promise<string>;
  /** As the engine's. */
  threads: number;
  /** What the transformer computes in. */
  arithmetic: string;
}

export class Batches {
  readonly speeds: BatchSpeeds;
  /** The most images of a run, by choice. */
  readonly most: number;
  readonly #file: () => Promise<string | undefined>;
  #saving: Promise<void> = Promise.resolve();

  private constructor(choice: BatchChoice, options?: BatchFileOptions) {
    this.most = choice === "auto" ? MAX_IMAGES : Math.min(choice, MAX_IMAGES);
    this.speeds = new BatchSpeeds({ isForced: choice !== "auto" });
    this.#file = once(async () => {
      const file = options && (await batchFile(options));
      if (file !== undefined) this.speeds.learn(await readSpeeds(file));
      return file;
    });
  }

  /** For networks that take one image. */
  static none(): Batches {
    return new Batches(1);
  }

  /** @param options where what is found is kept @default in memory only */
  static of(choice: BatchChoice, options?: BatchFileOptions): Batches {
    return new Batches(choice, options);
  }

  /** Reads what was found before: to be called when there are several images for the first time. */
  async ready(): Promise<void> {
    // Without it, it is found out again.
    await this.#file().catch(() => {});
  }

  /** Keeps what was found; what cannot be written is measured again another time. */
  keep(): Promise<void> {
    const keep = async (): Promise<void> => {
      const file = await this.#file();
      if (file === undefined) return;
      const shapes = this.speeds.found.slice(-MAX_SHAPES);
      await writeFileAtomically(
        file,
        Buffer.from(JSON.stringify({ format: FORMAT, version: VERSION, shapes })),
      );
    };
    this.#saving = this.#saving.then(keep).catch(() => {});
    return this.#saving;
  }

  /** Waits until what is to be kept is. */
  kept(): Promise<void> {
    return this.#saving;
  }
}

/** Where the speeds of a checkpoint on this machine are kept. */
export async function batchFile({
  cacheFolder,
  digest,
  threads,
  arithmetic,
}: BatchFileOptions): Promise<string> {
  const { model, instructionSets = [], logicalCores } = await readProcessor();
  const machine = [model, instructionSets, logicalCores, process.arch, threads, await runtimeVersion()];
  const key = sha256(JSON.stringify([machine, arithmetic, await digest()]));
  return path.join(cacheFolder, "batches", `${key}.json`);
}

/** What is kept in a file; nothing if it cannot be read, or is of another version. */
export async function readSpeeds(file: string): Promise<ShapeSpeeds[]> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes === undefined ? [] : parseSpeeds(bytes);
}

export function parseSpeeds(bytes: Uint8Array): ShapeSpeeds[] {
  if (bytes.byteLength > MAX_BYTES) return [];
  const { format, version, shapes } = membersOf(bytes);
  if (format !== FORMAT || version !== VERSION || !Array.isArray(shapes)) return [];
  return shapes.map((shape) => Object(shape) as ShapeSpeeds).filter(isShape);
}

const SIZES: ReadonlySet<number> = new Set([1, ...BATCH_SIZES]);

function isShape({ shape, sizes, unequal }: ShapeSpeeds): boolean {
  if (typeof shape !== "string" || !Array.isArray(sizes) || !Array.isArray(unequal)) return false;
  const areSizes = sizes.every((one) => {
    const { size, seconds, runs } = Object(one) as ShapeSpeeds["sizes"][number];
    return SIZES.has(size) && seconds > 0 && Number.isInteger(runs) && runs > 0;
  });
  return areSizes && unequal.every((size) => SIZES.has(size as number));
}
