/**
 * What a checkpoint says of itself to people who try it: `retouch.json` beside `model_index.json`. It names what the model is
 * good for, so that nobody judges it by what it was never shown.
 */
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type Config, isRecord } from "../weights/config.ts";

/** Beside `model_index.json`. */
export const CARD_FILE = "retouch.json";

export interface ModelCard {
  /** For people. */
  title: string;
  /** One or two sentences: what it is, and what it does well. */
  summary: string;
  /** Side of the square that it draws at, in pixels. */
  nativeSide: number;
  /** What to expect of a photograph, in a sentence; absent where the model is good at them. */
  photographs?: string | undefined;
  /** Instructions that it follows well. */
  suggestions: readonly Suggestion[];
}

export interface Suggestion {
  instruction: string;
  /** Whether it works for any picture, photographs among them. @default false */
  suitsAny?: boolean | undefined;
}

const MAX_TITLE = 80;
const MAX_SENTENCE = 400;
const MAX_SUGGESTIONS = 40;
const MAX_INSTRUCTION = 200;
const MAX_NATIVE_SIDE = 8192;

/** @throws RetouchError CHECKPOINT_INVALID naming what is wrong in the file; @returns undefined if there is none */
export async function readModelCard(checkpoint: Checkpoint): Promise<ModelCard | undefined> {
  if (!(await checkpoint.has(CARD_FILE))) return undefined;
  const file = await checkpoint.config(CARD_FILE);
  return {
    title: text(file, "title", MAX_TITLE),
    summary: text(file, "summary", MAX_SENTENCE),
    nativeSide: file.count("native_side", MAX_NATIVE_SIDE),
    ...(file.get("photographs") !== undefined && { photographs: text(file, "photographs", MAX_SENTENCE) }),
    suggestions: suggestionsOf(file),
  };
}

function text(file: Config, name: string, max: number): string {
  const value = file.get(name);
  if (!isText(value, max)) throw file.invalid(name, `a text of 1 to ${max} characters`);
  return value;
}

function suggestionsOf(file: Config): Suggestion[] {
  const list = file.get("suggestions");
  const areValid = Array.isArray(list) && list.length <= MAX_SUGGESTIONS && list.every(isSuggestion);
  if (!areValid) {
    const each = `each with an instruction of 1 to ${MAX_INSTRUCTION} characters and suits_any, true or false`;
    throw file.invalid("suggestions", `a list of at most ${MAX_SUGGESTIONS}, ${each}`);
  }
  return list.map(({ instruction, suits_any: suitsAny = false }) => ({ instruction, suitsAny }));
}

interface Written {
  instruction: string;
  suits_any?: boolean;
}

const isSuggestion = (value: unknown): value is Written =>
  isRecord(value) &&
  isText(value["instruction"], MAX_INSTRUCTION) &&
  ["boolean", "undefined"].includes(typeof value["suits_any"]);

const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.trim() !== "" && value.length <= max;
