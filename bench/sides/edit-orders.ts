/** The program of a side that edits with an engine: what `bench/diffusers_edit.py` does with diffusers. */
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { EditRequest, Engine } from "../../src/index.ts";
import type { EditOrder, EditTimes } from "./side.ts";

/**
 * Opens the engine once, prints a line when it is ready, then answers one JSON line with one until the input ends.
 * @param request what every edit has besides its order
 */
export async function answerOrders(
  open: () => Promise<Engine>,
  request: Pick<EditRequest, "acceleration" | "minPsnr"> = {},
): Promise<void> {
  const started = performance.now();
  const engine = await open();
  answer({ ready: true, loadSeconds: secondsSince(started) });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      answer(await timedEdit(engine, JSON.parse(line) as EditOrder, request));
    } catch (error) {
      // No function of the library: it may be another revision's.
      answer({ error: error instanceof Error ? error.message : String(error) });
    }
  }
  await engine.close();
}

async function timedEdit(
  engine: Engine,
  { image: file, output, ...order }: EditOrder,
  request: Pick<EditRequest, "acceleration" | "minPsnr">,
): Promise<EditTimes> {
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

const secondsSince = (start: number): number => (performance.now() - start) / 1000;
