/**
 * A thread of the engine process that ends it when its parent is gone: while a network runs, the process hears nothing
 * of that itself, and a step of a large one takes minutes, with all its memory. Where an orphan keeps its parent's
 * number (Windows) the end of the message channel must do.
 */
const INTERVAL_MS = 250;
const parent = process.ppid;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
}, INTERVAL_MS);
