/** Whether runs of the transformer take several images, as it was chosen or measured on this machine, for one checkpoint. */
import { readdir, readFile } from "node:fs/promises";
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
const VERSION = 2;
const MAX_BYTES = 1 << 20;
/** Sizes of images that are remembered of a checkpoint: the latest ones. */
const MAX_SHAPES = 200;
/** Files that are looked at. */
const MAX_FILES = 1000;

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
  readonly #file: () => Promise<{ file: string; of: BatchesOf } | undefined>;
  #saving: Promise<void> = Promise.resolve();

  private constructor(choice: BatchChoice, options?: BatchFileOptions) {
    this.most = choice === "auto" ? MAX_IMAGES : Math.min(choice, MAX_IMAGES);
    this.speeds = new BatchSpeeds({ isForced: choice !== "auto" });
    this.#file = once(async () => {
      if (options === undefined) return undefined;
      const { cacheFolder, digest, arithmetic, threads } = options;
      const machine = await describeMachine(threads);
      const of = { checkpoint: await digest(), arithmetic, machine };
      const file = batchFile(cacheFolder, of);
      this.speeds.learn((await readBatches(file))?.shapes ?? []);
      return { file, of };
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
      const known = await this.#file();
      if (known === undefined) return;
      const shapes = this.speeds.found.slice(-MAX_SHAPES);
      const kept = { format: FORMAT, version: VERSION, ...known.of, shapes };
      await writeFileAtomically(known.file, Buffer.from(JSON.stringify(kept)));
    };
    this.#saving = this.#saving.then(keep).catch(() => {});
    return this.#saving;
  }

  /** Waits until what is to be kept is. */
  kept(): Promise<void> {
    return this.#saving;
  }
}

/** What the speeds are of: they hold for nothing else. */
export interface BatchesOf {
  /** Its digest. */
  checkpoint: string;
  arithmetic: string;
  /** Processor, threads and runtime, as one text. */
  machine: string;
}

/** Speeds that were kept. */
export interface KeptBatches extends BatchesOf {
  shapes: ShapeSpeeds[];
}

/** @param threads of the engine; 0 for one a core */
async function describeMachine(threads: number): Promise<string> {
  const { model, instructionSets = [], logicalCores } = await readProcessor();
  const parts = [model, instructionSets, logicalCores, process.arch, threads, await runtimeVersion()];
  return JSON.stringify(parts);
}

const folderOf = (cacheFolder: string): string => path.join(cacheFolder, "batches");

const batchFile = (cacheFolder: string, { checkpoint, arithmetic, machine }: BatchesOf): string =>
  path.join(folderOf(cacheFolder), `${sha256(JSON.stringify([machine, arithmetic, checkpoint]))}.json`);

/** What is kept in a file; undefined if it cannot be read, or is of another version. */
async function readBatches(file: string): Promise<KeptBatches | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes && parseBatches(bytes);
}

export function parseBatches(bytes: Uint8Array): KeptBatches | undefined {
  if (bytes.byteLength > MAX_BYTES) return undefined;
  const { format, version, shapes, checkpoint, arithmetic, machine } = membersOf(bytes);
  if (format !== FORMAT || version !== VERSION || !Array.isArray(shapes)) return undefined;
  if (typeof checkpoint !== "string" || typeof arithmetic !== "string" || typeof machine !== "string") {
    return undefined;
  }
  const known = shapes.map((shape) => Object(shape) as ShapeSpeeds).filter(isShape);
  return { checkpoint, arithmetic, machine, shapes: known };
}

/** What was found on this machine, whose engines took one thread a core, for one checkpoint, in each arithmetic. */
export async function keptBatches(cacheFolder: string, checkpoint: string): Promise<readonly KeptBatches[]> {
  const machine = await describeMachine(0);
  const names = await readdir(folderOf(cacheFolder)).catch(() => []);
  const read = names
    .filter((name) => name.endsWith(".json"))
    .slice(0, MAX_FILES)
    .map((name) => readBatches(path.join(folderOf(cacheFolder), name)));
  const all = (await Promise.all(read)).filter((one) => one !== undefined);
  return all
    .filter((one) => one.checkpoint === checkpoint && one.machine === machine)
    .toSorted((one, other) => (one.arithmetic < other.arithmetic ? -1 : 1));
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
