/**
 * A thread of the engine process that ends it when its parent is gone: while a network runs, the process
 * itself does not notice, and a step of a large one takes minutes, with all its memory. Where an orphan keeps
 * its parent's process id (Windows), the end of the message channel must do.
 */
import { workerData } from "node:worker_threads";

const INTERVAL_MS = 250;
// The process itself looked it up: by the time the thread runs, the parent may already be gone.
const { parent } = workerData as { parent: number };

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
}, INTERVAL_MS);
