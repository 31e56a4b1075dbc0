/**
 * A thread of the engine process that ends it when its parent is gone: while a network runs, the process hears nothing
 * of that itself, and a step of a large one takes minutes, with all its memory. Where an orphan keeps its parent's
 * number (Windows) the end of the message channel must do.
 */
import { workerData } from "node:worker_threads";

const INTERVAL_MS = 250;
// Looked up by the process itself: until the thread runs, its parent may be gone already.
const { parent } = workerData as { parent: number };

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
}, INTERVAL_MS);
