/**
 * Sizes and weights of a pipeline's networks: from the checkpoint's folder, or from single `.safetensors` or GGUF files
 * used instead of its components.
 */
import { type StoredWeights, withOnly } from "../../quantize/prepare.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { Config } from "../../weights/config.ts";
import { assertFolderOf } from "../../weights/folder-keys.ts";
import { GgufFile } from "../../weights/gguf-file.ts";
import type { Wanted } from "../../weights/network-keys.ts";
import type { SingleFile } from "../../weights/single-file.ts";
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";

export interface Stored<Sizes> {
  config: Sizes;
  weights: StoredWeights;
}

/** How a network in a single file is read. */
export interface FileReader<Sizes> {
  /**
   * Reads the sizes off the file.
   * @param folder the configuration in the checkpoint's folder, if there is one
   * @default they are those of the folder's configuration: not all are shown by shapes
   */
  sizesOf?(file: TensorFile, folder: Config | undefined): Sizes;
  layoutOf(sizes: Sizes, file: TensorFile): LayoutEntry[];
}

/** A network of a pipeline, by its files. */
export interface NetworkFiles<Sizes> {
  wanted: Wanted;
  /** Its class, as the index of a checkpoint has it. */
  className: string;
  /** Which of the single files stand for it. */
  options: Parameters<Checkpoint["singleFile"]>[1];
  /** Reads the sizes off the configuration in its folder. */
  readConfig(config: Config): Sizes;
  /** By the layouts that its single files may have. */
  readers: Readonly<Record<string, FileReader<Sizes>>>;
  /** Whether a weight, by the network's own key, is read at all. @default every one is */
  isRead?(key: string): boolean;
}

/** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file */
export async function readNetwork<Sizes>(
  checkpoint: Checkpoint,
  files: NetworkFiles<Sizes>,
): Promise<Stored<Sizes>> {
  const file = await checkpoint.singleFile(files.wanted, files.options);
  const { config, weights } = await (file
    ? readFile(checkpoint, files, file)
    : readFolder(checkpoint, files));
  const { isRead } = files;
  return { config, weights: isRead ? withOnly(weights, isRead) : weights };
}

async function readFolder<Sizes>(
  checkpoint: Checkpoint,
  { wanted, className, readConfig }: NetworkFiles<Sizes>,
): Promise<Stored<Sizes>> {
  const { folder } = wanted.network;
  checkpoint.assertClass(folder, className);
  const config = readConfig(await checkpoint.config(configOf(folder)));
  const weights = await checkpoint.weights(folder);
  assertFolderOf(wanted, weights);
  return { config, weights };
}

async function readFile<Sizes>(
  checkpoint: Checkpoint,
  { wanted, readConfig, readers }: NetworkFiles<Sizes>,
  file: SingleFile | GgufFile,
): Promise<Stored<Sizes>> {
  const { folder } = wanted.network;
  const { sizesOf, layoutOf } = readers[file.layout()]!;
  // The folder may lack the component that the file replaces.
  const isThere = sizesOf === undefined || (await checkpoint.has(configOf(folder)));
  const inFolder = isThere ? await checkpoint.config(configOf(folder)) : undefined;
  const config = sizesOf ? sizesOf(file, inFolder) : readConfig(inFolder!);
  const layout = layoutOf(config, file);
  const weights = file instanceof GgufFile ? file.arrange(layout) : file.arrange(folder, layout);
  return { config, weights };
}

const configOf = (folder: string): string => `${folder}/config.json`;

/** The layout of a file that has the network's own names. */
export const ownLayout = (_sizes: unknown, file: TensorFile): LayoutEntry[] => file.ownLayout();
