/** The transformer by Retouch, by diffusers and by stable-diffusion.cpp, on one set of inputs. */
import { rmSync } from "node:fs";
import path from "node:path";
import { messageOf } from "../../src/index.ts";
import { originalFlux2Layout } from "../../src/models/layouts/original-flux2.ts";
import { readFlux2Config } from "../../src/models/transformers/flux2-config.ts";
import { Config } from "../../src/weights/config.ts";
import { runForJson } from "../full-size/child.ts";
import { writeGguf } from "../full-size/gguf.ts";
import { FORMATS, type Kind } from "../full-size/options.ts";
import { readFloats, writeStepInputs } from "../full-size/step-inputs.ts";
import { type Bench, type Evaluated, fileIn, type Run, runProgram, runTorch } from "./bench.ts";
import { kleinInputs } from "./inputs.ts";
import { syntheticNetwork } from "./networks.ts";
import type { StepAnswer } from "./step-process.ts";

/** A network of the benchmark: its configuration, which may have fewer blocks than the file of its weights. */
export interface TransformerOrder {
  fields: Readonly<Record<string, unknown>>;
  runs: number;
}

const inputsOf = (bench: Bench): string => fileIn(bench, "inputs.bin");

/** Writes the inputs of all sides. */
export const writeInputs = (bench: Bench): Promise<void> =>
  writeStepInputs(inputsOf(bench), kleinInputs(bench.sizes.transformer), bench.size);

/** @param weights a converted file, or one of floats */
export async function runRetouch(
  bench: Bench,
  { fields, runs }: TransformerOrder,
  weights: { file: string; isConverted: boolean },
): Promise<Evaluated> {
  const output = fileIn(bench, "velocity.bin");
  const { size, threads } = bench;
  const { file, isConverted } = weights;
  const order = {
    ...size,
    weights: file,
    isConverted,
    fields,
    inputs: inputsOf(bench),
    output,
    runs,
    threads,
  };
  const answer = await runProgram<StepAnswer>(bench, "step-process.ts", order);
  return { ...answer, output: await readFloats(output) };
}

export async function runDiffusers(
  bench: Bench,
  { fields, runs }: TransformerOrder,
  { weights, dtype }: { weights: string; dtype: "float32" | "bfloat16" },
): Promise<Evaluated> {
  const output = fileIn(bench, "velocity-torch.bin");
  const { size, threads } = bench;
  const order = { ...size, weights, dtype, config: fields, inputs: inputsOf(bench), output, runs, threads };
  const answer = await runTorch(bench, "transformer", order);
  return { ...answer, output: await readFloats(output) };
}

export type CppReport = Evaluated | { error: string };

/** The names of stable-diffusion.cpp's formats. */
const GGML_TYPES = { int8: "q8_0", int4: "q4_0" } as const;
export const cppName = (kind: Kind): string => `stable-diffusion.cpp, ${GGML_TYPES[kind]}`;

/** Runs it without and with its flash attention, which its users switch on (`--diffusion-fa`). */
export async function runStableDiffusionCpp(
  bench: Bench,
  { fields, runs }: TransformerOrder,
  kind: Kind,
): Promise<Record<string, CppReport>> {
  const { fluxStep, size, threads, signal } = bench;
  const name = cppName(kind);
  if (fluxStep instanceof Error) return { [name]: { error: fluxStep.message } };
  const config = readFlux2Config(new Config("transformer/config.json", fields));
  const gguf = fileIn(bench, `${kind}.gguf`);
  const source = syntheticNetwork("transformer", { ...bench.sizes, transformer: config });
  const weights = new Map([...source.weights()].map((weight) => [weight.key, weight]));
  await writeGguf(gguf, originalFlux2Layout(config), weights, { bits: FORMATS[kind].bits });
  const output = path.join(bench.folder, "velocity-cpp.bin");
  const { channels, promptSize, pooledSize } = kleinInputs(config);
  const sizes = [channels, size.latentSide, size.textTokens, promptSize, pooledSize, threads, runs];
  const found: Record<string, CppReport> = {};
  for (const hasFlash of [false, true]) {
    const args = [gguf, inputsOf(bench), output, ...[...sizes, Number(hasFlash)].map(String)];
    const side = hasFlash ? `${name}, flash attention` : name;
    try {
      const answer = await runForJson<Run>(fluxStep, args, signal);
      found[side] = { ...answer, output: await readFloats(output) };
    } catch (error) {
      found[side] = { error: messageOf(error) };
    }
  }
  rmSync(gguf);
  return found;
}
