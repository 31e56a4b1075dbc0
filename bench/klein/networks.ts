/** The networks of klein with random weights: the keys and shapes of the published files, from configurations alone. */
import { type Build, requestedWeights } from "../../src/models/count.ts";
import {
  flux2AutoencoderDecoder,
  flux2AutoencoderEncoder,
} from "../../src/models/autoencoders/autoencoder-kl-flux2.ts";
import type { Flux2AutoencoderConfig } from "../../src/models/autoencoders/flux2-autoencoder-config.ts";
import type { Qwen3Config } from "../../src/models/text-encoders/qwen3-config.ts";
import { qwen3Encoder } from "../../src/models/text-encoders/qwen3.ts";
import { flux2Modulation } from "../../src/models/transformers/flux2-modulation.ts";
import type { Flux2Config } from "../../src/models/transformers/flux2-config.ts";
import { flux2Transformer } from "../../src/models/transformers/flux2.ts";
import { elements } from "../../src/weights/tensor-file.ts";
import { SyntheticNetwork, type WeightShape } from "../full-size/synthetic.ts";
import type { KleinSizes } from "./published.ts";

/** The folders of a checkpoint's networks. */
export const NETWORKS = ["transformer", "text_encoder", "vae"] as const;
export type Network = (typeof NETWORKS)[number];

const SEED = 2;

export function syntheticNetwork(network: Network, sizes: KleinSizes): SyntheticNetwork {
  const shapes = {
    transformer: () => transformerShapes(sizes.transformer),
    text_encoder: () => textEncoderShapes(sizes.textEncoder),
    vae: () => autoencoderShapes(sizes.autoencoder),
  }[network]();
  return new SyntheticNetwork(network, shapes, {
    format: { bits: 8, blockSize: 128 },
    seed: SEED,
    // What a layer gives is about as large as what it takes.
    deviationOf: (shape) => 1 / Math.sqrt(elements(shape.slice(1))),
    scaleBits: 1,
  });
}

export const transformerShapes = (config: Flux2Config): WeightShape[] =>
  shapesOf(
    (weights) => flux2Transformer(config, weights, { textLength: 1 }),
    (weights) => flux2Modulation(config, weights, { isGuided: true }),
  );

/** Every layer, also those that an encoder does not read; what gives words is tied to the table of tokens. */
export const textEncoderShapes = (config: Qwen3Config): WeightShape[] =>
  shapesOf((weights) => qwen3Encoder(config, weights, { length: 1, layers: [config.numLayers] })).map(
    ({ key, shape }) => ({ key: `model.${key}`, shape }),
  );

export const autoencoderShapes = (config: Flux2AutoencoderConfig): WeightShape[] =>
  shapesOf(
    (weights) => flux2AutoencoderEncoder(config, weights),
    (weights) => flux2AutoencoderDecoder(config, weights),
  );

/** What networks that share a file ask for. */
function shapesOf(...builds: readonly Build[]): WeightShape[] {
  const shapes = new Map<string, WeightShape>();
  for (const build of builds) {
    for (const [key, { shape }] of requestedWeights(build)) shapes.set(key, { key, shape });
  }
  return [...shapes.values()];
}
