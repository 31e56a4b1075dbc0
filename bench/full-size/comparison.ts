/** Retouch, diffusers and stable-diffusion.cpp on the same weights, block by block. */
import { rmSync } from "node:fs";
import path from "node:path";
import { messageOf } from "../../src/index.ts";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
import { originalFluxLayout } from "../../src/models/layouts/original-flux.ts";
import { flopsPerStep, type TokenCounts } from "../../src/pipelines/flux1-kontext/components.ts";
import { inRepository } from "../../tools/paths.ts";
import { rounded } from "../../tools/statistics.ts";
import { agreementOf } from "./agreement.ts";
import { runForJson } from "./child.ts";
import { diffusersConfig } from "./diffusers-config.ts";
import { writeGguf } from "./gguf.ts";
import type { Kind, Options } from "./options.ts";
import type { KindReport, SideReport, Speed } from "./report.ts";
import { readFloats } from "./step-inputs.ts";
import type { StepAnswer, StepOrder } from "./step-process.ts";
import type { SyntheticNetwork } from "./synthetic.ts";

/** How many double and single blocks each compared network has. */
const FIRST_BLOCKS = { double: [1, 0], single: [0, 1], both: [1, 1] } as const;
type FirstBlocks = keyof typeof FIRST_BLOCKS;
const TIMED_DTYPES = ["float32", "bfloat16"];

/** What every part needs. */
export interface Bench extends Options {
  folder: string;
  inputs: string;
  tokens: TokenCounts;
  textProcess: string;
  stepProcess: string;
  python: string;
  fluxStep: string | Error;
  signal: AbortSignal;
}

/** The transformer's first blocks, each by itself and both together, beside diffusers and stable-diffusion.cpp. */
export async function compareBlocks(
  bench: Bench,
  {
    kind,
    weights,
    floats,
    blocks,
  }: { kind: Kind; weights: string; floats: string; blocks: SyntheticNetwork },
): Promise<Pick<KindReport, "blocks" | "sides">> {
  const both = withBlocks(bench.config, "both");
  const flops = flopsPerStep(both, bench.tokens);
  const { references, sides: torchSides } = await runTorch(bench, floats, flops);

  const agreements = async (name: "double" | "single"): Promise<KindReport["blocks"]["double"]> => {
    const config = withBlocks(bench.config, name);
    const [, exact] = await evaluate(bench, { config, weights: floats, isConverted: false, runs: 1 });
    const [, quantized] = await evaluate(bench, { config, weights, isConverted: true, runs: 1 });
    return {
      float32: agreementOf(exact, references[name]),
      quantized: agreementOf(quantized, references[name]),
    };
  };
  const found = { double: await agreements("double"), single: await agreements("single") };

  say(`${kind}: one block of each kind, side by side`);
  const ours = async (file: string, isConverted: boolean): Promise<SideReport> => {
    const order = { config: both, weights: file, isConverted, runs: bench.runs };
    const [{ seconds, modulation, peakBytes }, velocity] = await evaluate(bench, order);
    // The other sides compute modulation in every step.
    const times = seconds.map((taken) => taken + modulation.seconds);
    return { ...speedOf(times, flops), peakBytes, agreement: agreementOf(velocity, references.both) };
  };
  const sides: Record<string, SideReport> = {
    "Retouch, in few bits": await ours(weights, true),
    "Retouch, float32": await ours(floats, false),
    ...torchSides,
    ...(await runStableDiffusionCpp(bench, { kind, blocks, reference: references.both, flops })),
  };
  return { blocks: found, sides };
}

/** The network that an order names, evaluated by Retouch. */
export async function evaluate(
  { inputs, size, threads, folder, stepProcess, signal }: Bench,
  given: Pick<StepOrder, "config" | "weights" | "isConverted" | "runs">,
): Promise<[StepAnswer, Float32Array]> {
  const output = path.join(folder, "velocity.bin");
  const order: StepOrder = { ...given, ...size, inputs, output, threads };
  const answer = await runForJson<StepAnswer>(process.execPath, [stepProcess, JSON.stringify(order)], signal);
  return [answer, await readFloats(output)];
}

async function runTorch(
  bench: Bench,
  weights: string,
  flops: number,
): Promise<{ references: Record<FirstBlocks, Float32Array>; sides: Record<string, SideReport> }> {
  const { config, folder, size, inputs, threads, runs, python, signal } = bench;
  const outputs = Object.fromEntries(
    Object.keys(FIRST_BLOCKS).map((name) => [name, path.join(folder, `torch-${name}.bin`)]),
  ) as Record<FirstBlocks, string>;
  const order = {
    weights,
    inputs,
    config: diffusersConfig(config),
    ...size,
    threads,
    runs,
    outputs,
    timed: TIMED_DTYPES,
  };
  const script = inRepository("bench", "full-size", "torch_step.py");
  const answer = await runForJson<{ seconds: Record<string, number[]> }>(
    python,
    [script, JSON.stringify(order)],
    signal,
  );
  const sides = Object.entries(answer.seconds).map(([dtype, seconds]) => [
    `PyTorch (diffusers), ${dtype}`,
    { ...speedOf(seconds, flops), peakBytes: null },
  ]);
  return {
    references: {
      double: await readFloats(outputs.double),
      single: await readFloats(outputs.single),
      both: await readFloats(outputs.both),
    },
    sides: Object.fromEntries(sides) as Record<string, SideReport>,
  };
}

/** Runs it without and with its flash attention, which its users switch on (`--diffusion-fa`). */
async function runStableDiffusionCpp(
  bench: Bench,
  {
    kind,
    blocks,
    reference,
    flops,
  }: { kind: Kind; blocks: SyntheticNetwork; reference: Float32Array; flops: number },
): Promise<Record<string, SideReport>> {
  const { config, folder, size, threads, runs, fluxStep, inputs, signal } = bench;
  const name = `stable-diffusion.cpp, ${{ int8: "q8_0", int4: "q4_0" }[kind]}`;
  if (fluxStep instanceof Error) return { [name]: { error: fluxStep.message } };
  const gguf = path.join(folder, `${kind}.gguf`);
  const output = path.join(folder, "velocity-cpp.bin");
  const weights = new Map([...blocks.weights()].map((weight) => [weight.key, weight]));
  await writeGguf(gguf, originalFluxLayout(withBlocks(config, "both")), weights);
  const sizes = [
    config.inChannels / 4,
    size.latentSide,
    size.textTokens,
    config.promptSize,
    config.pooledSize,
  ];
  const sides: Record<string, SideReport> = {};
  for (const hasFlash of [false, true]) {
    const args = [gguf, inputs, output, ...[...sizes, threads, runs, Number(hasFlash)].map(String)];
    const side = hasFlash ? `${name}, flash attention` : name;
    try {
      const answer = await runForJson<{ seconds: number[]; peakBytes: number }>(fluxStep, args, signal);
      sides[side] = {
        ...speedOf(answer.seconds, flops),
        peakBytes: answer.peakBytes,
        agreement: agreementOf(await readFloats(output), reference),
      };
    } catch (error) {
      sides[side] = { error: messageOf(error) };
    }
  }
  if (!bench.isKept) rmSync(gguf);
  return sides;
}

export function withBlocks(config: FluxConfig, name: FirstBlocks): FluxConfig {
  const [numDoubleBlocks, numSingleBlocks] = FIRST_BLOCKS[name];
  return { ...config, numDoubleBlocks, numSingleBlocks };
}

export function speedOf(seconds: readonly number[], flops: number): Speed {
  const best = Math.min(...seconds);
  return { seconds: rounded(best), gflops: rounded(flops / best / 1e9) };
}

export function say(sentence: string): void {
  process.stderr.write(`bench: ${sentence}\n`);
}
