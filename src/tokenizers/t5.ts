/** T5's unigram tokenizer, as its class is built from pieces and a character map, whichever file holds them. */
import { messageOf, RetouchError } from "../errors.ts";
import { isWhole } from "../weights/config.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";
import { readCharsmap } from "./charsmap.ts";
import { invalid, isObject } from "./check-definition.ts";
import type { TokenizerFolder } from "./folder.ts";
import type { Scheme } from "./scheme.ts";
import { CONTROL, readSentencePiece, USER_DEFINED } from "./sentencepiece.ts";
import type { GatheredFields } from "./special-tokens.ts";
import { contentOf, newToken } from "./token-values.ts";
import { type Pieces, Unigram } from "./unigram.ts";

const MODEL = "spiece.model";
const DEFAULTS = { eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" } as const;
const DEFAULT_EXTRA_IDS = 100;
/** The most placeholders of T5's training; the published model has 100. */
const MAX_EXTRA_IDS = 10_000;
/** The class's, whatever a file says. */
const UNKNOWN_ID = 2;
/** Stands for the space before a word. */
const SPACE_MARK = "▁";

interface Source {
  file: string;
  pieces: Pieces;
  /** Undefined if the text stays as it is. */
  charsmap: Buffer | undefined;
  fields: Record<string, unknown>;
}

/** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID, naming the file */
export async function t5Scheme(folder: TokenizerFolder, gathered: GatheredFields): Promise<Scheme> {
  const numExtraIds = extraIds(folder, gathered.fields);
  const source = folder.definition
    ? fromDefinition(folder, gathered.fields)
    : await fromModel(folder, gathered.fields, numExtraIds);
  const { file, pieces } = source;
  if (pieces.length <= UNKNOWN_ID) {
    throw invalid(file, `its vocabulary must have more than ${UNKNOWN_ID} pieces`, pieces.length);
  }
  const normalize = source.charsmap === undefined ? (text: string) => text : readCharsmap(source.charsmap);
  if (normalize === undefined) {
    throw new RetouchError("CHECKPOINT_INVALID", `The tokenizer file ${file} has a damaged character map.`);
  }
  const model = new Unigram(pieces, UNKNOWN_ID);
  const fields: Record<string, unknown> = { ...DEFAULTS, ...source.fields };
  fields["additional_special_tokens"] = withPlaceholders(
    folder,
    fields["additional_special_tokens"],
    numExtraIds,
  );
  return {
    file,
    fields,
    vocabulary: model,
    frame: (idOf) => ({ begin: [], end: [idOf("eos_token")] }),
    normalize,
    tokens: (text) => wordsOf(text).flatMap((word) => model.tokens(word)),
  };
}

function extraIds({ tokens }: TokenizerFolder, fields: Record<string, unknown>): number {
  const count = Object.hasOwn(fields, "extra_ids") ? fields["extra_ids"] : DEFAULT_EXTRA_IDS;
  if (isWhole({ min: -MAX_EXTRA_IDS, max: MAX_EXTRA_IDS })(count)) return Math.max(0, count);
  throw invalid(tokens.names.config, `extra_ids must be a whole number from 0 to ${MAX_EXTRA_IDS}`, count);
}

/** The placeholders join a list that has none. */
function withPlaceholders({ tokens }: TokenizerFolder, listed: unknown, count: number): unknown[] {
  const file = tokens.names.config;
  const own = listed ?? [];
  if (!Array.isArray(own)) throw invalid(file, "additional_special_tokens must be a list of tokens", own);
  const present = own.filter((token) => contentOf(token)?.includes("<extra_id_")).length;
  if (present === 0)
    return [...(own as unknown[]), ...Array.from({ length: count }, (_, index) => placeholder(index))];
  if (count > 0 && count !== present) {
    throw invalid(
      file,
      `additional_special_tokens has ${present} placeholders, extra_ids must be as many`,
      count,
    );
  }
  return own;
}

const placeholder = (index: number): string => `<extra_id_${index}>`;

function fromDefinition({ definition, config }: TokenizerFolder, fields: Record<string, unknown>): Source {
  const { file, fields: json } = definition!;
  const { vocab } = json["model"] as { vocab: unknown };
  if (!Array.isArray(vocab)) throw invalid(file, "model.vocab must be a list of pieces and scores", vocab);
  const charsmap = charsmapOf(file, json["normalizer"]);
  const name = "_spm_precompiled_charsmap";
  const given = config.get(name);
  if (charsmap === undefined && given !== undefined)
    throw invalid(config.file, `${name} cannot come from a file`, given);
  return { file, pieces: vocab as unknown as Pieces, charsmap, fields };
}

/** The first character map among the steps of a normaliser; all other steps are dropped. */
function charsmapOf(file: string, normalizer: unknown): Buffer | undefined {
  if (!isObject(normalizer)) return undefined;
  const steps = normalizer["type"] === "Sequence" ? normalizer["normalizers"] : [normalizer];
  if (!Array.isArray(steps)) throw invalid(file, "normalizer.normalizers must be a list", steps);
  const step = (steps as unknown[]).find((each) => isObject(each) && each["type"] === "Precompiled");
  if (!isObject(step) || !Object.hasOwn(step, "precompiled_charsmap")) return undefined;
  const charsmap = step["precompiled_charsmap"];
  if (typeof charsmap === "string") return Buffer.from(charsmap, "base64");
  throw invalid(file, "normalizer.precompiled_charsmap must be a text", charsmap);
}

async function fromModel(
  folder: TokenizerFolder,
  fields: Record<string, unknown>,
  numExtraIds: number,
): Promise<Source> {
  const name = folder.modelName(MODEL);
  const file = folder.path(name);
  const bytes = await folder.bytes(name);
  let model;
  try {
    model = readSentencePiece(bytes);
  } catch (cause) {
    const message = `The checkpoint file ${file} is damaged: ${messageOf(cause)}.`;
    throw new RetouchError("CHECKPOINT_INVALID", message, { cause });
  }
  // The placeholders of T5's training are not in the file: they follow its pieces, the last one first.
  const extra = Array.from({ length: numExtraIds }, (_, index): [string, number] => [placeholder(index), 0]);
  const found = model.pieces.filter(({ type }) => type === CONTROL || type === USER_DEFINED);
  const listed = found.map(({ text, type }) =>
    newToken(file, "a piece", { content: text, normalized: false, special: type === CONTROL }),
  );
  const pieces = [
    ...model.pieces.map(({ text, score }): [string, number] => [text, score]),
    ...extra.toReversed(),
  ];
  if (pieces.length > MAX_VOCABULARY)
    throw invalid(file, `it must have up to ${MAX_VOCABULARY} pieces`, pieces.length);
  return {
    file,
    pieces,
    charsmap: model.charsmap?.length === 0 ? undefined : model.charsmap,
    fields: { ...fields, additional_special_tokens: listed },
  };
}

/** Words begin with a mark for the space before them, and nowhere else has one. */
const wordsOf = (text: string): string[] =>
  text
    .split(/\p{White_Space}+/u)
    .filter((word) => word !== "")
    .flatMap((word) => (word.startsWith(SPACE_MARK) ? word : SPACE_MARK + word).match(/▁[^▁]*/gu) ?? []);
