/**
 * Which edit it is, on which checkpoint, and what computes it: an interrupted edit goes on only from a state of itself,
 * and gives the bytes of an undisturbed run only where the same things compute it.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ChosenLoras } from "../lora/registry.ts";
import { readProcessor } from "../machine/processor.ts";
import { sourceOf, type StoredWeights } from "../quantize/prepare.ts";
import { runtimeVersion } from "../runtime/onnxruntime.ts";
import type { ReuseBudget } from "../sampling/reuse.ts";
import { version } from "../version.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { STEPS_FILE } from "./auto-steps.ts";
import type { ChosenDevice } from "./choose-device.ts";
import { CARD_FILE } from "./model-card.ts";
import { type EditRequest, imagesOf, type ResolvedRequest } from "./request.ts";
import type { Environment } from "./state-file.ts";

/** The folders whose code makes the picture. */
const CODE = [
  "engine",
  "images",
  "lora",
  "models",
  "onnx",
  "pipelines",
  "preserve",
  "quantize",
  "runtime",
  "sampling",
  "tokenizers",
  "weights",
];
/** Read from the middle of every stored tensor: another training changes nearly every number. */
const SAMPLE_BYTES = 1024;
/** Configurations and vocabularies; the largest published one has 2.4 MB. */
const SMALL_FILE = /\.(?:json|txt|model)$/;
/** What is said or was measured of a checkpoint is none of it: what else was measured of it stays valid. */
export const ABOUT: ReadonlySet<string> = new Set([STEPS_FILE, CARD_FILE]);
const MAX_SMALL_FILE_BYTES = 32 * 2 ** 20;
/** Reads in one turn of the event loop. */
const SLICE = 16;

/** The tensors of a request. */
export const TENSORS = [
  "promptEmbeds",
  "pooledPromptEmbeds",
  "negativePromptEmbeds",
  "negativePooledPromptEmbeds",
  "latents",
] as const satisfies readonly (keyof EditRequest)[];

/** What an edit is made with, besides its request. */
interface EditBasis {
  loras: ChosenLoras;
  /** Digest of it. */
  checkpoint: string;
  /** How much error reused steps may make, if any are reused. */
  reuse?: ReuseBudget | undefined;
}

/** Everything that determines the picture of an edit, in one digest. */
export async function editDigest(
  resolved: ResolvedRequest,
  {
    image,
    images,
    mask,
    ...request
  }: Pick<EditRequest, "image" | "images" | "mask" | (typeof TENSORS)[number]>,
  { loras, checkpoint, reuse }: EditBasis,
): Promise<string> {
  // States of earlier versions are of one result, and know neither layout nor sampler, as `auto` and `euler` are.
  const { numImages: several, imageLayout, acceleration: _, minPsnr: __, sampler: named, ...rest } = resolved;
  const numImages = several === 1 ? undefined : several;
  const sampler = named === "euler" ? undefined : named;
  const layout = imageLayout === "auto" ? undefined : imageLayout;
  const facts: unknown[] = [
    { ...rest, imageLayout: layout, sampler, numImages },
    checkpoint,
    await loras.digests(),
  ];
  // What counts of an acceleration is what its calibration makes of it.
  if (reuse) facts.push(reuse);
  const hash = createHash("sha256").update(JSON.stringify(facts));
  for (const name of TENSORS) {
    const tensor = request[name];
    if (tensor === undefined) continue;
    const { buffer, byteOffset, byteLength } = tensor.data;
    hash.update(`\n${name} ${byteLength}\n`).update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  for (const bytes of [...imagesOf({ image, images }), ...(mask === undefined ? [] : [mask])]) {
    hash.update(`\n${bytes.byteLength}\n`).update(bytes);
  }
  return hash.update(mask === undefined ? "" : "\nmask").digest("hex");
}

/**
 * A checkpoint's configurations, the names and shapes of its weights, and a sample of each: some thousand short reads,
 * where hashing gigabytes would take minutes.
 */
export async function checkpointDigest(
  folder: string,
  stored: Readonly<Record<string, StoredWeights>>,
): Promise<string> {
  const hash = createHash("sha256");
  await hashSmallFiles(hash, folder);
  for (const [name, weights] of Object.entries(stored)) {
    hash.update(`\n${name}\n`);
    if (weights instanceof WeightSet) await hashStored(hash, weights);
    else await hashSource(hash, weights);
  }
  return hash.digest("hex");
}

async function hashSmallFiles(hash: Hash, folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const inner = await Promise.all(
    entries
      .filter((entry) => !SMALL_FILE.test(entry.name))
      // A file has no names in it.
      .map(async ({ name }) =>
        (await readdir(path.join(folder, name)).catch(() => [])).map((file) => path.join(name, file)),
      ),
  );
  const names = [...entries.map(({ name }) => name), ...inner.flat()].filter(
    (name) => SMALL_FILE.test(name) && !ABOUT.has(name),
  );
  await hashFiles(hash, folder, names);
}

/** Hashes names and contents; leaves out what is no file or too large. */
async function hashFiles(hash: Hash, folder: string, names: readonly string[]): Promise<void> {
  await inSlices(names.toSorted(), (name) => {
    const file = path.join(folder, name);
    const found = statSync(file);
    if (!found.isFile() || found.size > MAX_SMALL_FILE_BYTES) return;
    hash.update(`\n${name.split(path.sep).join("/")} ${found.size}\n`).update(readFileSync(file));
  });
}

async function hashStored(hash: Hash, weights: WeightSet): Promise<void> {
  const samples = [...weights.entries()].toSorted(byKey).flatMap(([key, weight]) => {
    if ("blocks" in weight) throw new Error(`${weights.name}: ${key} is in few bits already.`);
    return ("parts" in weight ? weight.parts : [weight]).map((part) => ({ key, part }));
  });
  const handles = new Map<string, number>();
  try {
    for (const { part } of samples) {
      if (!handles.has(part.file)) handles.set(part.file, openSync(part.file, "r"));
    }
    await inSlices(samples, ({ key, part }) => {
      const sample = Buffer.alloc(Math.min(SAMPLE_BYTES, part.byteLength));
      const position = part.byteOffset + Math.floor((part.byteLength - sample.length) / 2);
      readSync(handles.get(part.file)!, sample, 0, sample.length, position);
      hash.update(JSON.stringify([key, part.storedType, part.shape])).update(sample);
    });
  } finally {
    for (const handle of handles.values()) closeSync(handle);
  }
}

/** Does many short reads on this thread, some hundred times as fast as by others, and lets messages in between. */
async function inSlices<Item>(items: readonly Item[], work: (item: Item) => void): Promise<void> {
  for (const [index, item] of items.entries()) {
    work(item);
    if (index % SLICE === SLICE - 1) await setImmediate();
  }
}

async function hashSource(hash: Hash, weights: Exclude<StoredWeights, WeightSet>): Promise<void> {
  for (const { key, shape, rows } of sourceOf(weights).weights()) {
    const middle = Math.floor((shape[0] ?? 1) / 2);
    hash.update(JSON.stringify([key, shape])).update(await rows(middle, middle + 1));
  }
}

const byKey = ([one]: [string, unknown], [other]: [string, unknown]): number => (one < other ? -1 : 1);

/** Of the graphs of all networks. */
export function graphDigest(graphs: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const graph of graphs) hash.update(`${graph.byteLength}\n`).update(graph);
  return hash.digest("hex");
}

/**
 * This build, and the machine and settings that it computes with; tiles may differ from edit to edit. The number of threads
 * is left out: the runtime divides the rows and columns of a product among them, never its sums (test/engine/resume.test.ts).
 */
export async function readEnvironment(
  { name, computeType, forms }: Pick<ChosenDevice, "name" | "computeType" | "forms">,
  weights: string,
): Promise<Omit<Environment, "tiles">> {
  const { model, instructionSets = [] } = await readProcessor();
  return {
    build: `${version} ${await codeDigest()}`,
    runtime: `onnxruntime ${await runtimeVersion()}, Node ${process.version}`,
    device: [name, computeType, forms?.attention ?? []].flat().join(" "),
    processor: [model, ...instructionSets].join(" "),
    weights,
  };
}

/** Of the program itself, compiled or not: two builds may have one version. */
async function codeDigest(): Promise<string> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const hash = createHash("sha256");
  const names = await Promise.all(
    CODE.map(async (folder) =>
      (await readdir(path.join(root, folder), { recursive: true }))
        .filter((name) => /\.[jt]s$/.test(name) && !name.endsWith(".d.ts"))
        .map((name) => path.join(folder, name)),
    ),
  );
  await hashFiles(hash, root, names.flat());
  return hash.digest("hex").slice(0, 16);
}
