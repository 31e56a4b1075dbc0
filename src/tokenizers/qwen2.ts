/** Qwen's byte-pair tokenizer, as its class is built from a vocabulary and its merges, whichever files hold them. */
import { RetouchError } from "../errors.ts";
import { shownValue } from "../weights/config.ts";
import { bytePairModel, readBytePairs, visibleBytes } from "./byte-pairs.ts";
import { invalid, isObject } from "./check-definition.ts";
import type { TokenizerFolder } from "./folder.ts";
import type { Frame, Scheme } from "./scheme.ts";
import type { GatheredFields } from "./special-tokens.ts";
import { composed, partsOf } from "./unicode.ts";

/**
 * How the class cuts a text before merging: contractions; letters with one other character before them; single digits;
 * runs of anything else with the line breaks behind them; white space. The long s is an s to the reference's engine.
 */
const PARTS =
  /'(?:[sS\u017F]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const DEFAULTS = {
  unk_token: "<|endoftext|>",
  bos_token: null,
  eos_token: "<|endoftext|>",
  pad_token: "<|endoftext|>",
} as const;

/** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file */
export async function qwen2Scheme(folder: TokenizerFolder, gathered: GatheredFields): Promise<Scheme> {
  const { file, vocabulary, merges } = await readBytePairs(folder);
  const merge = bytePairModel(merges);
  const prefix = prefixOf(folder);
  // A byte that the vocabulary lacks is left out, and its neighbours may merge.
  const known = (word: string): string => [...word].filter((symbol) => vocabulary.has(symbol)).join("");
  return {
    file,
    fields: { ...DEFAULTS, ...gathered.fields },
    vocabulary: { size: vocabulary.size, idOf: (token) => vocabulary.get(token) },
    isSpecialAddedAgain: true,
    frame: (idOf) => frameOf(folder, gathered, idOf),
    normalize: composed,
    tokens: (text) =>
      partsOf(text, PARTS)
        .map((part) => known(visibleBytes(part.startsWith(" ") ? part : prefix + part)))
        .filter((word) => word !== "")
        .flatMap((word) => merge(word).map((symbol) => ({ id: vocabulary.get(symbol)!, text: symbol }))),
  };
}

/** What is put before every part that does not begin with a space. */
function prefixOf({ config }: TokenizerFolder): string {
  const name = "add_prefix_space";
  const value = config.get(name) ?? false;
  if (typeof value === "boolean") return value ? " " : "";
  throw invalid(config.file, `${name} must be true or false`, value);
}

/**
 * A definition's own step after the model is kept; without one, two fields say whether a text is framed by its first and
 * last token. The fields are not looked at beside a definition.
 */
function frameOf(folder: TokenizerFolder, { fields }: GatheredFields, idOf: (role: string) => number): Frame {
  if (folder.definition)
    return processorFrame(folder.definition.file, folder.definition.fields["post_processor"]);
  const side = (flag: string, role: "bos_token" | "eos_token"): number[] =>
    isTrue(fields[flag]) && isTrue(role in fields ? fields[role] : DEFAULTS[role]) ? [idOf(role)] : [];
  return { begin: side("add_bos_token", "bos_token"), end: side("add_eos_token", "eos_token") };
}

const EMPTY: Frame = { begin: [], end: [] };
const isTrue = (value: unknown): boolean => Boolean(value);

/** @throws RetouchError CHECKPOINT_UNSUPPORTED for a step that adds tokens in a way of its own */
function processorFrame(file: string, processor: unknown): Frame {
  if (processor === undefined || processor === null) return EMPTY;
  const several =
    isObject(processor) && processor["type"] === "Sequence" ? processor["processors"] : undefined;
  const steps = Array.isArray(several) ? (several as unknown[]) : [processor];
  const [frame = EMPTY, second] = steps
    .map((step) => stepFrame(file, step))
    .filter(({ begin, end }) => begin.length + end.length > 0);
  if (second === undefined) return frame;
  throw new RetouchError("CHECKPOINT_UNSUPPORTED", `In ${file}, post_processor frames a text twice.`);
}

function stepFrame(file: string, step: unknown): Frame {
  if (!isObject(step)) throw invalid(file, "post_processor must be an object", step);
  const { type } = step;
  if (type === "ByteLevel") return EMPTY;
  if (type === "TemplateProcessing") return templateFrame(file, step);
  if (type === "RobertaProcessing" || type === "BertProcessing") return pairFrame(file, type, step);
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${file}, post_processor is ${shownValue(type)}; known are ByteLevel, TemplateProcessing, RobertaProcessing and BertProcessing.`,
  );
}

/** The text between two tokens, each given as its text and id. */
function pairFrame(file: string, type: string, step: Readonly<Record<string, unknown>>): Frame {
  const idOf = (side: "cls" | "sep"): number => {
    const token = step[side];
    const id: unknown = Array.isArray(token) && token.length === 2 ? token[1] : undefined;
    if (typeof id === "number" && Number.isInteger(id)) return id;
    throw invalid(file, `${type}'s ${side} must be a token and its id`, token);
  };
  return { begin: [idOf("cls")], end: [idOf("sep")] };
}

function templateFrame(file: string, processor: Readonly<Record<string, unknown>>): Frame {
  const { single, special_tokens: special } = processor;
  if (!Array.isArray(single) || !isObject(special)) {
    throw invalid(file, "post_processor must have a list single and an object special_tokens", single);
  }
  const frame: { begin: number[]; end: number[] } = { begin: [], end: [] };
  let hasText = false;
  for (const piece of single as unknown[]) {
    const [kind, value] = isObject(piece) ? (Object.entries(piece)[0] ?? []) : [];
    if (kind === "Sequence" && !hasText) {
      hasText = true;
      continue;
    }
    const name = isObject(value) ? value["id"] : undefined;
    const token = typeof name === "string" && Object.hasOwn(special, name) ? special[name] : undefined;
    const ids = isObject(token) ? token["ids"] : undefined;
    if (kind !== "SpecialToken" || !Array.isArray(ids) || !ids.every((id) => Number.isInteger(id))) {
      throw invalid(file, "post_processor.single must have the text once, and tokens with ids", piece);
    }
    frame[hasText ? "end" : "begin"].push(...(ids as number[]));
  }
  if (!hasText) throw invalid(file, "post_processor.single must have the text once", single);
  return frame;
}
