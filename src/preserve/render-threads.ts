/** Draws a picture's rows in several threads. They share memory for the rows that they draw, not for the whole picture. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { ToThread } from "./render-thread.ts";
import { type Band, rendererOf, type Rendering, type Shares } from "./render.ts";
import { shared, sharedLike } from "./shared-memory.ts";

/** Pixels from which starting threads (some 40 ms) is worth it. */
const LEAST_PIXELS = 3e6;
const MAX_THREADS = 4;
/** Rows of a band: threads that are done early take over from others. */
const BAND = 64;

/** Where the pixels are: the source's, in whose place the result's are drawn, and a map's, if one is wanted. */
export interface Canvas {
  data: Uint8Array | Uint16Array;
  map: Uint8Array | undefined;
}

export interface ThreadOptions {
  /** @default one a core, at most 4 */
  threads?: number | undefined;
  /** The compiled file of the threads, where it is not beside this one. */
  entry?: URL | undefined;
}

/** Threads that have been started for one picture. */
export interface Renderers {
  /** Runs beside the caller's own thread, which only copies meanwhile. */
  render(rendering: Rendering, canvas: Canvas): Promise<Shares>;
  /** Ends the threads. */
  close(): Promise<void>;
}

/** Starts threads if a picture is worth it; they load while the caller goes on. */
export function startRenderers(
  { width, height }: { width: number; height: number },
  {
    threads = Math.min(availableParallelism(), MAX_THREADS),
    entry = new URL("./render-thread.js", import.meta.url),
  }: ThreadOptions,
): Renderers {
  if (threads < 2 || width * height < LEAST_PIXELS) {
    return { render: renderHere, close: () => Promise.resolve() };
  }
  const workers = Array.from({ length: threads }, () => new Worker(entry));
  // What goes wrong before a band is sent is told again by the missing answer.
  for (const worker of workers) worker.on("error", () => undefined);
  return {
    render: (rendering, canvas) => renderIn(workers, rendering, canvas),
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

const renderHere = (rendering: Rendering, { data, map }: Canvas): Promise<Shares> =>
  Promise.resolve(rendererOf(rendering)({ start: 0, end: rendering.size.height, data, map }));

async function renderIn(workers: readonly Worker[], rendering: Rendering, canvas: Canvas): Promise<Shares> {
  const { raw, mask, size } = rendering;
  const sent = { ...rendering, raw: shared(raw), mask: mask && { ...mask, data: shared(mask.data) } };
  const sum: Shares = { kept: 0, carried: 0, drawn: 0 };
  let next = 0;
  const work = async (worker: Worker): Promise<void> => {
    send(worker, { rendering: sent });
    const { width, channels } = size;
    const rows = sharedLike(canvas.data, BAND * width * channels);
    const mapRows = canvas.map && sharedLike(canvas.map, BAND * width);
    while (next < size.height) {
      const start = next;
      const end = Math.min(start + BAND, size.height);
      next = end;
      const own = canvas.data.subarray(start * width * channels, end * width * channels);
      rows.set(own);
      const shares = await answerTo(worker, { start, end, data: rows, map: mapRows as Uint8Array });
      own.set(rows.subarray(0, own.length));
      if (mapRows) canvas.map!.set(mapRows.subarray(0, (end - start) * width), start * width);
      sum.kept += shares.kept;
      sum.carried += shares.carried;
      sum.drawn += shares.drawn;
    }
  };
  await Promise.all(workers.map(work));
  return sum;
}

const send = (worker: Worker, message: ToThread): void => worker.postMessage(message);

function answerTo(worker: Worker, band: Band): Promise<Shares> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error("A thread that draws a picture has ended."));
    worker.once("message", (shares: Shares) => {
      worker.off("error", reject);
      worker.off("exit", ended);
      resolve(shares);
    });
    worker.once("error", reject);
    worker.once("exit", ended);
    send(worker, { band });
  });
}
