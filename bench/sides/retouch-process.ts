/**
 * Edits with Retouch, as `bench/diffusers_edit.py` does with diffusers: loads a checkpoint folder once, prints a line
 * when ready, then answers one JSON line with one until its input ends.
 * Argument: a `RetouchSettings` as JSON.
 */
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { createEngine, type Engine, messageOf } from "../../src/index.ts";
import type { RetouchSettings } from "./retouch.ts";
import type { EditOrder, EditTimes } from "./side.ts";

const settings = JSON.parse(process.argv[2]!) as RetouchSettings;

const started = performance.now();
// The other side has no safety checker.
const engine = await createEngine({ ...settings, safety: { isOn: false } });
answer({ ready: true, loadSeconds: secondsSince(started) });

for await (const line of createInterface({ input: process.stdin })) {
  try {
    answer(await timedEdit(engine, JSON.parse(line) as EditOrder));
  } catch (error) {
    answer({ error: messageOf(error) });
  }
}
await engine.close();

async function timedEdit(engine: Engine, order: EditOrder): Promise<EditTimes> {
  const { prompt, width, height, steps, guidance, seed } = order;
  const image = await readFile(order.image);
  const editStarted = performance.now();
  const result = await engine.edit({
    image,
    prompt,
    size: { width, height },
    numSteps: steps,
    guidance,
    seed,
  });
  await writeFile(order.output, result.image);
  return { seconds: secondsSince(editStarted), denoiseSeconds: result.seconds.denoise };
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
