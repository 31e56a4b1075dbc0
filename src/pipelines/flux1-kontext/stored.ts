/**
 * Sizes and weights of transformer, autoencoder and T5: from the checkpoint's folder, or from a single `.safetensors`
 * or GGUF file used instead of one of its components.
 */
import { RetouchError } from "../../errors.ts";
import {
  type AutoencoderConfig,
  readAutoencoderConfig,
} from "../../models/autoencoders/autoencoder-config.ts";
import { type FluxConfig, readFluxConfig } from "../../models/transformers/flux-config.ts";
import {
  originalAutoencoderConfig,
  originalAutoencoderLayout,
} from "../../models/layouts/original-autoencoder.ts";
import { originalFluxConfig, originalFluxLayout } from "../../models/layouts/original-flux.ts";
import { readT5Config, type T5Config } from "../../models/text-encoders/t5-config.ts";
import { llamaT5Layout, singleT5Layout } from "../../models/layouts/t5-layouts.ts";
import type { StoredWeights } from "../../quantize/prepare.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { Config } from "../../weights/config.ts";
import { GgufFile } from "../../weights/gguf-file.ts";
import type { SingleFile } from "../../weights/single-file.ts";
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import { WeightSet } from "../../weights/weight-set.ts";

export interface Stored<Sizes, Weights extends StoredWeights = StoredWeights> {
  config: Sizes;
  weights: Weights;
}

const CLASSES = { transformer: "FluxTransformer2DModel", vae: "AutoencoderKL" } as const;

export function readTransformer(checkpoint: Checkpoint): Promise<Stored<FluxConfig>> {
  return readComponent(checkpoint, "transformer", readFluxConfig, originalFluxConfig, originalFluxLayout);
}

export async function readAutoencoder(checkpoint: Checkpoint): Promise<Stored<AutoencoderConfig, WeightSet>> {
  const { config, weights } = await readComponent(
    checkpoint,
    "vae",
    readAutoencoderConfig,
    originalAutoencoderConfig,
    originalAutoencoderLayout,
  );
  if (weights instanceof WeightSet) return { config, weights };
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `The autoencoder cannot be a GGUF file: ${weights.name} must be .safetensors.`,
  );
}

/** The sizes, like the tokenizer, come from the folder: no shape shows how T5 counts positions. */
export async function readT5(checkpoint: Checkpoint): Promise<Stored<T5Config>> {
  const config = readT5Config(await checkpoint.config("text_encoder_2/config.json"));
  const file = await checkpoint.singleFile("textEncoder");
  if (!file) checkpoint.assertClass("text_encoder_2", "T5EncoderModel");
  if (!file) return { config, weights: await checkpoint.weights("text_encoder_2") };
  // Each format has its own keys for the same weights.
  const layout = file instanceof GgufFile ? llamaT5Layout(config) : singleT5Layout(config, file);
  return { config, weights: arranged(file, "text_encoder_2", layout) };
}

async function readComponent<Sizes>(
  checkpoint: Checkpoint,
  name: "transformer" | "vae",
  readConfig: (config: Config) => Sizes,
  configOfFile: (file: TensorFile, folder: Config | undefined) => Sizes,
  layoutOf: (config: Sizes) => LayoutEntry[],
): Promise<Stored<Sizes>> {
  const configFile = `${name}/config.json`;
  const file = await checkpoint.singleFile(name);
  if (!file) {
    checkpoint.assertClass(name, CLASSES[name]);
    const config = readConfig(await checkpoint.config(configFile));
    return { config, weights: await checkpoint.weights(name) };
  }
  // The folder may lack the component that the file replaces.
  const folder = (await checkpoint.has(configFile)) ? await checkpoint.config(configFile) : undefined;
  const config = configOfFile(file, folder);
  return { config, weights: arranged(file, name, layoutOf(config)) };
}

function arranged(file: SingleFile | GgufFile, name: string, layout: LayoutEntry[]): StoredWeights {
  return file instanceof GgufFile ? file.arrange(layout) : file.arrange(name, layout);
}
