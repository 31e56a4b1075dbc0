/** Runs the networks on made-up weights and inputs, as `scripts/reference/probes.py` runs the reference's. */
import { autoencoderDecoder, autoencoderEncoder } from "../../src/models/autoencoders/autoencoder-kl.ts";
import { readAutoencoderConfig } from "../../src/models/autoencoders/autoencoder-config.ts";
import { clipEndPosition, clipTextEncoder, readClipConfig } from "../../src/models/text-encoders/clip.ts";
import { readT5Config } from "../../src/models/text-encoders/t5-config.ts";
import { t5Encoder } from "../../src/models/text-encoders/t5.ts";
import { readFluxConfig, ROTARY_THETA } from "../../src/models/transformers/flux-config.ts";
import { fluxModulation } from "../../src/models/transformers/flux-modulation.ts";
import { fluxTransformer } from "../../src/models/transformers/flux.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { Config } from "../../src/weights/config.ts";
import { KLEIN_PROBES } from "./klein-probes.ts";
import { madeUp, madeUpWeights, numbers } from "./made-up.ts";
import { madeUpStep, TEXT_LENGTH } from "./made-up-step.ts";
import { evaluate } from "./onnx.ts";

export type Fields = Readonly<Record<string, unknown>>;

const NUM_SUMS = 8;
const CLIP_TOKENS = [28, 3, 5, 29, 0, 5, 2];
const T5_TOKENS = [3, 18, 7, 7, 1, 0, 11, 0, 0];

const tokens = (ids: readonly number[]): Tensor => ({
  data: BigInt64Array.from(ids, BigInt),
  shape: [ids.length],
});

/** What the reference's outputs are reduced to. */
export function sums(output: readonly number[]): number[] {
  return Array.from({ length: NUM_SUMS }, (_, index) => {
    const factors = numbers(`sum ${index}`, output.length);
    return output.reduce((sum, value, at) => sum + value * factors[at]!, 0) / Math.sqrt(output.length);
  });
}

async function clip(config: Config): Promise<number[]> {
  const read = readClipConfig(config);
  const { pooledPromptEmbeds } = clipTextEncoder(read, madeUpWeights(), { length: CLIP_TOKENS.length });
  const endPosition = tokens([clipEndPosition(CLIP_TOKENS, read.endTokenId)]);
  return (await evaluate(pooledPromptEmbeds, { tokenIds: tokens(CLIP_TOKENS), endPosition })).data;
}

async function t5(config: Config): Promise<number[]> {
  const { promptEmbeds } = t5Encoder(readT5Config(config), madeUpWeights(), { length: T5_TOKENS.length });
  return (await evaluate(promptEmbeds, { tokenIds: tokens(T5_TOKENS) })).data;
}

async function flux(config: Config): Promise<number[]> {
  const read = readFluxConfig(config);
  const { modulation } = fluxModulation(read, madeUpWeights());
  const vectors = await evaluate(modulation, {
    sigmas: { data: Float32Array.of(0.7), shape: [1] },
    pooledPromptEmbeds: madeUp("pooled", 1, read.pooledSize),
    ...(read.hasGuidance && { guidance: { data: Float32Array.of(3.5), shape: [1] } }),
  });
  const positions = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1];
  const { velocity } = fluxTransformer(read, madeUpWeights(), { textLength: TEXT_LENGTH });
  return madeUpStep(velocity, read, {
    modulation: vectors.data,
    positions,
    theta: ROTARY_THETA,
    isBatched: true,
  });
}

async function vae(config: Config): Promise<number[]> {
  const read = readAutoencoderConfig(config);
  const { mean } = autoencoderEncoder(read, madeUpWeights());
  const encoded = await evaluate(mean, { pixels: madeUp("pixels", 1, 3, 16, 16) });
  const latents = encoded.data.map((value) => (value - read.shiftFactor) * read.scalingFactor);
  const side = 16 / read.scaleFactor;
  const { data, shape } = madeUp("latents", 1, read.latentChannels, side, side);
  const grid = (data as Float32Array).map((value) => value / read.scalingFactor + read.shiftFactor);
  const { pixels } = autoencoderDecoder(read, madeUpWeights());
  return [...latents, ...(await evaluate(pixels, { latents: { data: grid, shape } })).data];
}

const PROBES: Readonly<Record<string, (config: Config) => Promise<number[]>>> = {
  flux,
  vae,
  clip,
  t5,
  ...KLEIN_PROBES,
};

/** The sums of a network's output. @param fields of its configuration */
export const probe = async (network: string, fields: Fields): Promise<number[]> =>
  sums(await PROBES[network]!(new Config("config.json", fields)));
