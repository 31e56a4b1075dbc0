/** The edits that a checkpoint is calibrated with where the user has none: of the pictures that ship with this package. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { EditRequest } from "../index.ts";

const PICTURES = fileURLToPath(new URL("../../examples", import.meta.url));
const NAMES = ["bluebird", "car", "fox", "teapot"] as const;
/** Of all kinds: what is behind, what is there, how it looks, and where it is. */
const INSTRUCTIONS = [
  "change the background to a snowy landscape",
  "put a red balloon beside it",
  "make it green",
  "make it night",
  "turn the picture into a pencil drawing",
  "replace it with a guitar",
  "make it much smaller",
  "place it on a wooden table",
  "add an umbrella and make it rain",
  "mirror it",
] as const;
/** For each picture and instruction. */
const SEEDS = 2;

/** 80 edits, each with a seed of its own. */
export async function exampleEdits(): Promise<EditRequest[]> {
  const images = await Promise.all(NAMES.map((name) => readFile(path.join(PICTURES, `${name}.png`))));
  const each = images.flatMap((image) => INSTRUCTIONS.map((prompt) => ({ image, prompt })));
  return Array.from({ length: SEEDS * each.length }, (_, seed) => ({ ...each[seed % each.length]!, seed }));
}
