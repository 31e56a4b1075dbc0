/** The edits that acceleration is measured on, and others that the shipped checkpoint is calibrated with: scenes of evaluation/set. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type EditRequest, encodePicture, writeFileAtomically } from "../../src/index.ts";
import type { NativeScale } from "../../src/engine/sizes.ts";
import { drawnSize } from "../checkpoint.ts";
import { reducePicture } from "../measures.ts";
import type { EvaluationSet, Scene } from "../set.ts";

/** Two of five scenes calibrate, and the others are held out; ids go from kind to kind. */
const isCalibrating = ({ id }: Scene): boolean => id % 5 === 1 || id % 5 === 3;
/** The scenes on which the method was tried out. */
const isTried = ({ id }: Scene): boolean => id % 17 === 7;
const HELD_OUT = 200;

/** 200 scenes, spread over the kinds, that neither the calibration nor the choice of the method has seen. */
export function heldOut({ scenes }: EvaluationSet): Scene[] {
  const fitting = scenes.filter((scene) => !isCalibrating(scene) && !isTried(scene));
  return spread(fitting, HELD_OUT);
}

/** `count` of a list at even distances, in its order. */
export const spread = <Item>(list: readonly Item[], count: number): Item[] =>
  Array.from({ length: count }, (_, place) => list[Math.floor((place * list.length) / count)]!);

/** Of the scenes that are not held out, `count`, spread over the kinds. */
export function calibrating({ scenes }: EvaluationSet, count: number): Scene[] {
  const fitting = scenes.filter(isCalibrating);
  const inTurns = [0, 2, 1, 3].flatMap((turn) => fitting.filter((_, place) => place % 4 === turn));
  return inTurns.slice(0, count);
}

/** A scene as an edit at the network's own size. */
export async function requestOf(
  set: EvaluationSet,
  scene: Scene,
  native: NativeScale,
): Promise<EditRequest & { image: Uint8Array }> {
  const { source } = await set.scene(scene);
  const size = drawnSize(source, native);
  const image = await encodePicture(reducePicture(source, size.width, size.height), "png");
  return { image, prompt: scene.instruction, seed: scene.seed, size, numSteps: 28 };
}

/** Writes the calibrating edits as a file that `retouch calibrate` takes. */
export async function writeCalibrating(
  set: EvaluationSet,
  native: NativeScale,
  { folder, count }: { folder: string; count: number },
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const lines: string[] = [];
  for (const scene of calibrating(set, count)) {
    const { image, prompt, seed, size, numSteps } = await requestOf(set, scene, native);
    const name = `${scene.id}.png`;
    await writeFileAtomically(path.join(folder, name), image);
    const { width, height } = size as { width: number; height: number };
    const line = { image: name, prompt, seed, size: `${width}*${height}`, num_inference_steps: numSteps };
    lines.push(`${JSON.stringify(line)}\n`);
  }
  const file = path.join(folder, "edits.jsonl");
  await writeFileAtomically(file, Buffer.from(lines.join("")));
  return file;
}
