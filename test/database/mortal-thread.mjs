// The thread of an embedded database that ends, as by a lack of memory, when it is told to die. Run by embedded.test.ts.
import { parentPort } from "node:worker_threads";

parentPort.on("message", ({ bytes }) => {
  if (bytes && Buffer.from(bytes).includes("'die'")) process.exit(1);
});
await import("../../dist/database/embedded-thread.js");
