/**
 * Sizes and weights of transformer, autoencoder and T5: from the checkpoint's folder, or from a single file that stands
 * in the place of one of its components.
 */
import { type AutoencoderConfig, readAutoencoderConfig } from "../models/autoencoder.ts";
import { type FluxConfig, readFluxConfig } from "../models/flux-config.ts";
import { originalAutoencoderConfig, originalAutoencoderLayout } from "../models/original-autoencoder.ts";
import { originalFluxConfig, originalFluxLayout } from "../models/original-flux.ts";
import { readT5Config, type T5Config } from "../models/t5.ts";
import { singleT5Layout } from "../models/t5-layouts.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Config } from "../weights/config.ts";
import type { LayoutEntry, TensorFile } from "../weights/tensor-file.ts";
import type { WeightSet } from "../weights/weight-set.ts";

export interface Component<Sizes> {
  config: Sizes;
  weights: WeightSet;
}

export function readTransformer(checkpoint: Checkpoint): Promise<Component<FluxConfig>> {
  return readComponent(checkpoint, "transformer", readFluxConfig, originalFluxConfig, originalFluxLayout);
}

export function readAutoencoder(checkpoint: Checkpoint): Promise<Component<AutoencoderConfig>> {
  return readComponent(
    checkpoint,
    "vae",
    readAutoencoderConfig,
    originalAutoencoderConfig,
    originalAutoencoderLayout,
  );
}

/** Its sizes are the folder's, as its tokenizer is: no shape shows how it counts positions. */
export async function readT5(checkpoint: Checkpoint): Promise<Component<T5Config>> {
  const config = readT5Config(await checkpoint.config("text_encoder_2/config.json"));
  const file = await checkpoint.singleFile("textEncoder");
  const weights = file
    ? file.arrange("text_encoder_2", singleT5Layout(config, file))
    : await checkpoint.weights("text_encoder_2");
  return { config, weights };
}

async function readComponent<Sizes>(
  checkpoint: Checkpoint,
  name: "transformer" | "vae",
  readConfig: (config: Config) => Sizes,
  configOfFile: (file: TensorFile, folder: Config | undefined) => Sizes,
  layoutOf: (config: Sizes) => LayoutEntry[],
): Promise<Component<Sizes>> {
  const configFile = `${name}/config.json`;
  const file = await checkpoint.singleFile(name);
  if (!file) {
    const config = readConfig(await checkpoint.config(configFile));
    return { config, weights: await checkpoint.weights(name) };
  }
  // The folder need not have what the file stands in for.
  const folder = (await checkpoint.has(configFile)) ? await checkpoint.config(configFile) : undefined;
  const config = configOfFile(file, folder);
  return { config, weights: file.arrange(name, layoutOf(config)) };
}
