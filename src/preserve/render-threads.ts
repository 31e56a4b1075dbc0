/** Draws a picture's rows in several threads, which share its memory. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Rendering, renderRows, type Shares } from "./render.ts";

/** Pixels from which starting threads (some 40 ms) is worth it. */
const LEAST_PIXELS = 3e6;
const MAX_THREADS = 4;

/** Runs beside the caller's own thread, which waits for nothing meanwhile. */
export async function renderAll(
  rendering: Rendering,
  {
    threads = Math.min(availableParallelism(), MAX_THREADS),
    entry = new URL("./render-thread.js", import.meta.url),
  } = {},
): Promise<Shares> {
  const { width, height } = rendering.source;
  if (threads < 2 || width * height < LEAST_PIXELS) return renderRows(rendering, 0, height);
  const bands = Array.from({ length: threads }, (_, index) => ({
    start: Math.round((index * height) / threads),
    end: Math.round(((index + 1) * height) / threads),
  }));
  const shares = await Promise.all(bands.map((band) => renderBand({ rendering, ...band }, entry)));
  return shares.reduce((sum, part) => ({
    kept: sum.kept + part.kept,
    carried: sum.carried + part.carried,
    drawn: sum.drawn + part.drawn,
  }));
}

function renderBand(
  workerData: { rendering: Rendering; start: number; end: number },
  entry: URL,
): Promise<Shares> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error("A thread that draws a picture has ended.")));
  });
}

/** The same numbers in memory that threads share. */
export function shared<Numbers extends Uint8Array | Uint16Array | Float32Array>(numbers: Numbers): Numbers {
  if (numbers.buffer instanceof SharedArrayBuffer) return numbers;
  const Kind = numbers.constructor as new (buffer: SharedArrayBuffer) => Numbers;
  const copy = new Kind(new SharedArrayBuffer(numbers.byteLength));
  copy.set(numbers as never);
  return copy;
}
