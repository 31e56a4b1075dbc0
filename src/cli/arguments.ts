/** Turns command-line arguments into the library's terms; the library itself checks ranges. */
import path from "node:path";
import { byteSize } from "../config/parsers.ts";
import { anyOf, invalid, shownValue } from "../errors.ts";
import {
  type AccelerationMode,
  ACCELERATIONS,
  COMPUTE_TYPES,
  type ComputeType,
  DEVICE_CHOICES,
  type DeviceChoice,
  EDIT_PARAMETERS,
  type ImageLayout,
  IMAGE_SIZES,
  type ImageSize,
  type LoraUse,
  type OutputFormat,
  type Preserve,
  PRESERVES,
  REFERENCE_CACHES,
  type ReferenceCache,
  type RetouchError,
  type SamplerName,
  SAMPLERS,
  type Size,
  type SizeRule,
  WEIGHTS_CHOICES,
  type WeightsChoice,
} from "../index.ts";
import { COMMAND } from "./surfaces.ts";

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const SIZE = /^(\d{1,9})[x*×](\d{1,9})$/i;

/**
 * Reads a decimal number such as 28, 2.5 or 1e3; Number() alone would take "", "0x1F" and "Infinity" too.
 * @param field the library's name of what the number is for
 */
export function numberOf(field: string): (text: string) => number {
  return (text) => {
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value)) throw wrong(field, "a number", text);
    return value;
  };
}

/** Reads comma-separated numbers, such as 1,0.6,0.2. */
export function parseSigmas(text: string): number[] {
  return text.split(",").map((part) => {
    if (!NUMBER.test(part.trim())) throw wrong("sigmas", "comma-separated numbers", text);
    return Number(part);
  });
}

/** Reads a width and a height such as 1024x768 or 1024*768, auto, or source. */
export function parseSize(text: string): Size | ImageSize {
  const word = IMAGE_SIZES.find((size) => size === text);
  if (word !== undefined) return word;
  const match = SIZE.exec(text);
  if (match === null) {
    throw wrong("size", `a width and a height such as 1024x768, ${anyOf(IMAGE_SIZES)}`, text);
  }
  return { width: Number(match[1]), height: Number(match[2]) };
}

const MEMORY = byteSize("100MB", "4096GB");

/** Reads a size such as 12GB, like RETOUCH_MEMORY_LIMIT; returns bytes. */
export function parseMemory(text: string): number {
  const bytes = MEMORY.parse(text);
  if (bytes === undefined) {
    throw wrong("memoryLimit", MEMORY.accepts, text);
  }
  return bytes;
}

/** Reads off, exact or auto. */
export function parsePreserve(text: string): Preserve {
  const mode = PRESERVES.find((preserve) => preserve === text);
  if (mode === undefined) throw wrong("preserve", anyOf(PRESERVES), text);
  return mode;
}

/** Reads off or auto. */
export function parseAcceleration(text: string): AccelerationMode {
  const mode = ACCELERATIONS.find((known) => known === text);
  if (mode === undefined) throw wrong("acceleration", anyOf(ACCELERATIONS), text);
  return mode;
}

/** Reads the format of a result. */
export function parseFormat(text: string): OutputFormat {
  const { choices } = EDIT_PARAMETERS.format;
  const format = choices.find((known) => known === text);
  if (format !== undefined) return format;
  throw wrong("format", anyOf(choices), text);
}

/** Reads the name of a device, or auto. */
export function parseDevice(text: string): DeviceChoice {
  const device = DEVICE_CHOICES.find((name) => name === text);
  if (device !== undefined) return device;
  throw wrong("device", listed(DEVICE_CHOICES), text);
}

/** Reads what the transformer computes in. */
export function parseComputeType(text: string): ComputeType {
  const type = COMPUTE_TYPES.find((known) => known === text);
  if (type !== undefined) return type;
  throw wrong("computeType", listed(COMPUTE_TYPES), text);
}

/** Reads whether the references' keys and values are kept. */
export function parseReferenceCache(text: string): ReferenceCache {
  const kind = REFERENCE_CACHES.find((known) => known === text);
  if (kind !== undefined) return kind;
  throw wrong("referenceCache", anyOf(REFERENCE_CACHES), text);
}

/** Reads whose sizes an edit takes. */
export function parseSizeRule(text: string): SizeRule {
  const { choices } = EDIT_PARAMETERS.sizeRule;
  const rule = choices.find((known) => known === text);
  if (rule !== undefined) return rule;
  throw wrong("sizeRule", anyOf(choices), text);
}

/** Reads a number of steps, or the word for what was measured to be enough. */
export const parseSteps = (text: string): number | "auto" =>
  text === EDIT_PARAMETERS.numSteps.word ? text : numberOf("numSteps")(text);

/** Reads how steps are taken. */
export function parseSampler(text: string): SamplerName {
  const sampler = SAMPLERS.find((known) => known === text);
  if (sampler !== undefined) return sampler;
  throw wrong("sampler", anyOf(SAMPLERS), text);
}

/** Reads how several images are taken. */
export function parseImageLayout(text: string): ImageLayout {
  const { choices } = EDIT_PARAMETERS.imageLayout;
  const layout = choices.find((known) => known === text);
  if (layout !== undefined) return layout;
  throw wrong("imageLayout", anyOf(choices), text);
}

/** Reads how weights are kept in memory. */
export function parseWeights(text: string): WeightsChoice {
  const choice = WEIGHTS_CHOICES.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw wrong("weights", listed(WEIGHTS_CHOICES), text);
}

const LORA = /^(.+):([^:\\/]+)$/s;

export interface LoraArgument {
  file: string;
  scale: number;
}

/**
 * Reads `FILE` or `FILE:scale` and appends it to the previous ones. What follows the last colon counts as a
 * scale only if it is a number: paths have colons too.
 */
export function addLora(text: string, before: readonly LoraArgument[] = []): LoraArgument[] {
  const [, file, scale] = LORA.exec(text) ?? [];
  if (file === undefined || !NUMBER.test(scale!))
    return [...before, { file: text, scale: EDIT_PARAMETERS.loras.scale.default }];
  const value = Number(scale);
  const { min, max } = EDIT_PARAMETERS.loras.scale;
  if (!(value >= min && value <= max)) {
    throw invalid(
      "range",
      {
        field: "loras[].scale",
        wanted: "a number",
        min,
        max,
        given: scale!,
      },
      { surface: COMMAND },
    );
  }
  return [...before, { file, scale: value }];
}

/** Appends a file to the previous ones, for a flag that may be repeated. */
export const addFile = (file: string, before: readonly string[] = []): string[] => [...before, file];

/** Names for files: without folder and extension, or as given if two names would be equal. */
export function nameLoras(loras: readonly LoraArgument[]): {
  files: Record<string, string>;
  uses: LoraUse[];
} {
  const stemOf = ({ file }: LoraArgument): string => path.parse(file).name;
  const named = loras.map((lora) => {
    const rivals = loras.filter((other) => stemOf(other) === stemOf(lora) && other.file !== lora.file);
    return { ...lora, name: rivals.length > 0 ? lora.file : stemOf(lora) };
  });
  return {
    files: Object.fromEntries(named.map(({ name, file }) => [name, file])),
    uses: named.map(({ name, scale }) => ({ name, scale })),
  };
}

/** Fields have the library's names; the surface translates them into the command's. */
const wrong = (field: string, choices: string, text: string): RetouchError =>
  invalid("oneOf", { field, choices, given: shownValue(text) }, { surface: COMMAND });

const listed = (names: readonly string[]): string => `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
