/**
 * Loads a checkpoint, prints a line when the first step of an edit is done, and ends.
 * Arguments: FOLDER THREADS, then the edit as one JSON line.
 */
import { readFile } from "node:fs/promises";
import { createEngine } from "../../src/index.ts";
import type { EditOrder } from "./side.ts";

const [checkpoint, threads, order] = process.argv.slice(2);
const { image, prompt, width, height, steps, guidance, seed } = JSON.parse(order!) as EditOrder;

// The other side has no safety checker.
const engine = await createEngine({ checkpoint, threads: Number(threads), safety: { isOn: false } });
const request = {
  image: await readFile(image),
  prompt,
  size: { width, height },
  numSteps: steps,
  guidance,
  seed,
};
await engine.edit(request, {
  onStep: () => {
    process.stdout.write("first step\n", () => process.exit());
    return new Promise(() => {}); // No second step.
  },
});
