/**
 * Text to token ids of a fixed length, as the pipelines of diffusers make them: cut, ended, padded. The splitting is
 * done by @huggingface/tokenizers; where a folder has no `tokenizer.json`, it is put together from the vocabulary.
 * What that library does otherwise than the reference is prepared here, before it sees the text.
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { RetouchError } from "../errors.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Config } from "../weights/config.ts";
import { readCharsmap } from "./charsmap.ts";
import { clipDefinition } from "./clip-definition.ts";
import { t5Definition } from "./t5-definition.ts";

export interface EncodedText {
  ids: number[];
  /** Whether the end of the text did not fit. */
  isCut: boolean;
}

/** What differs between the two families. */
const FAMILIES = {
  clip: {
    endToken: "<|endoftext|>",
    padToken: "<|endoftext|>",
    definition: clipDefinition,
    // The library takes a text that equals a special token once lower-cased for that token; a space prevents it.
    prepare: (text: string): string => ` ${text}`,
  },
  t5: {
    endToken: "</s>",
    padToken: "<pad>",
    definition: t5Definition,
    // JavaScript counts the byte order mark as white space and the next-line character not; the reference has it the
    // other way round. The stand-in is a noncharacter, unknown to every vocabulary as the mark is.
    prepare: (text: string): string => text.replaceAll("\uFEFF", "\uFDD0").replaceAll("\u0085", " "),
  },
} as const;

export type TokenizerFamily = keyof typeof FAMILIES;

export class Tokenizer {
  /** The longest text that the checkpoint names, Infinity where it names none. */
  readonly maxLength: number;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #prepare: (text: string) => string;
  readonly #endId: number;
  readonly #padId: number;

  private constructor(
    tokenizer: HuggingFaceTokenizer,
    fields: { maxLength: number; prepare: (text: string) => string; endId: number; padId: number },
  ) {
    this.#tokenizer = tokenizer;
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
    const { endToken, padToken, definition, prepare } = FAMILIES[family];
    const config = await checkpoint.config(`${component}/tokenizer_config.json`);
    const json = (await checkpoint.has(`${component}/tokenizer.json`))
      ? (await checkpoint.config(`${component}/tokenizer.json`)).fields
      : await definition(checkpoint, component);
    const { definition: plain, normalise } = withoutCharsmap(json as { normalizer?: Normalizer | null });
    const tokenizer = new HuggingFaceTokenizer(plain, config.fields);
    const idOf = (role: string, fallback: string): number => {
      const token = tokenText(config, role) ?? fallback;
      const id = tokenizer.token_to_id(token);
      if (id === undefined) {
        throw new RetouchError(
          "CHECKPOINT_INVALID",
          `In ${config.file}, ${role} ${token} is not in the vocabulary.`,
        );
      }
      return id;
    };
    // A tokenizer without a limit of its own is saved with 1e30.
    const maxLength = config.number("model_max_length", Infinity);
    return new Tokenizer(tokenizer, {
      maxLength: maxLength > 1e9 ? Infinity : maxLength,
      prepare: (text) => prepare(normalise(text)),
      endId: idOf("eos_token", endToken),
      padId: idOf("pad_token", padToken),
    });
  }

  /** Encodes `text` to exactly `length` ids. What does not fit is cut off before the end token. */
  encode(text: string, length: number): EncodedText {
    const { ids } = this.#tokenizer.encode(this.#prepare(text));
    const isCut = ids.length > length;
    if (isCut) return { ids: [...ids.slice(0, length - 1), this.#endId], isCut };
    return { ids: [...ids, ...Array<number>(length - ids.length).fill(this.#padId)], isCut };
  }
}

interface Normalizer {
  type: string;
  normalizers?: Normalizer[];
  precompiled_charsmap?: string;
}

/** Takes a compiled character map that comes first out of a definition, and returns it as a function. */
function withoutCharsmap(definition: { normalizer?: Normalizer | null }): {
  definition: object;
  normalise: (text: string) => string;
} {
  const { normalizer } = definition;
  const steps =
    normalizer?.type === "Sequence" ? (normalizer.normalizers ?? []) : normalizer ? [normalizer] : [];
  const [first, ...rest] = steps;
  if (first?.type !== "Precompiled") return { definition, normalise: (text) => text };
  const remaining = rest.length > 0 ? { type: "Sequence", normalizers: rest } : null;
  return {
    definition: { ...definition, normalizer: remaining },
    normalise: readCharsmap(first.precompiled_charsmap ?? ""),
  };
}

/** A special token is stored as its text or as an object around it. */
function tokenText(config: Config, role: string): string | undefined {
  const token = config.get(role);
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}
