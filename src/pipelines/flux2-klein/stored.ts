/** The files of FLUX.2 [klein]'s networks. */
import {
  type Flux2AutoencoderConfig,
  readFlux2AutoencoderConfig,
} from "../../models/autoencoders/flux2-autoencoder-config.ts";
import {
  diffusersFlux2AutoencoderSizes,
  originalFlux2AutoencoderSizes,
} from "../../models/layouts/autoencoder-sizes.ts";
import { wantedOf } from "../../models/layouts/file-networks.ts";
import { originalFlux2AutoencoderLayout } from "../../models/layouts/original-autoencoder.ts";
import { originalFlux2Layout } from "../../models/layouts/original-flux2.ts";
import { diffusersFlux2Sizes, originalFlux2Sizes } from "../../models/layouts/transformer-sizes.ts";
import { type Qwen3Config, readQwen3Config } from "../../models/text-encoders/qwen3-config.ts";
import { type Flux2Config, readFlux2Config } from "../../models/transformers/flux2-config.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import { type NetworkFiles, ownLayout, readNetwork, type Stored } from "../shared/stored.ts";

const TRANSFORMER: NetworkFiles<Flux2Config> = {
  wanted: wantedOf("transformer", "FLUX.2"),
  className: "Flux2Transformer2DModel",
  options: { own: "transformer" },
  readConfig: readFlux2Config,
  readers: {
    "FLUX.2's original transformer": { sizesOf: originalFlux2Sizes, layoutOf: originalFlux2Layout },
    "FLUX.2's transformer of diffusers": { sizesOf: diffusersFlux2Sizes, layoutOf: ownLayout },
  },
};

const AUTOENCODER: NetworkFiles<Flux2AutoencoderConfig> = {
  wanted: wantedOf("vae", "FLUX.2"),
  className: "AutoencoderKLFlux2",
  options: { own: "vae" },
  readConfig: readFlux2AutoencoderConfig,
  readers: {
    "FLUX.2's original autoencoder": {
      sizesOf: originalFlux2AutoencoderSizes,
      layoutOf: originalFlux2AutoencoderLayout,
    },
    "FLUX.2's autoencoder of diffusers": { sizesOf: diffusersFlux2AutoencoderSizes, layoutOf: ownLayout },
  },
};

/** The sizes, like the tokenizer, come from the folder: no shape shows theta of the rotary table. */
const qwen3 = (layers: readonly number[]): NetworkFiles<Qwen3Config> => ({
  wanted: wantedOf("qwen3"),
  className: "Qwen3ForCausalLM",
  options: { own: "textEncoder" },
  readConfig: (config) => readQwen3Config(config, { layers }),
  readers: { "transformers' Qwen3": { layoutOf: ownLayout } },
  isRead: isReadBy(layers),
});

/** The number of the layer that a weight belongs to. */
const LAYER = /^(?:model\.)?layers\.(\d+)\./;

/** The layers after the last of `layers`, and what turns the last one's output into words, are not read. */
const isReadBy =
  (layers: readonly number[]) =>
  (key: string): boolean => {
    const index = LAYER.exec(key)?.[1];
    return index === undefined ? key !== "lm_head.weight" : Number(index) < Math.max(...layers);
  };

export const readTransformer = (checkpoint: Checkpoint): Promise<Stored<Flux2Config>> =>
  readNetwork(checkpoint, TRANSFORMER);
export const readAutoencoder = (checkpoint: Checkpoint): Promise<Stored<Flux2AutoencoderConfig>> =>
  readNetwork(checkpoint, AUTOENCODER);
/** @param layers whose outputs are read; of the files, only what they need is */
export const readQwen3 = (checkpoint: Checkpoint, layers: readonly number[]): Promise<Stored<Qwen3Config>> =>
  readNetwork(checkpoint, qwen3(layers));
