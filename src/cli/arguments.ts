/** Turns the words of a command line into the library's terms; what is out of range is the library's to say. */
import path from "node:path";
import { byteSize } from "../config/parsers.ts";
import { shownValue } from "../errors.ts";
import {
  DEVICE_CHOICES,
  type DeviceChoice,
  type LoraUse,
  type OutputFormat,
  RetouchError,
  type Size,
  WEIGHTS_CHOICES,
  type WeightsChoice,
} from "../index.ts";

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const SIZE = /^(\d{1,9})[x*×](\d{1,9})$/i;

/** Reads a decimal number such as 28, 2.5 or 1e3; Number() alone would take "", "0x1F" and "Infinity" too. */
export function numberOf(flag: string): (text: string) => number {
  return (text) => {
    const value = NUMBER.test(text) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value)) throw invalid(`${flag} must be a number, not ${shownValue(text)}.`);
    return value;
  };
}

/** Reads a width and a height such as 1024x768 or 1024*768. */
export function parseSize(text: string): Size {
  const match = SIZE.exec(text);
  if (match === null) {
    throw invalid(`--size must be a width and a height such as 1024x768, not ${shownValue(text)}.`);
  }
  return { width: Number(match[1]), height: Number(match[2]) };
}

const MEMORY = byteSize("100MB", "4096GB");

/** Reads a size such as 12GB, as RETOUCH_MEMORY_LIMIT has it: bytes. */
export function parseMemory(text: string): number {
  const bytes = MEMORY.parse(text);
  if (bytes === undefined) {
    throw invalid(`--memory-limit must be ${MEMORY.accepts}, not ${shownValue(text)}.`);
  }
  return bytes;
}

/** Reads png or jpeg. */
export function parseFormat(text: string): OutputFormat {
  if (text === "png" || text === "jpeg") return text;
  throw invalid(`--format must be png or jpeg, not ${shownValue(text)}.`);
}

/** Reads the name of a device, or auto. */
export function parseDevice(text: string): DeviceChoice {
  const device = DEVICE_CHOICES.find((name) => name === text);
  if (device !== undefined) return device;
  throw invalid(`--device must be auto, cpu, cuda, webgpu, coreml or dml, not ${shownValue(text)}.`);
}

/** Reads what weights are to be in memory. */
export function parseWeights(text: string): WeightsChoice {
  const choice = WEIGHTS_CHOICES.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw invalid(`--weights must be auto, fp32, fp16, bf16, int8 or int4, not ${shownValue(text)}.`);
}

const LORA = /^(.+):([^:\\/]+)$/s;
const MAX_LORA_SCALE = 10;

export interface LoraArgument {
  file: string;
  scale: number;
}

/**
 * Reads `FILE` or `FILE:scale` and puts it after those before. What follows the last colon counts as a scale only where
 * it is a number: paths have colons too.
 */
export function addLora(text: string, before: readonly LoraArgument[] = []): LoraArgument[] {
  const [, file, scale] = LORA.exec(text) ?? [];
  if (file === undefined || !NUMBER.test(scale!)) return [...before, { file: text, scale: 1 }];
  const value = Number(scale);
  if (!(Math.abs(value) <= MAX_LORA_SCALE)) {
    throw invalid(
      `The scale in --lora must be a number from -${MAX_LORA_SCALE} to ${MAX_LORA_SCALE}, not ${scale}.`,
    );
  }
  return [...before, { file, scale: value }];
}

/** Puts a file after those before, for a flag that may be given several times. */
export const addFile = (file: string, before: readonly string[] = []): string[] => [...before, file];

/** Names for files: without folder and ending, or where two would be the same, as they were given. */
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

function invalid(sentence: string): RetouchError {
  return new RetouchError("INVALID_PARAMETER", sentence);
}

/** What the library's field names are called on the command line. */
const FLAGS: Record<string, string> = {
  prompt: "the prompt",
  negativePrompt: "--negative-prompt",
  trueCfgScale: "--true-cfg-scale",
  "size.width": "the width in --size",
  "size.height": "the height in --size",
  numSteps: "--steps",
  guidance: "--guidance",
  seed: "--seed",
  threads: "--threads",
  loras: "--lora",
  device: "--device",
  weights: "--weights",
};

/** Runs a check of the library, whose sentences begin with its field's name, and lets them begin with the flag's. */
export function withFlagNames<T>(check: () => T | Promise<T>): Promise<T> {
  return withNames(FLAGS, check);
}

/** The same with other names, by those of the library. */
export async function withNames<T>(
  names: Readonly<Record<string, string>>,
  check: () => T | Promise<T>,
): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof RetouchError) || error.code !== "INVALID_PARAMETER") throw error;
    const [field] = error.message.split(" ", 1);
    const name = names[field!];
    if (name === undefined) throw error;
    const sentence = name + error.message.slice(field!.length);
    throw new RetouchError("INVALID_PARAMETER", sentence, { cause: error });
  }
}
