/** A checkpoint folder of klein with random weights, as one that was pulled looks, and the weights beside it. */
import { existsSync, rmSync } from "node:fs";
import { cp, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { inRepository } from "../../tools/paths.ts";
import { say } from "../full-size/comparison.ts";
import { checkDisk } from "../full-size/disk.ts";
import { writeFloats } from "../full-size/weight-file.ts";
import { type Bench, fileIn } from "./bench.ts";
import { type Network, NETWORKS, syntheticNetwork } from "./networks.ts";

/** A small vocabulary with klein's template: which tokens a text has does not matter here, their number does. */
const TOKENIZER = inRepository("test", "fixtures", "klein", "checkpoints", "plain", "tokenizer");

const INDEX = {
  _class_name: "Flux2KleinPipeline",
  _diffusers_version: "0.42.1",
  is_distilled: true,
  scheduler: ["diffusers", "FlowMatchEulerDiscreteScheduler"],
  text_encoder: ["transformers", "Qwen3ForCausalLM"],
  tokenizer: ["transformers", "Qwen2TokenizerFast"],
  transformer: ["diffusers", "Flux2Transformer2DModel"],
  vae: ["diffusers", "AutoencoderKLFlux2"],
};

const SCHEDULER = {
  _class_name: "FlowMatchEulerDiscreteScheduler",
  base_image_seq_len: 256,
  base_shift: 0.5,
  max_image_seq_len: 4096,
  max_shift: 1.15,
  num_train_timesteps: 1000,
  shift: 3,
  time_shift_type: "exponential",
  use_dynamic_shifting: true,
};

/** transformers calls its files otherwise. */
const fileName = (network: Network): string =>
  network === "text_encoder" ? "model.safetensors" : "diffusion_pytorch_model.safetensors";

const folderOf = (bench: Bench): string => fileIn(bench, "checkpoint");
const weightsOf = (bench: Bench, network: Network): string =>
  path.join(folderOf(bench), network, fileName(network));

/** Bytes in bfloat16. */
export const networkBytes = (
  { sizes }: Pick<Bench, "sizes">,
  networks: readonly Network[] = NETWORKS,
): number => networks.reduce((sum, network) => sum + syntheticNetwork(network, sizes).floatBytes / 2, 0);

/** Writes the networks that are missing, one after the other. @returns the folder */
export async function checkpointWith(bench: Bench, networks: readonly Network[] = NETWORKS): Promise<string> {
  const folder = folderOf(bench);
  await writeSettings(bench, folder);
  const missing = networks.filter((network) => !existsSync(weightsOf(bench, network)));
  await checkDisk(bench.folder, networkBytes(bench, missing));
  for (const network of missing) {
    const source = syntheticNetwork(network, bench.sizes);
    say(`writing ${(source.floatBytes / 2e9).toFixed(1)} GB of weights, ${network}`);
    const file = weightsOf(bench, network);
    // A run that is interrupted leaves no half of a file under the final name.
    await writeFloats(`${file}.partial`, [...source.weights()], "BF16");
    await rename(`${file}.partial`, file);
  }
  return folder;
}

/** @returns the file of a network of the checkpoint */
export async function weightsFile(bench: Bench, network: Network): Promise<string> {
  await checkpointWith(bench, [network]);
  return weightsOf(bench, network);
}

export function removeWeights(bench: Bench, networks: readonly Network[]): void {
  if (bench.isKept) return;
  for (const network of networks) rmSync(weightsOf(bench, network), { force: true });
}

/**
 * Writes everything but weights.
 * @throws Error if the folder holds a checkpoint of other sizes
 */
async function writeSettings(bench: Bench, folder: string): Promise<void> {
  const json = (value: object): string => JSON.stringify(value, null, 2);
  const files: Record<string, string> = {
    "model_index.json": json(INDEX),
    "scheduler/scheduler_config.json": json(SCHEDULER),
    ...Object.fromEntries(NETWORKS.map((network) => [`${network}/config.json`, json(bench.fields[network])])),
  };
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    const before = await readFile(file, "utf8").catch(() => text);
    if (before !== text) throw new Error(`${folder} holds a checkpoint of other sizes; remove it.`);
    await writeFile(file, text);
  }
  await cp(TOKENIZER, path.join(folder, "tokenizer"), { recursive: true });
}
