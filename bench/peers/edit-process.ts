/**
 * Edits with a build of the library, this one's or another revision's, as `bench/diffusers_edit.py` does with diffusers:
 * loads a checkpoint folder once, prints a line when ready, then answers one JSON line with one until its input ends.
 * Argument: an `EditProcessOrder` as JSON.
 */
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { EditRequest, Engine, EngineOptions } from "../../src/index.ts";
import type { EditOrder, EditTimes } from "../sides/side.ts";

export interface EditProcessOrder {
  /** URL of the library's entry. */
  library: string;
  engine: Pick<EngineOptions, "checkpoint" | "threads" | "weights" | "cacheFolder"> & {
    safety: { isOn: boolean };
  };
  /** What every request has besides the order's parameters. */
  request: Pick<EditRequest, "acceleration" | "minPsnr">;
}

interface Library {
  createEngine(options: EngineOptions): Promise<Engine>;
}

const { library, engine: options, request } = JSON.parse(process.argv[2]!) as EditProcessOrder;

const started = performance.now();
const { createEngine } = (await import(library)) as Library;
const engine = await createEngine(options);
answer({ ready: true, loadSeconds: secondsSince(started) });

for await (const line of createInterface({ input: process.stdin })) {
  try {
    answer(await timedEdit(JSON.parse(line) as EditOrder));
  } catch (error) {
    answer({ error: error instanceof Error ? error.message : String(error) });
  }
}
await engine.close();

async function timedEdit({ image: file, output, ...order }: EditOrder): Promise<EditTimes> {
  const { prompt, width, height, steps, guidance, seed } = order;
  const image = await readFile(file);
  const editStarted = performance.now();
  const cpuStarted = process.cpuUsage();
  const result = await engine.edit({
    ...request,
    image,
    prompt,
    size: { width, height },
    numSteps: steps,
    guidance,
    seed,
  });
  await writeFile(output, result.image);
  const seconds = secondsSince(editStarted);
  const { user, system } = process.cpuUsage(cpuStarted);
  return { seconds, denoiseSeconds: result.seconds.denoise, cpuSeconds: (user + system) / 1e6 };
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
