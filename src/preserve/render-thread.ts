/** A thread that draws rows of a picture, and answers with their shares. */
import { parentPort, workerData } from "node:worker_threads";
import { type Rendering, renderRows } from "./render.ts";

const { rendering, start, end } = workerData as { rendering: Rendering; start: number; end: number };
parentPort!.postMessage(renderRows(rendering, start, end));
