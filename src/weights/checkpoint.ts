/**
 * A checkpoint folder in the diffusers layout: `model_index.json` and one folder per component. Configurations are
 * read on demand; of the weights, only the headers are read.
 */
import { access, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../errors.ts";
import { Config, shownValue } from "./config.ts";
import { GgufFile } from "./gguf-file.ts";
import { MAX_KEY_CHARACTERS, MAX_SHARDS, MAX_TENSORS } from "./limits.ts";
import type { Wanted } from "./network-keys.ts";
import { readSafetensorsHeader, type StoredTensor } from "./safetensors.ts";
import { SingleFile } from "./single-file.ts";
import { WeightSet } from "./weight-set.ts";

/** diffusers' and transformers' names for a component's weights. */
const WEIGHT_FILES = ["diffusion_pytorch_model.safetensors", "model.safetensors"];
const GGUF = /\.gguf$/i;
/** Last parts of a path that do not name a file. */
const NO_FILE_NAMES = new Set(["", ".", ".."]);

/** Hugging Face's tools store `org/name` like this, in a folder named after the commit's hash. */
const SNAPSHOT = /[/\\]models--([^/\\]+)[/\\]snapshots[/\\][^/\\]+$/;

/** A checkpoint's name for people: its folder's name, or that of the repository it was pulled from. */
export function checkpointName(folder: string): string {
  const whole = path.resolve(folder);
  return SNAPSHOT.exec(whole)?.[1]?.split("--").at(-1) || path.basename(whole);
}

/** Single files used instead of components. One that holds several networks serves for any of them. */
export interface SingleFiles {
  transformer?: string | undefined;
  vae?: string | undefined;
  /** T5, and CLIP if the file holds it too. */
  textEncoder?: string | undefined;
}

export class Checkpoint {
  readonly folder: string;
  /** The class name of its pipeline. */
  readonly className: string;
  readonly #singleFiles: SingleFiles;

  private constructor(folder: string, className: string, singleFiles: SingleFiles) {
    this.folder = folder;
    this.className = className;
    this.#singleFiles = singleFiles;
  }

  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the folder or its index */
  static async open(folder: string, singleFiles: SingleFiles = {}): Promise<Checkpoint> {
    const found = await stat(folder).catch(() => undefined);
    if (!found?.isDirectory()) {
      throw new RetouchError("CHECKPOINT_MISSING", `The checkpoint folder ${folder} does not exist.`);
    }
    const whole = path.resolve(folder);
    const index = await Config.read(path.join(whole, "model_index.json"));
    return new Checkpoint(whole, index.string("_class_name"), singleFiles);
  }

  /** A JSON file of the folder, such as `transformer/config.json`. */
  config(file: string): Promise<Config> {
    return Config.read(path.join(this.folder, file));
  }

  async has(file: string): Promise<boolean> {
    return access(path.join(this.folder, file)).then(
      () => true,
      () => false,
    );
  }

  /**
   * The file used instead of a network's folder: the one that is given for it, or else one that is given for another
   * network and holds this one too. Undefined if the folder is used.
   * @param own the option that stands for this network, if there is one
   * @param beside the option whose file takes precedence over the folder if it holds this network, too; all others
   * stand in only for a folder without weights
   */
  async singleFile(
    wanted: Wanted,
    { own, beside }: { own?: keyof SingleFiles; beside?: keyof SingleFiles },
  ): Promise<SingleFile | GgufFile | undefined> {
    const given = this.#singleFiles;
    const file = own && given[own];
    if (file !== undefined) return openFile(file, wanted);
    const isNeeded = !(await this.#hasWeights(wanted.network.folder));
    const others = isNeeded ? Object.values(given) : [beside && given[beside]];
    for (const other of new Set(others)) {
      const opened = other === undefined ? undefined : await openFile(other, wanted);
      if (opened?.isHeld) return opened;
    }
    return undefined;
  }

  async #hasWeights(component: string): Promise<boolean> {
    return this.weights(component).then(
      () => true,
      (error: unknown) => !(error instanceof RetouchError && error.code === "CHECKPOINT_MISSING"),
    );
  }

  /** The weights of a component's folder, in one file or in shards that an index lists. */
  async weights(component: string): Promise<WeightSet> {
    for (const name of WEIGHT_FILES) {
      const file = path.join(component, name);
      if (await this.has(`${file}.index.json`)) return this.#shardedWeights(component, `${file}.index.json`);
      if (await this.has(file)) {
        return new WeightSet(component, await readSafetensorsHeader(await this.#realFile(file)));
      }
    }
    const folder = path.join(this.folder, component);
    throw new RetouchError("CHECKPOINT_MISSING", `The folder ${folder} has no ${WEIGHT_FILES.join(" or ")}.`);
  }

  async #shardedWeights(component: string, indexFile: string): Promise<WeightSet> {
    const index = await this.config(indexFile);
    const shardOf = weightMapOf(index);
    const tensors = new Map<string, StoredTensor>();
    for (const shard of new Set(shardOf.values())) {
      // A shard is a file beside its index; any other path could point outside the checkpoint.
      if (typeof shard !== "string" || path.basename(shard) !== shard || NO_FILE_NAMES.has(shard)) {
        throw new RetouchError(
          "CHECKPOINT_INVALID",
          `In ${index.file}, ${shownValue(shard)} is no file name.`,
        );
      }
      for (const [key, tensor] of await readSafetensorsHeader(
        await this.#realFile(path.join(component, shard)),
      )) {
        tensors.set(key, tensor);
      }
    }
    const missing = [...shardOf.keys()].find((key) => !tensors.has(key));
    if (missing !== undefined || tensors.size === 0) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `${index.file} lists ${missing ?? "no weights"}${missing === undefined ? "" : ", which no shard holds"}.`,
      );
    }
    return new WeightSet(component, tensors);
  }

  /** Follows links, which hub caches contain: the runtime accepts data below one real folder only. */
  async #realFile(file: string): Promise<string> {
    const full = path.join(this.folder, file);
    return realpath(full).catch((cause: unknown) => {
      throw new RetouchError("CHECKPOINT_MISSING", `The weights file ${full} does not exist.`, { cause });
    });
  }
}

const openFile = (file: string, wanted: Wanted): Promise<SingleFile | GgufFile> =>
  GGUF.test(file) ? GgufFile.open(file, wanted) : SingleFile.open(file, wanted);

/** The file of every weight, from an index. @throws RetouchError CHECKPOINT_INVALID */
function weightMapOf(index: Config): Map<string, unknown> {
  const field = index.get("weight_map") ?? {};
  if (typeof field !== "object" || Array.isArray(field)) {
    throw index.invalid("weight_map", "an object of file names");
  }
  const shardOf = new Map(Object.entries(field));
  const numShards = new Set(shardOf.values()).size;
  const isTooLong = [...shardOf.keys()].some((key) => key.length > MAX_KEY_CHARACTERS);
  if (shardOf.size > MAX_TENSORS || numShards > MAX_SHARDS || isTooLong) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${index.file}, weight_map must list at most ${MAX_TENSORS} weights, with names of at most ${MAX_KEY_CHARACTERS} characters, in at most ${MAX_SHARDS} files.`,
    );
  }
  return shardOf;
}
