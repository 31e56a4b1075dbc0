/**
 * Sizes and weights of the networks: from the checkpoint's folder, or from single `.safetensors` or GGUF files used
 * instead of its components.
 */
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
import { type NetworkName, wantedOf } from "../../models/layouts/file-networks.ts";
import { diffusersAutoencoderConfig, diffusersFluxConfig } from "../../models/layouts/diffusers-files.ts";
import { type ClipConfig, readClipConfig } from "../../models/text-encoders/clip.ts";
import { readT5Config, type T5Config } from "../../models/text-encoders/t5-config.ts";
import { llamaT5Layout, singleT5Layout } from "../../models/layouts/t5-layouts.ts";
import type { StoredWeights } from "../../quantize/prepare.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { Config } from "../../weights/config.ts";
import { assertFolderOf } from "../../weights/folder-keys.ts";
import { GgufFile } from "../../weights/gguf-file.ts";
import { assertReadableQuantisation } from "../../weights/quantization-config.ts";
import type { SingleFile } from "../../weights/single-file.ts";
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import { unusedNotice } from "../../weights/unused-keys.ts";
import type { WeightSet } from "../../weights/weight-set.ts";

export interface Stored<Sizes> {
  config: Sizes;
  weights: StoredWeights;
}

/** How a network in a single file is read: the names of its weights decide. */
interface FileReader<Sizes> {
  /** @param folder the configuration in the checkpoint's folder, if there is one */
  configOf(file: TensorFile, folder: Config | undefined): Sizes;
  layoutOf(config: Sizes, file: TensorFile): LayoutEntry[];
}

const CLASSES = { transformer: "FluxTransformer2DModel", vae: "AutoencoderKL" } as const;

export function readTransformer(checkpoint: Checkpoint): Promise<Stored<FluxConfig>> {
  return readComponent<FluxConfig>(checkpoint, "transformer", readFluxConfig, {
    "the original transformer": { configOf: originalFluxConfig, layoutOf: originalFluxLayout },
    "diffusers' transformer": { configOf: diffusersFluxConfig, layoutOf: ownLayout },
  });
}

export function readAutoencoder(checkpoint: Checkpoint): Promise<Stored<AutoencoderConfig>> {
  return readComponent<AutoencoderConfig>(checkpoint, "vae", readAutoencoderConfig, {
    "the original autoencoder": { configOf: originalAutoencoderConfig, layoutOf: originalAutoencoderLayout },
    "diffusers' autoencoder": { configOf: diffusersAutoencoderConfig, layoutOf: ownLayout },
  });
}

/** The sizes, like the tokenizer, come from the folder: no shape shows how T5 counts positions. */
export async function readT5(checkpoint: Checkpoint): Promise<Stored<T5Config>> {
  const config = readT5Config(await checkpoint.config("text_encoder_2/config.json"));
  const file = await checkpoint.singleFile(wantedOf("t5"), { own: "textEncoder" });
  if (!file) {
    checkpoint.assertClass("text_encoder_2", "T5EncoderModel");
    return { config, weights: await folderWeights(checkpoint, "text_encoder_2", "t5") };
  }
  const layout = file.layout() === "transformers' T5" ? singleT5Layout(config, file) : llamaT5Layout(config);
  return { config, weights: arranged(checkpoint, file, "text_encoder_2", layout) };
}

/** As {@link readT5}. */
export async function readClip(checkpoint: Checkpoint): Promise<Stored<ClipConfig>> {
  const config = readClipConfig(await checkpoint.config("text_encoder/config.json"));
  const file = await checkpoint.singleFile(wantedOf("clip"), { beside: "textEncoder" });
  if (!file) {
    checkpoint.assertClass("text_encoder", "CLIPTextModel");
    return { config, weights: await folderWeights(checkpoint, "text_encoder", "clip") };
  }
  return { config, weights: arranged(checkpoint, file, "text_encoder", file.ownLayout()) };
}

async function readComponent<Sizes>(
  checkpoint: Checkpoint,
  name: "transformer" | "vae",
  readConfig: (config: Config) => Sizes,
  readers: Readonly<Record<string, FileReader<Sizes>>>,
): Promise<Stored<Sizes>> {
  const configFile = `${name}/config.json`;
  const file = await checkpoint.singleFile(wantedOf(name), { own: name });
  if (!file) {
    checkpoint.assertClass(name, CLASSES[name]);
    const config = readConfig(await checkpoint.config(configFile));
    return { config, weights: await folderWeights(checkpoint, name, name) };
  }
  const { configOf, layoutOf } = readers[file.layout()]!;
  // The folder may lack the component that the file replaces.
  const folder = (await checkpoint.has(configFile)) ? await checkpoint.config(configFile) : undefined;
  const config = configOf(file, folder);
  return { config, weights: arranged(checkpoint, file, name, layoutOf(config, file)) };
}

/** What the weights of a checkpoint's folder may be called. */
const FOLDER_LAYOUTS = ["diffusers' transformer", "diffusers' autoencoder", "transformers' T5", "CLIP"];

const ownLayout = (_config: unknown, file: TensorFile): LayoutEntry[] => file.ownLayout();

async function folderWeights(
  checkpoint: Checkpoint,
  folder: string,
  network: NetworkName,
): Promise<WeightSet> {
  assertReadableQuantisation(await checkpoint.config(`${folder}/config.json`));
  const weights = await checkpoint.weights(folder);
  assertFolderOf(wantedOf(network), FOLDER_LAYOUTS, weights);
  return weights;
}

function arranged(
  checkpoint: Checkpoint,
  file: SingleFile | GgufFile,
  name: string,
  layout: LayoutEntry[],
): StoredWeights {
  for (const notice of unusedNotice(file.file, file.unusedKeys())) checkpoint.note(notice);
  return file instanceof GgufFile ? file.arrange(layout) : file.arrange(name, layout);
}
