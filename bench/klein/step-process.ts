/**
 * Evaluations of klein's transformer in a process of its own, so that its high-water mark is theirs. Modulation is loaded,
 * run and released before the transformer loads, as an edit does it. Argument: a `StepOrder` as JSON; prints a
 * `StepAnswer` as one JSON line.
 */
import { writeFileSync } from "node:fs";
import { flux2Modulation } from "../../src/models/transformers/flux2-modulation.ts";
import { flux2Transformer } from "../../src/models/transformers/flux2.ts";
import { readFlux2Config } from "../../src/models/transformers/flux2-config.ts";
import { rotaryTable } from "../../src/models/transformers/rotary.ts";
import { referenceIds, targetIds, textIds } from "../../src/pipelines/flux2-klein/positions.ts";
import { planesToTokens, tokensToPlanes } from "../../src/pipelines/shared/packing.ts";
import { loadSession } from "../../src/runtime/load.ts";
import type { RuntimeOptions, Tensor } from "../../src/runtime/session.ts";
import { Config } from "../../src/weights/config.ts";
import { type ProcessMemory, processMemory } from "../full-size/process-memory.ts";
import { readStepInputs, type StepSize } from "../full-size/step-inputs.ts";
import { secondsSince, timedRun, weightsOf } from "../full-size/timed-run.ts";
import { kleinInputs } from "./inputs.ts";

export interface StepOrder extends StepSize, RuntimeOptions {
  weights: string;
  /** Whether the file is a converted one; otherwise its weights are floats. */
  isConverted: boolean;
  /** `transformer/config.json`; the network may have fewer blocks than the file. */
  fields: Readonly<Record<string, unknown>>;
  inputs: string;
  /** Where the velocity is written, [C, h, w]. */
  output: string;
  runs: number;
}

/** Memory as of the end of the last run. */
export interface StepAnswer extends ProcessMemory {
  loadSeconds: number;
  /** One per run of the transformer. */
  seconds: number[];
}

const order = JSON.parse(process.argv[2]!) as StepOrder;
const { latentSide, textTokens, threads, runs } = order;
const config = readFlux2Config(new Config("transformer/config.json", order.fields));
const weights = await weightsOf("transformer", order.weights, order.isConverted);
const inputs = await readStepInputs(order.inputs, kleinInputs(config), order);

const modulation = await computeModulation();
const started = performance.now();
const graph = flux2Transformer(config, weights.scope(), { textLength: textTokens });
const transformer = await loadSession(graph, weights, { threads });
const loadSeconds = secondsSince(started);
const feeds = feedsOf();
const seconds: number[] = [];
for (let run = 0; run < runs; run += 1) {
  const [velocity, taken] = await timedRun(transformer, feeds, "velocity");
  seconds.push(taken);
  writeFileSync(order.output, tokensToPlanes(velocity, config.outChannels));
}
const answer: StepAnswer = { loadSeconds, seconds, ...processMemory() };
process.stdout.write(`${JSON.stringify(answer)}\n`);

async function computeModulation(): Promise<Float32Array> {
  const layers = flux2Modulation(config, weights.scope(), { isGuided: false });
  const session = await loadSession(layers, weights, { threads });
  const sigmas = { data: Float32Array.of(inputs.sigma), shape: [1] };
  const [vectors] = await timedRun(session, { sigmas }, "modulation");
  await session.dispose();
  return vectors;
}

function feedsOf(): Record<string, Tensor> {
  // A token covers 2 x 2 cells of the autoencoder's latents, in which these grids are counted.
  const grid = { width: 2 * latentSide, height: 2 * latentSide };
  const ids = [textIds(textTokens), targetIds(grid), referenceIds(grid, 0)];
  const rotary = rotaryTable(Float32Array.from(ids.flatMap((part) => Array.from(part))), {
    axes: config.rotaryAxes,
    theta: config.rotaryTheta,
  });
  const shape = [1, textTokens + 2 * latentSide ** 2, config.headSize / 2];
  const tokens = (latents: Float32Array): Tensor => ({
    data: planesToTokens(latents, config.inChannels),
    shape: [latentSide ** 2, config.inChannels],
  });
  return {
    latents: tokens(inputs.latents),
    referenceLatents: tokens(inputs.referenceLatents),
    promptEmbeds: { data: inputs.promptEmbeds, shape: [textTokens, config.promptSize] },
    modulation: { data: modulation, shape: [modulation.length] },
    rotaryCos: { data: rotary.cos, shape },
    rotarySin: { data: rotary.sin, shape },
  };
}
