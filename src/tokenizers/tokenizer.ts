/**
 * Text to token ids of a fixed length, as diffusers' pipelines produce them with transformers 5: cut, with an end token,
 * padded. The classes of `model_index.json` rebuild a tokenizer from vocabulary and added tokens, whatever else a
 * folder's files say, and so do we.
 */
import { RetouchError } from "../errors.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type Config, isWhole, shownValue } from "../weights/config.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";
import { AddedVocabulary } from "./added-vocabulary.ts";
import { invalid } from "./check-definition.ts";
import { clipScheme } from "./clip.ts";
import { TokenizerFolder } from "./folder.ts";
import { qwen2Scheme } from "./qwen2.ts";
import type { Frame, Scheme } from "./scheme.ts";
import { gatherFields, specialTokens } from "./special-tokens.ts";
import { t5Scheme } from "./t5.ts";
import type { Token } from "./unigram.ts";

export interface EncodedText {
  ids: number[];
  /** How many of them are no padding. */
  numTokens: number;
  /** Whether the text was too long and a part of it was cut off. */
  isCut: boolean;
}

const SCHEMES = { clip: clipScheme, t5: t5Scheme, qwen2: qwen2Scheme } as const;

export type TokenizerFamily = keyof typeof SCHEMES;

/** The classes of transformers 5 and their older names. */
const CLASSES: Readonly<Record<string, TokenizerFamily>> = {
  CLIPTokenizer: "clip",
  CLIPTokenizerFast: "clip",
  T5Tokenizer: "t5",
  T5TokenizerFast: "t5",
  Qwen2Tokenizer: "qwen2",
  Qwen2TokenizerFast: "qwen2",
};

/** Above this, a tokenizer has no limit of its own: it is saved as 1e30. */
const UNLIMITED = 1e9;
const isId = isWhole({ min: 0, max: MAX_VOCABULARY });

export class Tokenizer {
  /** The longest text, in tokens, that the checkpoint allows; Infinity if it sets no limit. */
  readonly maxLength: number;
  /** The file that contains the vocabulary. */
  readonly file: string;
  /** The texts of the special tokens that have names. */
  readonly roles: ReadonlyMap<string, string>;
  readonly #scheme: Scheme;
  readonly #added: AddedVocabulary;
  readonly #frame: Frame;
  readonly #pad: number;
  readonly #sides: { padding: "left" | "right"; truncation: "left" | "right" };

  private constructor(
    folder: TokenizerFolder,
    scheme: Scheme,
    added: AddedVocabulary,
    roles: ReadonlyMap<string, string>,
  ) {
    this.file = scheme.file;
    this.roles = roles;
    this.maxLength = maxLengthOf(folder.config);
    this.#scheme = scheme;
    this.#added = added;
    this.#sides = { padding: folder.side("padding_side"), truncation: folder.side("truncation_side") };
    const idOf = (role: string): number => {
      const token = roles.get(role);
      if (token === undefined) throw invalid(folder.config.file, `${role} must be a token`, null);
      const id = added.idOf(token) ?? added.idOf(roles.get("unk_token") ?? "");
      if (isId(id)) return id;
      throw invalid(folder.config.file, `${role} must be in the vocabulary`, token);
    };
    this.#frame = scheme.frame(idOf);
    this.#pad = idOf("pad_token");
  }

  /**
   * Reads the tokenizer of a component folder, as the class does that `model_index.json` names.
   * @param family what the component is taken for if the index names no class
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file.
   */
  static async read(checkpoint: Checkpoint, component: string, family: TokenizerFamily): Promise<Tokenizer> {
    const makeScheme = SCHEMES[(await familyOf(checkpoint, component)) ?? family];
    const folder = await TokenizerFolder.open(checkpoint, component);
    const gathered = gatherFields(folder.tokens);
    const scheme = await makeScheme(folder, gathered);
    const { added, roles } = specialTokens(
      folder.config.file,
      { ...gathered, fields: scheme.fields },
      scheme.isSpecialAddedAgain,
    );
    const { split_special_tokens: splitSpecial = false } = folder.config.fields;
    if (typeof splitSpecial !== "boolean") {
      throw invalid(folder.config.file, "split_special_tokens must be true or false", splitSpecial);
    }
    const normalize = (text: string): string => scheme.normalize(text);
    const vocabulary = new AddedVocabulary(added, { vocabulary: scheme.vocabulary, normalize, splitSpecial });
    return new Tokenizer(folder, scheme, vocabulary, roles);
  }

  /**
   * Encodes `text` to exactly `length` ids, with numbered tokens in the place of those that they belong to. Whatever
   * does not fit is cut off before the end token, or at the beginning if the folder says so.
   * @throws RetouchError CHECKPOINT_INVALID if the vocabulary fails on this text
   */
  encode(text: string, length: number): EncodedText {
    return this.encodeAsIs(this.#withNumbered(text), length);
  }

  /** As {@link encode}, but nothing in the text is replaced. */
  encodeAsIs(text: string, length: number): EncodedText {
    const { begin, end } = this.#frame;
    const whole = this.#tokens(text).map(({ id }) => id);
    const room = Math.max(0, length - begin.length - end.length);
    const isCut = whole.length > room;
    const kept = !isCut
      ? whole
      : this.#sides.truncation === "right"
        ? whole.slice(0, room)
        : whole.slice(-room || whole.length);
    const ids = [...begin, ...kept, ...end].slice(-length);
    const padding = Array<number>(length - ids.length).fill(this.#pad);
    const padded = this.#sides.padding === "right" ? [...ids, ...padding] : [...padding, ...ids];
    return { ids: padded, numTokens: ids.length, isCut };
  }

  #tokens(text: string): Token[] {
    return this.#added
      .split(text)
      .flatMap((part) => (typeof part === "string" ? this.#scheme.tokens(part) : [part]));
  }

  /**
   * Puts `<x> <x>_1 <x>_2` in the place of `<x>` if those are added tokens: embeddings of several vectors are kept like
   * this, and diffusers' pipelines replace them so.
   */
  #withNumbered(text: string): string {
    const found = new Set(this.#tokens(text).map((token) => token.text));
    let result = text;
    for (const token of found) {
      if (!this.#added.has(token)) continue;
      let replacement = token;
      for (let index = 1; this.#added.has(`${token}_${index}`); index += 1)
        replacement += ` ${token}_${index}`;
      result = result.replaceAll(token, () => replacement);
    }
    return result;
  }
}

async function familyOf(checkpoint: Checkpoint, component: string): Promise<TokenizerFamily | undefined> {
  const index = await checkpoint.config("model_index.json");
  const entry = index.get(component);
  const name: unknown = Array.isArray(entry) ? entry[1] : undefined;
  if (name === undefined || name === null) return undefined;
  const family = typeof name === "string" && Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (family !== undefined) return family;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${index.file}, ${component} is a ${shownValue(name)}; a CLIPTokenizer, a T5Tokenizer or a Qwen2Tokenizer is wanted.`,
  );
}

/** The older name of the field counts only where the newer one is absent. */
function maxLengthOf(config: Config): number {
  const name = Object.hasOwn(config.fields, "model_max_length") ? "model_max_length" : "max_len";
  const value = config.get(name) ?? Infinity;
  return typeof value === "number" && value > UNLIMITED ? Infinity : config.count(name, UNLIMITED);
}
