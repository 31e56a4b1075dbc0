/**
 * Peak memory of one network of FLUX.2 [klein], beside what the memory plan says. Prints {"plannedBytes",
 * "measuredBytes", "workingBytes"} as JSON: how far loading it and running it once raises the high-water mark of the
 * process, pages of its files included; the last is the planned part that only its run takes.
 * Usage: node scripts/run-ts.mjs test/support/klein-memory.ts transformer|cached|references|qwen3 KIND SIDE TEXT
 * The network is a random one with broad layers, in the proportions of the published ones; SIDE is that of the images, in
 * pixels, and TEXT the number of the text's tokens.
 *
 * One process makes and converts the weights, another, which gets the FOLDER that has them, measures, as in
 * `bench/network-memory.ts`.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { writeFloats } from "../../bench/full-size/weight-file.ts";
import { statusBytes } from "../../bench/memory.ts";
import type { ComponentDefinition, WeightsKind } from "../../src/engine/component.ts";
import { type EditExtent, squareEdit } from "../../src/engine/extent.ts";
import { planMemory } from "../../src/engine/memory-plan.ts";
import { requestedWeights } from "../../src/models/count.ts";
import { qwen3Inputs } from "../../src/models/text-encoders/qwen3.ts";
import { widthOf } from "../../src/models/transformers/flux2-config.ts";
import { flux2ModulationSize } from "../../src/models/transformers/flux2-modulation.ts";
import { referenceNames } from "../../src/models/transformers/flux2-references.ts";
import { buildModel, input } from "../../src/onnx/graph.ts";
import { relu } from "../../src/onnx/ops.ts";
import { type KleinConfigs, planKlein } from "../../src/pipelines/flux2-klein/components.ts";
import { PUBLISHED_KLEIN_CONFIGS } from "../../src/pipelines/flux2-klein/published.ts";
import { preparedWeights } from "../../src/quantize/prepare.ts";
import { loadSession } from "../../src/runtime/load.ts";
import { Session, type Tensor } from "../../src/runtime/session.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { elements } from "../../src/weights/tensor-file.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";

/** The forms of the networks that are measured; `cached` is the transformer whose references are kept. */
type Measured = "transformer" | "cached" | "references" | "qwen3";

const WEIGHTS_FILE = "random.safetensors";
const [name, kind, side, text, made] = process.argv.slice(2) as [
  Measured,
  WeightsKind,
  string,
  string,
  string?,
];
const edit: EditExtent = { ...squareEdit(Number(side)), numSteps: 1, textLength: Number(text) };

const { transformer, qwen3 } = PUBLISHED_KLEIN_CONFIGS;
const WIDE: KleinConfigs = {
  ...PUBLISHED_KLEIN_CONFIGS,
  transformer: { ...transformer, numDoubleBlocks: 1, numSingleBlocks: 2, numHeads: 6, promptSize: 3 * 256 },
  qwen3: { ...qwen3, width: 384, mlpWidth: 1536, numHeads: 6, numKeyHeads: 2, vocabularySize: 2000 },
  areReferencesKept: name === "cached" || name === "references",
};
const plan = planKlein(WIDE);
const componentName = name === "cached" ? "transformer" : name;
const component: ComponentDefinition = plan.components.find((one) => one.name === componentName)!;

const numbers = (...shape: number[]): Tensor => ({
  data: Float32Array.from({ length: elements(shape) }, (_, index) => Math.sin(index)),
  shape,
});

function inputs(): Record<string, Tensor> {
  const { transformer: config, autoencoder } = WIDE;
  const numText = edit.textLength!;
  if (name === "qwen3") {
    const ids = Array.from({ length: numText }, (_, index) => index % 2000);
    return qwen3Inputs(WIDE.qwen3, ids, numText);
  }
  const tokens = (edit.target.width / autoencoder.scaleFactor / 2) ** 2;
  const rotary = (count: number): Record<"rotaryCos" | "rotarySin", Tensor> => {
    const table = numbers(1, count, config.headSize / 2);
    return { rotaryCos: table, rotarySin: table };
  };
  const latents = numbers(tokens, config.inChannels);
  const modulation = numbers(flux2ModulationSize(config));
  if (name === "references") return { referenceLatents: latents, modulation, ...rotary(tokens) };
  const common = { latents, textStates: numbers(numText, widthOf(config)), modulation };
  if (name === "transformer") {
    const referenceStates = numbers(tokens, widthOf(config));
    return { ...common, referenceStates, ...rotary(numText + 2 * tokens) };
  }
  const kept = referenceNames(config).flatMap(({ key, value }) =>
    [key, value].map((each) => [each, numbers(tokens, widthOf(config))] as const),
  );
  return { ...common, ...rotary(numText + tokens), ...Object.fromEntries(kept) };
}

/** The weights in `kind`; converted ones are kept in the folder and reused. */
async function weightsIn(folder: string): Promise<WeightSet> {
  const weights = new WeightSet(name, await readSafetensorsHeader(path.join(folder, WEIGHTS_FILE)));
  return preparedWeights(name, weights, kind, { folder });
}

/** Makes random weights and starts another process that measures. */
async function prepare(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-"));
  try {
    const requested = requestedWeights((scope) => component.build(scope));
    const random = Array.from(requested, ([key, { shape }]) => {
      const rowLength = elements(shape.slice(1));
      const rows = async (from: number, to: number): Promise<Float32Array> =>
        Float32Array.from({ length: (to - from) * rowLength }, () => (Math.random() - 0.5) / 16);
      return { key, shape, rows };
    });
    await writeFloats(path.join(folder, WEIGHTS_FILE), random);
    await weightsIn(folder);
    const program = [...process.execArgv, process.argv[1]!, name, kind, side, text, folder];
    execFileSync(process.execPath, program, { stdio: "inherit" });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Loads the runtime's library, which counts for the process and not for a network. */
async function warmUp(folder: string): Promise<void> {
  const model = buildModel("warm-up", { y: relu(input("x", "float32", [1])) });
  const session = await Session.load(model, { name: "warm-up", weightsFolder: folder, threads: 2 });
  await session.run({ x: { data: Float32Array.of(1), shape: [1] } });
  await session.dispose();
}

async function measure(folder: string): Promise<void> {
  const weights = await weightsIn(folder);
  const needs = planMemory(plan, kind, edit, Infinity).components[componentName]!;
  const { privateBytes, mappedBytes, workingBytes } = needs;
  const given = inputs();
  await warmUp(folder);
  // This resets the mark (proc(5)), because loading the program raised it too.
  await writeFile("/proc/self/clear_refs", "5");
  const before = statusBytes("self", "VmRSS")!;
  const session = await loadSession(component.build(weights.scope()), weights, { threads: 2 });
  await session.run(given);
  const measuredBytes = statusBytes("self", "VmHWM")! - before;
  const plannedBytes = privateBytes + mappedBytes + workingBytes;
  console.log(JSON.stringify({ plannedBytes, measuredBytes, workingBytes }));
}

await (made === undefined ? prepare() : measure(made));
