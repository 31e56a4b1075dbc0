/**
 * A checkpoint folder in the diffusers layout: `model_index.json` and one folder per component. Configurations are
 * read on demand; of the weights, only the headers are read.
 */
import { access, readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../errors.ts";
import { Config, shownValue } from "./config.ts";
import { GgufFile } from "./gguf-file.ts";
import { MAX_KEY_CHARACTERS, MAX_SHARDS, MAX_TENSORS } from "./limits.ts";
import type { Wanted } from "./network-keys.ts";
import { readSafetensorsHeader, type StoredTensor } from "./safetensors.ts";
import { withScales } from "./scaled-fp8.ts";
import { SingleFile } from "./single-file.ts";
import { type ChosenFile, chooseWeightFile, type WeightLibrary } from "./weight-files.ts";
import { WeightSet } from "./weight-set.ts";

const LIBRARIES: readonly WeightLibrary[] = ["diffusers", "transformers"];
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
  /** `model_index.json`. */
  readonly index: Config;
  readonly #singleFiles: SingleFiles;
  readonly #notices = new Set<string>();

  private constructor(folder: string, index: Config, singleFiles: SingleFiles) {
    this.folder = folder;
    this.className = index.string("_class_name");
    this.index = index;
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
    return new Checkpoint(whole, index, singleFiles);
  }

  /** What the user should know about the files that were read, as sentences. */
  get notices(): string[] {
    return [...this.#notices];
  }

  /** Adds to the notices what they do not yet say. */
  note(sentence: string): void {
    this.#notices.add(sentence);
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

  /**
   * Makes sure that a component is of the class that it is read as: another one computes something else from files that
   * may look the same. An index may leave a component out.
   * @throws RetouchError CHECKPOINT_UNSUPPORTED, naming the index and the class
   */
  assertClass(component: string, wanted: string): void {
    const [, className] = this.#entryOf(component);
    if (className === undefined || className === null || className === wanted) return;
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${this.index.file}, ${component} is a ${shownValue(className)}; a ${wanted} is wanted.`,
    );
  }

  /** The library and the class of a component, as the index has them. */
  #entryOf(component: string): readonly unknown[] {
    const entry = this.index.get(component);
    if (entry === undefined) return [];
    if (!Array.isArray(entry)) throw this.index.invalid(component, "a list of a library and a class");
    return entry as unknown[];
  }

  /** The weights of a component's folder, in one file or in shards that an index lists. */
  async weights(component: string): Promise<WeightSet> {
    const folder = path.join(this.folder, component);
    const [library] = this.#entryOf(component);
    const libraries = LIBRARIES.filter((each) => each === library);
    const files = await readdir(folder).catch(() => []);
    const chosen =
      (await this.#namedFile(component, library)) ??
      chooseWeightFile(folder, files, libraries.length === 0 ? LIBRARIES : libraries);
    const file = path.join(component, chosen.name);
    if (chosen.variant !== undefined) {
      this.note(`${component}: the weights are those of the variant ${shownValue(chosen.variant)}.`);
    }
    if (chosen.isIndex) return this.#shardedWeights(component, file);
    return new WeightSet(component, withScales(await readSafetensorsHeader(await this.#realFile(file))));
  }

  /** The file that a configuration of transformers names, whatever else is there. */
  async #namedFile(component: string, library: unknown): Promise<ChosenFile | undefined> {
    const configFile = path.join(component, "config.json");
    if (library !== "transformers" || !(await this.has(configFile))) return undefined;
    const config = await this.config(configFile);
    const name = config.get("transformers_weights");
    if (name === undefined) return undefined;
    const isIndex = typeof name === "string" && name.endsWith(".safetensors.index.json");
    if (typeof name === "string" && isFileName(name) && (isIndex || name.endsWith(".safetensors"))) {
      return { name, isIndex };
    }
    throw config.invalid("transformers_weights", "the name of a .safetensors file or of an index beside it");
  }

  async #shardedWeights(component: string, indexFile: string): Promise<WeightSet> {
    const index = await this.config(indexFile);
    const shardOf = weightMapOf(index);
    const tensors = new Map<string, StoredTensor>();
    // In the order of the reference: of two shards with the same weight, the last one's counts.
    for (const shard of [...new Set(shardOf.values())].toSorted()) {
      // A shard is a file beside its index; any other path could point outside the checkpoint.
      if (typeof shard !== "string" || !isFileName(shard)) {
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
    // Which weight it expects in which shard is of no account: whatever a network needs is missed when it is built.
    if (tensors.size === 0) {
      throw new RetouchError("CHECKPOINT_INVALID", `${index.file} lists no weights.`);
    }
    return new WeightSet(component, withScales(tensors));
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
const isFileName = (name: string): boolean => path.basename(name) === name && !NO_FILE_NAMES.has(name);

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
