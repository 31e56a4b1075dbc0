/**
 * One evaluation of the transformer in a process of its own, so that its high-water mark is this evaluation's. Modulation
 * is loaded, run and released before the transformer loads, as an edit does it. Argument: a `StepOrder` as JSON; prints
 * a `StepAnswer` as one JSON line.
 */
import { writeFileSync } from "node:fs";
import { latentIds, textIds } from "../../src/pipelines/flux1-kontext/latents.ts";
import { packLatents, unpackLatents } from "../../src/pipelines/shared/packing.ts";
import { stacked } from "../../src/pipelines/shared/stacking.ts";
import { fluxTransformer } from "../../src/models/transformers/flux.ts";
import { type FluxConfig, ROTARY_THETA } from "../../src/models/transformers/flux-config.ts";
import { fluxModulation } from "../../src/models/transformers/flux-modulation.ts";
import { rotaryTable } from "../../src/models/transformers/rotary.ts";
import { DeviceMemory } from "../../src/runtime/device-memory.ts";
import { loadSession } from "../../src/runtime/load.ts";
import type { RuntimeOptions, Tensor, Traffic } from "../../src/runtime/session.ts";
import { type ProcessMemory, processMemory } from "./process-memory.ts";
import { fluxInputs, readStepInputs, type StepSize } from "./step-inputs.ts";
import { secondsSince, timedRun, weightsOf } from "./timed-run.ts";

export interface StepOrder extends StepSize, RuntimeOptions {
  weights: string;
  /** Whether the file is a converted one; otherwise its weights are floats. */
  isConverted: boolean;
  /** The network that is evaluated; it may have fewer blocks than the file. */
  config: FluxConfig;
  inputs: string;
  /** Where the velocity is written, [C, h, w]. */
  output: string;
  runs: number;
}

/** Memory as of the end of the last run. */
export interface StepAnswer extends ProcessMemory {
  modulation: { loadSeconds: number; seconds: number; cpuSeconds: number };
  loadSeconds: number;
  /** One per run of the transformer. */
  seconds: number[];
  /** The processor's, one per run. */
  cpuSeconds: number[];
  /** What travels to a device and back in one run. */
  bytes: Traffic;
}

const order = JSON.parse(process.argv[2]!) as StepOrder;
const { config, latentSide, textTokens, threads, device, computeType } = order;
const channels = config.inChannels / 4;
const grid = { width: latentSide, height: latentSide };

const weights = await weightsOf("transformer", order.weights, order.isConverted);
const inputs = await readStepInputs(order.inputs, fluxInputs(config), order);

const [modulation, modulationTimes] = await computeModulation();
const started = performance.now();
const graph = fluxTransformer(config, weights.scope(), { textLength: textTokens, computeType });
const bytes = { up: 0, down: 0, held: 0 };
const transformer = await loadSession(graph, weights, { threads, device, traffic: bytes });
const loadSeconds = secondsSince(started);

const ids = [textIds(textTokens), latentIds(grid, 0), latentIds(grid, 1)];
const rotary = rotaryTable(Float32Array.from(ids.flatMap((part) => Array.from(part))), {
  axes: config.rotaryAxes,
  theta: ROTARY_THETA,
});
const rotaryShape = [rotary.cos.length / (config.headSize / 2), config.headSize / 2];
const memory = await DeviceMemory.open({ threads, device });
const held = await memory.hold(
  stacked([
    {
      referenceLatents: tokens(inputs.referenceLatents),
      promptEmbeds: { data: inputs.promptEmbeds, shape: [textTokens, config.promptSize] },
      modulation: { data: modulation, shape: [1, modulation.length] },
      rotaryCos: { data: rotary.cos, shape: rotaryShape },
      rotarySin: { data: rotary.sin, shape: rotaryShape },
    },
  ]),
);
const { latents } = stacked([{ latents: tokens(inputs.latents) }]);
const [seconds, cpuSeconds]: [number[], number[]] = [[], []];
for (let run = 0; run < order.runs; run += 1) {
  Object.assign(bytes, { up: 0, down: 0, held: 0 });
  const [velocity, taken, cpuTaken] = await timedRun(transformer, { ...held, latents: latents! }, "velocity");
  seconds.push(taken);
  cpuSeconds.push(cpuTaken);
  writeFileSync(order.output, unpackLatents(velocity, channels, grid));
}
const answer: StepAnswer = {
  modulation: modulationTimes,
  loadSeconds,
  seconds,
  cpuSeconds,
  bytes,
  ...processMemory(),
};
process.stdout.write(`${JSON.stringify(answer)}\n`);

async function computeModulation(): Promise<[Float32Array, StepAnswer["modulation"]]> {
  const loadStarted = performance.now();
  const layers = fluxModulation(config, weights.scope());
  const session = await loadSession(layers, weights, { threads, device });
  const loaded = secondsSince(loadStarted);
  const [vectors, taken, cpuTaken] = await timedRun(
    session,
    {
      sigmas: { data: Float32Array.of(inputs.sigma), shape: [1] },
      pooledPromptEmbeds: { data: inputs.pooledPromptEmbeds, shape: [1, config.pooledSize] },
      ...(config.hasGuidance && { guidance: { data: Float32Array.of(inputs.guidance), shape: [1] } }),
    },
    "modulation",
  );
  await session.dispose();
  return [vectors, { loadSeconds: loaded, seconds: taken, cpuSeconds: cpuTaken }];
}

function tokens(latents: Float32Array): Tensor {
  return { data: packLatents(latents, channels, grid), shape: [(latentSide / 2) ** 2, config.inChannels] };
}
