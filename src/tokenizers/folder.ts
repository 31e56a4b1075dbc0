/** The files of a tokenizer's folder: which there are, and which of them the reference's classes take. */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../errors.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { Config } from "../weights/config.ts";
import { readSmallFile } from "../weights/small-file.ts";
import { checkDefinition, invalid, isObject } from "./check-definition.ts";
import type { TokenFiles } from "./special-tokens.ts";

const CONFIG = "tokenizer_config.json";
const DEFINITION = "tokenizer.json";
/** A definition for a version of transformers and all later ones. */
const VERSIONED = /tokenizer\.(\d+(?:\.\d+)*)\.json/;
/** The reference reads such files as itself: of the versions listed, the last that is not above. */
export const TRANSFORMERS_VERSION = "5.23.0";
/** Names of vocabularies that the reference prefers to its class's own, if there is no definition. */
const OTHER_VOCABULARY = /tekken\.json|tokenizer\.model\.*|tiktoken\.model/;
/** Fields that replace a part of the tokenizer by something that no file can hold. */
const OBJECT_FIELDS = ["tokenizer_object", "gguf_file", "_json_padding"];
/** These as well, unless a definition overrules them. */
const OVERRULED_FIELDS = ["post_processor", "tokenizer_padding"];

export class TokenizerFolder {
  readonly tokens: TokenFiles;
  /** `tokenizer.json` with its name; undefined if there is none. */
  readonly definition: Config | undefined;
  readonly config: Config;
  readonly #folder: string;
  readonly #names: ReadonlySet<string>;

  private constructor(folder: string, names: ReadonlySet<string>, tokens: TokenFiles, definition?: Config) {
    this.#folder = folder;
    this.#names = names;
    this.tokens = tokens;
    this.definition = definition;
    this.config = new Config(tokens.names.config, tokens.config);
  }

  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
  static async open(checkpoint: Checkpoint, component: string): Promise<TokenizerFolder> {
    const within = path.join(checkpoint.folder, component);
    const listed = await readdir(within).catch(() => undefined);
    // The reference looks beside `model_index.json` for a component without a folder.
    const folder = listed === undefined ? checkpoint.folder : within;
    const names = new Set(listed ?? (await readdir(folder).catch(() => [])));
    const read = async (name: string): Promise<Config | undefined> =>
      names.has(name) ? Config.read(path.join(folder, name)) : undefined;
    const config = await read(CONFIG);
    const fields = config?.fields ?? {};
    const definition = await read(definitionName(path.join(folder, CONFIG), fields));
    if (definition !== undefined) checkDefinition(definition.file, definition.fields);
    const file = path.join(folder, CONFIG);
    const refused = definition === undefined ? [...OBJECT_FIELDS, ...OVERRULED_FIELDS] : OBJECT_FIELDS;
    const found = refused.find((name) => isGiven(fields[name]));
    if (found !== undefined) throw invalid(file, `${found} cannot come from a file`, fields[found]);
    if (isGiven(fields["init_inputs"]))
      throw invalid(file, "init_inputs must be empty", fields["init_inputs"]);
    return new TokenizerFolder(
      folder,
      names,
      {
        names: {
          config: file,
          specialTokens: path.join(folder, "special_tokens_map.json"),
          addedTokens: path.join(folder, "added_tokens.json"),
          definition: definition?.file ?? path.join(folder, DEFINITION),
        },
        config: fields,
        specialTokens: (await read("special_tokens_map.json"))?.fields,
        addedTokens: (await read("added_tokens.json"))?.fields,
        definition: definition?.fields,
      },
      definition,
    );
  }

  /** The full name of a file, which need not be there. */
  path(name: string): string {
    return path.join(this.#folder, name);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The names in a folder within this one; none if there is no such folder. */
  async namesIn(name: string): Promise<string[]> {
    return readdir(this.path(name)).catch(() => []);
  }

  /** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID if it is too large */
  bytes(name: string): Promise<Buffer> {
    return readSmallFile(this.path(name));
  }

  /** The first of these files; the others must be there as well. @throws RetouchError CHECKPOINT_MISSING */
  vocabularyName(first: string, ...others: readonly string[]): string {
    const missing = [first, ...others].filter((name) => !this.#names.has(name));
    if (missing.length === 0) return first;
    throw new RetouchError(
      "CHECKPOINT_MISSING",
      `The folder ${this.#folder} has neither ${DEFINITION} nor ${missing.join(" and ")}.`,
    );
  }

  /** The name of a SentencePiece model: the reference prefers some others to that of the class. */
  modelName(usual: string): string {
    return this.vocabularyName(OTHER_VOCABULARY.exec([...this.#names].join("\n"))?.[0] ?? usual);
  }

  /** The side on which texts are padded or cut, from the configuration, else from the definition. */
  side(field: "padding_side" | "truncation_side"): "left" | "right" {
    const { fields, file } = this.config;
    const side = Object.hasOwn(fields, field) ? fields[field] : (this.#storedSide(field) ?? "right");
    if (side === "left" || side === "right") return side;
    throw invalid(file, `${field} must be left or right`, side);
  }

  /** How a definition writes it, or under transformers' own names for what it finds there. */
  #storedSide(field: "padding_side" | "truncation_side"): unknown {
    const step = field === "padding_side" ? "padding" : "truncation";
    const { fields } = this.config;
    const own = this.definition === undefined ? fields[`tokenizer_${step}`] : this.definition.fields[step];
    const settings = own ?? fields[`_json_${step}`];
    const side = isObject(settings) ? settings["direction"] : undefined;
    return typeof side === "string" ? side.toLowerCase() : side;
  }
}

/** Neither absent nor null nor empty. */
export const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && !(typeof value === "object" && Object.keys(value).length === 0);

function definitionName(file: string, fields: Readonly<Record<string, unknown>>): string {
  const listed = fields["fast_tokenizer_files"] ?? [];
  if (
    !Array.isArray(listed) ||
    listed.some((name) => typeof name !== "string" || path.basename(name) !== name)
  ) {
    throw invalid(file, "fast_tokenizer_files must be a list of names", listed);
  }
  const byVersion = (listed as string[]).flatMap((name) => {
    const version = VERSIONED.exec(name)?.[1];
    return version === undefined ? [] : [{ name, version }];
  });
  const isReached = ({ version }: { version: string }): boolean =>
    compareVersions(version, TRANSFORMERS_VERSION) <= 0;
  const sorted = byVersion.toSorted((a, b) => (a.version < b.version ? -1 : a.version > b.version ? 1 : 0));
  const reached = sorted.slice(0, sorted.findIndex((entry) => !isReached(entry)) >>> 0);
  return reached.at(-1)?.name ?? DEFINITION;
}

/** Number by number; a missing one is 0. */
function compareVersions(one: string, other: string): number {
  const [a, b] = [one.split(".").map(Number), other.split(".").map(Number)];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
