/**
 * Text to token ids of a fixed length, as diffusers' pipelines produce them: truncated, with an end token, padded.
 * @huggingface/tokenizers does the splitting; for a folder without `tokenizer.json`, it is built from the vocabulary.
 * Where that library differs from the reference, the text is prepared here before the library sees it.
 */
import path from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { RetouchError } from "../errors.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type Config, isWhole, shownValue } from "../weights/config.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";
import { readCharsmap } from "./charsmap.ts";
import { checkDefinition } from "./check-definition.ts";
import { clipDefinition } from "./clip-definition.ts";
import { t5Definition } from "./t5-definition.ts";

export interface EncodedText {
  ids: number[];
  /** Whether the text was too long and its end was cut off. */
  isCut: boolean;
}

/** What differs between the two families. */
const FAMILIES = {
  clip: {
    endToken: "<|endoftext|>",
    padToken: "<|endoftext|>",
    definition: clipDefinition,
    vocabulary: "vocab.json",
    // The library treats a text that equals a special token in lower case as that token; a leading space prevents it.
    prepare: (text: string): string => ` ${text}`,
  },
  t5: {
    endToken: "</s>",
    padToken: "<pad>",
    definition: t5Definition,
    vocabulary: "spiece.model",
    // JavaScript counts the byte order mark as white space but not the next-line character; the reference does the
    // opposite. The stand-in is a noncharacter, which, like the mark, is in no vocabulary.
    prepare: (text: string): string => text.replaceAll("\uFEFF", "\uFDD0").replaceAll("\u0085", " "),
  },
} as const;

export type TokenizerFamily = keyof typeof FAMILIES;

const DEFINITION = "tokenizer.json";
/** Above this, a tokenizer has no limit of its own: it is saved as 1e30. */
const UNLIMITED = 1e9;
/** Gives every step something to do: words, punctuation, a number. */
const TRIAL = "A bird, 7";
const isId = isWhole({ min: 0, max: MAX_VOCABULARY });

type Definition = Readonly<Record<string, unknown>>;

export class Tokenizer {
  /** The longest text, in tokens, that the checkpoint allows; Infinity if it sets no limit. */
  readonly maxLength: number;
  /** The file that contains the vocabulary. */
  readonly file: string;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #prepare: (text: string) => string;
  readonly #endId: number;
  readonly #padId: number;

  private constructor(
    tokenizer: HuggingFaceTokenizer,
    fields: {
      file: string;
      maxLength: number;
      prepare: (text: string) => string;
      endId: number;
      padId: number;
    },
  ) {
    this.#tokenizer = tokenizer;
    this.file = fields.file;
    this.maxLength = fields.maxLength;
    this.#prepare = fields.prepare;
    this.#endId = fields.endId;
    this.#padId = fields.padId;
  }

  /**
   * Reads the tokenizer of a component folder.
   * @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file.
   */
  static async read(checkpoint: Checkpoint, component: string, family: TokenizerFamily): Promise<Tokenizer> {
    const { endToken, padToken, definition, vocabulary, prepare } = FAMILIES[family];
    const config = await checkpoint.config(`${component}/tokenizer_config.json`);
    const isDefined = await checkpoint.has(`${component}/${DEFINITION}`);
    const json = isDefined
      ? (await checkpoint.config(`${component}/${DEFINITION}`)).fields
      : ((await definition(checkpoint, component)) as Definition);
    const file = path.join(path.dirname(config.file), isDefined ? DEFINITION : vocabulary);
    checkDefinition(file, json);
    const { definition: plain, normalise } = withoutCharsmap(file, json);
    const tokenizer = build(file, plain, config);
    const idOf = (role: string, fallback: string): number => {
      const token = tokenText(config, role) ?? fallback;
      const id = tokenizer.token_to_id(token);
      if (id === undefined) {
        throw new RetouchError(
          "CHECKPOINT_INVALID",
          `In ${config.file}, ${role} ${shownValue(token)} is not in the vocabulary.`,
        );
      }
      return id;
    };
    return new Tokenizer(tokenizer, {
      file,
      maxLength: maxLengthOf(config),
      prepare: (text) => prepare(normalise(text)),
      endId: idOf("eos_token", endToken),
      padId: idOf("pad_token", padToken),
    });
  }

  /**
   * Encodes `text` to exactly `length` ids. Whatever does not fit is cut off before the end token.
   * @throws RetouchError CHECKPOINT_INVALID if the vocabulary or its rules fail on this text
   */
  encode(text: string, length: number): EncodedText {
    const ids = idsOf(this.#tokenizer, this.#prepare(text));
    if (!ids?.every(isId)) throw unusable(this.file);
    const isCut = ids.length > length;
    if (isCut) return { ids: [...ids.slice(0, length - 1), this.#endId], isCut };
    return { ids: [...ids, ...Array<number>(length - ids.length).fill(this.#padId)], isCut };
  }
}

/** Builds the library's tokenizer and tries it out: the library checks little, and fails late. */
function build(file: string, definition: Definition, config: Config): HuggingFaceTokenizer {
  const attempt = (settings: Definition): HuggingFaceTokenizer | undefined => {
    try {
      const tokenizer = new HuggingFaceTokenizer(definition, settings);
      // Part of the trial text may lack an id: which texts will be encoded is not known here.
      return idsOf(tokenizer, TRIAL) && tokenizer;
    } catch {
      return undefined;
    }
  };
  const tokenizer = attempt(config.fields);
  if (tokenizer) return tokenizer;
  throw unusable(attempt({}) ? config.file : file);
}

/** Undefined if the library fails. Anything without an id is undefined in the list. */
function idsOf(tokenizer: HuggingFaceTokenizer, text: string): number[] | undefined {
  try {
    return tokenizer.encode(text).ids;
  } catch {
    return undefined;
  }
}

const unusable = (file: string): RetouchError =>
  new RetouchError("CHECKPOINT_INVALID", `The tokenizer file ${file} is damaged: it cannot encode a text.`);

function maxLengthOf(config: Config): number {
  const value = config.get("model_max_length") ?? Infinity;
  if (typeof value === "number" && value > UNLIMITED) return Infinity;
  return config.count("model_max_length", UNLIMITED);
}

interface Normalizer {
  type: string;
  normalizers?: Normalizer[];
  precompiled_charsmap?: string;
}

/** Removes a compiled character map from a definition if it comes first, and returns it as a function. */
function withoutCharsmap(
  file: string,
  definition: Definition,
): { definition: Definition; normalise: (text: string) => string } {
  const normalizer = definition["normalizer"] as Normalizer | null | undefined;
  const steps =
    normalizer?.type === "Sequence" ? (normalizer.normalizers ?? []) : normalizer ? [normalizer] : [];
  const [first, ...rest] = steps;
  if (first?.type !== "Precompiled") return { definition, normalise: (text) => text };
  const remaining = rest.length > 0 ? { type: "Sequence", normalizers: rest } : null;
  const normalise = readCharsmap(first.precompiled_charsmap ?? "");
  if (normalise === undefined) {
    throw new RetouchError("CHECKPOINT_INVALID", `The tokenizer file ${file} has a damaged character map.`);
  }
  return { definition: { ...definition, normalizer: remaining }, normalise };
}

/** A special token is stored as its text, or as an object with the text in it. */
function tokenText(config: Config, role: string): string | undefined {
  const token = config.get(role);
  if (token === undefined || typeof token === "string") return token;
  const content = (token as { content?: unknown } | undefined)?.content;
  if (typeof content !== "string") throw config.invalid(role, "a text, or an object with its content");
  return content;
}
