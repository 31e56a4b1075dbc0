/** What an edit is asked with and what it answers. Requests are checked here, once; inside, the types are trusted. */
import { randomInt } from "node:crypto";
import { isUint8Array } from "node:util/types";
import { cutText, invalid, shownValue } from "../errors.ts";
import type { OutputFormat } from "../images/encode.ts";
import { type LoraUse, MAX_LORA_SCALE, MAX_LORAS, unknownLora } from "../lora/use.ts";

export { type LoraUse, unknownLora };

/** A width and a height in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** One edit: a picture and an instruction, with every other field optional. */
export interface EditRequest {
  /** The picture: encoded bytes (JPEG, PNG, WebP, AVIF, GIF or TIFF). `readImageSource` gets them from a path or an address. */
  image: Uint8Array;
  /** What to change, 1 to 4,000 characters. */
  prompt: string;
  /** What to steer away from; costs a second pass a step. Blank means none. @default "" */
  negativePrompt?: string | undefined;
  /** Strength of the negative prompt, 1 to 10; at 1 it has no effect. @default 2 */
  trueCfgScale?: number | undefined;
  /** Size of the result, 16 to 4,096 a side. @default the picture's own, its longer side at most 1,536 */
  size?: Size | undefined;
  /** Euler steps, 1 to 50. @default 28 */
  numSteps?: number | undefined;
  /** Distilled guidance, 0 to 10. @default 2 */
  guidance?: number | undefined;
  /** 0 to 2^53 - 1, of which the low 32 bits count; -1 or nothing chooses one at random. @default -1 */
  seed?: number | undefined;
  /** @default "png" */
  format?: OutputFormat | undefined;
  /** Whether the result is checked for pornography, where the engine leaves the choice; previews never are. @default true */
  isSafetyChecked?: boolean | undefined;
  /** Whether the result has the picture's own pixels where nothing was edited; costs one more decoding. @default false */
  isUnchangedKept?: boolean | undefined;
  /** At most 4 of the engine's LoRAs, together; a scale from -10 to 10. @default [] */
  loras?: readonly { name: string; /** @default 1 */ scale?: number | undefined }[] | undefined;
}

/** A request with every field present and in range. */
export interface ResolvedRequest {
  prompt: string;
  negativePrompt: string;
  trueCfgScale: number;
  size: Size | undefined;
  numSteps: number;
  guidance: number;
  seed: number;
  format: OutputFormat;
  isSafetyChecked: boolean;
  isUnchangedKept: boolean;
  loras: readonly LoraUse[];
}

export const MAX_PROMPT_CHARACTERS = 4000;
const MAX_SHOWN_CHARACTERS = 100;
const MAX_RANDOM_SEED = 2 ** 32;

/**
 * Checks a request and fills in its defaults.
 * @throws RetouchError INVALID_PARAMETER with the field, its range and what was given
 */
export function resolveRequest(request: EditRequest): ResolvedRequest {
  const { image, size, format = "png", isSafetyChecked = true, isUnchangedKept = false } = request;
  if (!isUint8Array(image)) {
    throw invalid("type", {
      field: "image",
      wanted: "the bytes of an image in a Uint8Array; readImageSource gets them from a path",
    });
  }
  if (format !== "png" && format !== "jpeg") {
    throw invalid("oneOf", { field: "format", choices: "png or jpeg", given: shownValue(format) });
  }
  for (const [field, value] of Object.entries({ isSafetyChecked, isUnchangedKept })) {
    if (typeof value !== "boolean") {
      throw invalid("oneOf", { field, choices: "true or false", given: shownValue(value) });
    }
  }
  const seed = numberIn("seed", request.seed ?? -1, -1, Number.MAX_SAFE_INTEGER, { isInteger: true });
  return {
    prompt: promptText(request.prompt),
    negativePrompt: textWithin("negativePrompt", request.negativePrompt ?? ""),
    trueCfgScale: numberIn("trueCfgScale", request.trueCfgScale ?? 2, 1, 10),
    size: size === undefined ? undefined : sizeWithin(size),
    numSteps: numberIn("numSteps", request.numSteps ?? 28, 1, 50, { isInteger: true }),
    guidance: numberIn("guidance", request.guidance ?? 2, 0, 10),
    seed: seed === -1 ? randomInt(MAX_RANDOM_SEED) : seed,
    format,
    isSafetyChecked,
    isUnchangedKept,
    loras: lorasOf(request.loras ?? []),
  };
}

function lorasOf(loras: NonNullable<EditRequest["loras"]>): LoraUse[] {
  if (!Array.isArray(loras) || loras.length > MAX_LORAS) {
    throw invalid("tooMany", { field: "loras", max: MAX_LORAS });
  }
  return loras.map((entry: unknown, index) => {
    const { name, scale } = (entry ?? {}) as Partial<LoraUse>;
    if (typeof name !== "string") {
      throw invalid("type", { field: `loras[${index}].name`, wanted: "a string" });
    }
    return { name, scale: numberIn(`loras[${index}].scale`, scale ?? 1, -MAX_LORA_SCALE, MAX_LORA_SCALE) };
  });
}

function sizeWithin(size: Size): Size {
  const { width, height } = (size ?? {}) as Partial<Size>;
  return {
    width: numberIn("size.width", width, 16, 4096, { isInteger: true }),
    height: numberIn("size.height", height, 16, 4096, { isInteger: true }),
  };
}

function promptText(prompt: string): string {
  const text = textWithin("prompt", prompt);
  if (text.trim() === "") throw invalid("empty", { field: "prompt" });
  return text;
}

function textWithin(field: string, text: unknown): string {
  if (typeof text !== "string") throw invalid("type", { field, wanted: "a string" });
  const count = [...text].length;
  if (count > MAX_PROMPT_CHARACTERS) {
    throw invalid("tooLong", { field, max: MAX_PROMPT_CHARACTERS, count });
  }
  return text;
}

function numberIn(
  field: string,
  value: unknown,
  min: number,
  max: number,
  { isInteger = false }: { isInteger?: boolean } = {},
): number {
  const isValid =
    typeof value === "number" && value >= min && value <= max && (!isInteger || Number.isInteger(value));
  if (!isValid) {
    const wanted = isInteger ? "a whole number" : "a number";
    throw invalid("range", { field, wanted, min, max, given: cutText(String(value), MAX_SHOWN_CHARACTERS) });
  }
  return value;
}
