/**
 * Peak memory of one network, beside what the memory plan says. Prints {"plannedBytes", "measuredBytes"} as JSON: how far
 * loading it and running it once raises the high-water mark of the process, pages of its files included.
 * Usage: node scripts/run-ts.mjs bench/network-memory.ts tiny|wide transformer|t5|encoder|decoder [KIND [SIDE]]
 * `tiny` is the shipped checkpoint, `wide` a random one with broad layers; KIND is the kind of the weights of transformer
 * and T5, fp32 by default; SIDE is that of the images, in pixels.
 *
 * One process makes and converts the weights, another, which gets the FOLDER that has them, measures: otherwise memory
 * that the conversion frees would be reused by the network and not counted, up to a quarter of what it needs.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ComponentDefinition, WeightsKind } from "../src/engine/component.ts";
import { squareEdit } from "../src/engine/extent.ts";
import { planMemory } from "../src/engine/memory-plan.ts";
import { requestedWeights } from "../src/models/count.ts";
import { type KontextConfigs, planKontext } from "../src/pipelines/flux1-kontext/components.ts";
import { PUBLISHED_CONFIGS } from "../src/pipelines/flux1-kontext/published.ts";
import { readAutoencoderConfig } from "../src/models/autoencoders/autoencoder-config.ts";
import { positionBuckets } from "../src/models/text-encoders/t5.ts";
import { readFluxConfig } from "../src/models/transformers/flux-config.ts";
import { modulationSize } from "../src/models/transformers/flux-modulation.ts";
import { buildModel, input } from "../src/onnx/graph.ts";
import { relu } from "../src/onnx/ops.ts";
import { preparedWeights } from "../src/quantize/prepare.ts";
import { loadSession } from "../src/runtime/load.ts";
import { Session, type Tensor } from "../src/runtime/session.ts";
import { Checkpoint } from "../src/weights/checkpoint.ts";
import { readSafetensorsHeader } from "../src/weights/safetensors.ts";
import { elements } from "../src/weights/tensor-file.ts";
import { WeightSet } from "../src/weights/weight-set.ts";
import { writeFloats } from "./full-size/weight-file.ts";
import { statusBytes } from "./memory.ts";
import { inRepository } from "../tools/paths.ts";

type Measured = "t5" | "encoder" | "transformer" | "decoder";

const DEFAULT_SIDE = "384";
const RANDOM = "random.safetensors";
const WIDE: KontextConfigs = {
  ...PUBLISHED_CONFIGS,
  flux: { ...PUBLISHED_CONFIGS.flux, numDoubleBlocks: 1, numSingleBlocks: 2, numHeads: 6, promptSize: 768 },
  autoencoder: { ...PUBLISHED_CONFIGS.autoencoder, widths: [32, 64, 128, 128] },
  t5: {
    ...PUBLISHED_CONFIGS.t5,
    width: 768,
    numHeads: 12,
    mlpWidth: 2048,
    numLayers: 3,
    vocabularySize: 2000,
  },
};

const componentOf = (name: Measured, configs: KontextConfigs): ComponentDefinition =>
  planKontext(configs).components.find((component) => component.name === name)!;

function inputsOf(
  name: Measured,
  { flux, autoencoder, t5, t5Length }: KontextConfigs,
  side: number,
): Record<string, Tensor> {
  const numbers = (...shape: number[]): Tensor => {
    const length = shape.reduce((size, dim) => size * dim, 1);
    return { data: Float32Array.from({ length }, (_, index) => Math.sin(index)), shape };
  };
  const cells = side / autoencoder.scaleFactor;
  if (name === "encoder") return { pixels: numbers(1, 3, side, side) };
  if (name === "decoder") return { latents: numbers(1, autoencoder.latentChannels, cells, cells) };
  if (name === "t5") {
    return {
      tokenIds: { data: new BigInt64Array(t5Length), shape: [t5Length] },
      positionBuckets: { data: positionBuckets(t5, t5Length), shape: [1, t5Length, t5Length] },
    };
  }
  const tokens = (cells / 2) ** 2;
  const rotary = numbers(1, t5Length + 2 * tokens, flux.headSize / 2);
  const width = flux.numHeads * flux.headSize;
  return {
    latents: numbers(1, tokens, flux.inChannels),
    referenceStates: numbers(1, tokens, width),
    textStates: numbers(1, t5Length, width),
    modulation: numbers(1, 1, modulationSize(flux)),
    rotaryCos: rotary,
    rotarySin: rotary,
  };
}

/** Writes random weights of the shapes that a network asks for. */
async function writeRandomWeights(name: Measured, sizes: KontextConfigs, file: string): Promise<void> {
  const weights = requestedWeights((scope) => componentOf(name, sizes).build(scope));
  const random = [...weights].map(([key, { shape }]) => {
    const rowLength = elements(shape.slice(1));
    const rows = (from: number, to: number): Promise<Float32Array> =>
      Promise.resolve(
        Float32Array.from({ length: (to - from) * rowLength }, () => (Math.random() - 0.5) / 16),
      );
    return { key, shape, rows };
  });
  await writeFloats(file, random);
}

async function shippedWeights(name: Measured): Promise<{ sizes: KontextConfigs; weights: WeightSet }> {
  const checkpoint = await Checkpoint.open(inRepository("checkpoints", "tiny"));
  const flux = readFluxConfig(await checkpoint.config("transformer/config.json"));
  const autoencoder = readAutoencoderConfig(await checkpoint.config("vae/config.json"));
  const weights = await checkpoint.weights(name === "transformer" ? "transformer" : "vae");
  return { sizes: { ...WIDE, flux, autoencoder }, weights };
}

/** The weights in `kind`; converted ones are kept in the folder and reused. */
async function weightsIn(folder: string): Promise<{ sizes: KontextConfigs; weights: WeightSet }> {
  const { sizes, weights } =
    checkpoint === "tiny"
      ? await shippedWeights(name)
      : { sizes: WIDE, weights: new WeightSet(name, await readSafetensorsHeader(path.join(folder, RANDOM))) };
  const isConverted = name === "transformer" || name === "t5";
  return { sizes, weights: isConverted ? await preparedWeights(name, weights, kind, { folder }) : weights };
}

/** Loads the runtime's library, which counts for the process and not for a network. */
async function warmUp(folder: string): Promise<void> {
  const model = buildModel("warm-up", { y: relu(input("x", "float32", [1])) });
  const session = await Session.load(model, { name: "warm-up", weightsFolder: folder, threads: 2 });
  await session.run({ x: { data: Float32Array.of(1), shape: [1] } });
  await session.dispose();
}

/** Makes the weights and starts another process that measures. */
async function prepare(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-"));
  try {
    if (checkpoint === "wide") await writeRandomWeights(name, WIDE, path.join(folder, RANDOM));
    await weightsIn(folder);
    const measured = [checkpoint, name, kind, sideText, folder];
    execFileSync(process.execPath, [...process.execArgv, process.argv[1]!, ...measured], {
      stdio: "inherit",
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(folder: string): Promise<void> {
  const side = Number(sideText);
  const edit = { ...squareEdit(side), numSteps: 1 };
  const { sizes, weights } = await weightsIn(folder);
  const { components } = planMemory(planKontext(sizes), kind, edit, Infinity);
  const { privateBytes, mappedBytes, workingBytes } = components[name]!;
  await warmUp(folder);
  // This resets the mark (proc(5)), because loading the program raised it too.
  await writeFile("/proc/self/clear_refs", "5");
  const before = statusBytes("self", "VmRSS")!;
  const session = await loadSession(componentOf(name, sizes).build(weights.scope()), weights, { threads: 2 });
  await session.run(inputsOf(name, sizes, side));
  const measuredBytes = statusBytes("self", "VmHWM")! - before;
  console.log(JSON.stringify({ plannedBytes: privateBytes + mappedBytes + workingBytes, measuredBytes }));
}

const [checkpoint, name, kind = "fp32", sideText = DEFAULT_SIDE, made] = process.argv.slice(2) as [
  "tiny" | "wide",
  Measured,
  WeightsKind?,
  string?,
  string?,
];
await (made === undefined ? prepare() : measure(made));
