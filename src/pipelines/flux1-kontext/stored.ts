/** The files of FLUX.1 Kontext's networks. */
import {
  type AutoencoderConfig,
  readAutoencoderConfig,
} from "../../models/autoencoders/autoencoder-config.ts";
import {
  diffusersAutoencoderSizes,
  originalAutoencoderSizes,
} from "../../models/layouts/autoencoder-sizes.ts";
import { wantedOf } from "../../models/layouts/file-networks.ts";
import { originalAutoencoderLayout } from "../../models/layouts/original-autoencoder.ts";
import { originalFluxLayout } from "../../models/layouts/original-flux.ts";
import { llamaT5Layout, singleT5Layout } from "../../models/layouts/t5-layouts.ts";
import { diffusersFluxSizes, originalFluxSizes } from "../../models/layouts/transformer-sizes.ts";
import { type ClipConfig, readClipConfig } from "../../models/text-encoders/clip.ts";
import { readT5Config, type T5Config } from "../../models/text-encoders/t5-config.ts";
import { type FluxConfig, readFluxConfig } from "../../models/transformers/flux-config.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import { type NetworkFiles, ownLayout, readNetwork, type Stored } from "../shared/stored.ts";

const TRANSFORMER: NetworkFiles<FluxConfig> = {
  wanted: wantedOf("transformer", "FLUX.1"),
  className: "FluxTransformer2DModel",
  options: { own: "transformer" },
  readConfig: readFluxConfig,
  readers: {
    "the original transformer": { sizesOf: originalFluxSizes, layoutOf: originalFluxLayout },
    "diffusers' transformer": { sizesOf: diffusersFluxSizes, layoutOf: ownLayout },
  },
};

const AUTOENCODER: NetworkFiles<AutoencoderConfig> = {
  wanted: wantedOf("vae", "FLUX.1"),
  className: "AutoencoderKL",
  options: { own: "vae" },
  readConfig: readAutoencoderConfig,
  readers: {
    "the original autoencoder": { sizesOf: originalAutoencoderSizes, layoutOf: originalAutoencoderLayout },
    "diffusers' autoencoder": { sizesOf: diffusersAutoencoderSizes, layoutOf: ownLayout },
  },
};

/** The sizes, like the tokenizer, come from the folder: no shape shows how T5 counts positions. */
const T5: NetworkFiles<T5Config> = {
  wanted: wantedOf("t5"),
  className: "T5EncoderModel",
  options: { own: "textEncoder" },
  readConfig: readT5Config,
  readers: {
    "transformers' T5": { layoutOf: singleT5Layout },
    "llama.cpp's T5": { layoutOf: llamaT5Layout },
  },
};

/** As of T5. */
const CLIP: NetworkFiles<ClipConfig> = {
  wanted: wantedOf("clip"),
  className: "CLIPTextModel",
  options: { beside: "textEncoder" },
  readConfig: readClipConfig,
  readers: { CLIP: { layoutOf: ownLayout } },
};

export const readTransformer = (checkpoint: Checkpoint): Promise<Stored<FluxConfig>> =>
  readNetwork(checkpoint, TRANSFORMER);
export const readAutoencoder = (checkpoint: Checkpoint): Promise<Stored<AutoencoderConfig>> =>
  readNetwork(checkpoint, AUTOENCODER);
export const readT5 = (checkpoint: Checkpoint): Promise<Stored<T5Config>> => readNetwork(checkpoint, T5);
export const readClip = (checkpoint: Checkpoint): Promise<Stored<ClipConfig>> =>
  readNetwork(checkpoint, CLIP);
