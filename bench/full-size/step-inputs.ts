/** The inputs of one denoising step: seeded noise instead of an edit's latents and the outputs of the text encoders. */
import { readFile, writeFile } from "node:fs/promises";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
import { randomNormal } from "../../src/sampling/random.ts";

/** Sizes of a step. */
export interface StepSize {
  /** Height and width of the latent grids of target and reference; a token of FLUX.1 covers 2 x 2 of its cells. */
  latentSide: number;
  textTokens: number;
}

/** How many numbers a cell of the latents, a token of the text and the pooled text have. */
export interface InputSizes {
  channels: number;
  promptSize: number;
  /** 0 for a network without pooled text. */
  pooledSize: number;
}

export const fluxInputs = ({ inChannels, promptSize, pooledSize }: FluxConfig): InputSizes => ({
  channels: inChannels / 4,
  promptSize,
  pooledSize,
});

export interface StepInputs {
  /** [C, h, w], as the autoencoder returns them. */
  latents: Float32Array;
  referenceLatents: Float32Array;
  /** [tokens, promptSize] */
  promptEmbeds: Float32Array;
  /** [pooledSize] */
  pooledPromptEmbeds: Float32Array;
  sigma: number;
  guidance: number;
}

const SEED = 12;
const SIGMA = 0.7;
const GUIDANCE = 2.5;
/** T5's outputs are smaller than the latents. */
const PROMPT_DEVIATION = 0.2;

function lengthsOf(sizes: InputSizes, { latentSide, textTokens }: StepSize): number[] {
  const latents = sizes.channels * latentSide ** 2;
  return [latents, latents, textTokens * sizes.promptSize, sizes.pooledSize];
}

/** Writes the inputs as float32 numbers in the order of `StepInputs`, for every side of the benchmark. */
export async function writeStepInputs(
  file: string,
  sizes: InputSizes,
  size: StepSize,
  { sigma = SIGMA, guidance = GUIDANCE }: { sigma?: number; guidance?: number } = {},
): Promise<void> {
  const parts = lengthsOf(sizes, size).map((length, index) => randomNormal(length, SEED + index));
  parts[2] = parts[2]!.map((value) => value * PROMPT_DEVIATION);
  const all = [...parts, Float32Array.of(sigma, guidance)];
  await writeFile(file, Buffer.concat(all.map((part) => new Uint8Array(part.buffer))));
}

export async function readStepInputs(file: string, sizes: InputSizes, size: StepSize): Promise<StepInputs> {
  const numbers = await readFloats(file);
  let at = 0;
  const take = (length: number): Float32Array => numbers.slice(at, (at += length));
  const [latents, referenceLatents, promptEmbeds, pooledPromptEmbeds] = lengthsOf(sizes, size).map(take);
  const [sigma, guidance] = take(2);
  return {
    latents: latents!,
    referenceLatents: referenceLatents!,
    promptEmbeds: promptEmbeds!,
    pooledPromptEmbeds: pooledPromptEmbeds!,
    sigma: sigma!,
    guidance: guidance!,
  };
}

export async function readFloats(file: string): Promise<Float32Array> {
  const bytes = await readFile(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
