/** Runs the networks of klein on made-up weights and inputs, as `scripts/reference/klein/probes.py` runs the reference's. */
import {
  flux2AutoencoderDecoder,
  flux2AutoencoderEncoder,
} from "../../src/models/autoencoders/autoencoder-kl-flux2.ts";
import { readFlux2AutoencoderConfig } from "../../src/models/autoencoders/flux2-autoencoder-config.ts";
import { qwen3Encoder, qwen3Inputs } from "../../src/models/text-encoders/qwen3.ts";
import { readQwen3Config } from "../../src/models/text-encoders/qwen3-config.ts";
import { readFlux2Config } from "../../src/models/transformers/flux2-config.ts";
import { flux2Modulation } from "../../src/models/transformers/flux2-modulation.ts";
import { flux2Transformer } from "../../src/models/transformers/flux2.ts";
import type { Config } from "../../src/weights/config.ts";
import { madeUp, madeUpWeights } from "./made-up.ts";
import { madeUpStep, TEXT_LENGTH } from "./made-up-step.ts";
import { evaluate } from "./onnx.ts";

/** The last two are padding. */
const QWEN_TOKENS = [28, 3, 5, 29, 0, 5, 2, 1, 1];
const NUM_UNPADDED = 7;
/** The hidden states that are read, in place of the pipeline's 9, 18 and 27. */
export const QWEN_LAYERS = [1, 2];

async function flux2(config: Config): Promise<number[]> {
  const read = readFlux2Config(config);
  const { modulation } = flux2Modulation(read, madeUpWeights(), { isGuided: false });
  const vectors = await evaluate(modulation, { sigmas: { data: Float32Array.of(0.7), shape: [1] } });
  const text = [0, 1, 2].map((token) => [0, 0, 0, token]);
  const target = [0, 1].flatMap((row) => [0, 1].map((column) => [0, row, column, 0]));
  const reference = [0, 1].map((column) => [10, 0, column, 0]);
  const positions = [...text, ...target, ...reference].flat();
  const { velocity } = flux2Transformer(read, madeUpWeights(), { textLength: TEXT_LENGTH });
  return madeUpStep(velocity, read, { modulation: vectors.data, positions, theta: read.rotaryTheta });
}

async function flux2Vae(config: Config): Promise<number[]> {
  const read = readFlux2AutoencoderConfig(config);
  const { latents } = flux2AutoencoderEncoder(read, madeUpWeights());
  const encoded = await evaluate(latents, { pixels: madeUp("pixels", 1, 3, 16, 16) });
  const side = 8 / read.scaleFactor;
  const { pixels } = flux2AutoencoderDecoder(read, madeUpWeights());
  const decoded = await evaluate(pixels, {
    latents: madeUp("latents", 1, 4 * read.latentChannels, side, side),
  });
  return [...encoded.data, ...decoded.data];
}

async function qwen3(config: Config): Promise<number[]> {
  const read = readQwen3Config(config, { layers: QWEN_LAYERS });
  const options = { length: QWEN_TOKENS.length, layers: QWEN_LAYERS };
  const { promptEmbeds } = qwen3Encoder(read, madeUpWeights(), options);
  return (await evaluate(promptEmbeds, qwen3Inputs(read, QWEN_TOKENS, NUM_UNPADDED))).data;
}

export const KLEIN_PROBES = { flux2, "flux2-vae": flux2Vae, qwen3 };
