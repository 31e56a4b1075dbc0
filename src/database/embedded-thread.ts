/**
 * The thread of the embedded database: bytes of PostgreSQL's protocol in, bytes out, in order, and upkeep when there
 * is nothing to do. It ends when PostgreSQL does; `embedded.ts` then starts another one.
 */
import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../errors.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import type { ThreadData, ThreadMessage, ThreadRequest } from "./embedded.ts";
import { ensureCluster } from "./first-start.ts";
import { createUpkeep } from "./upkeep.ts";

const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/**
 * How much a function of WebAssembly has to run before V8 optimizes it; by default so little that starting
 * PostgreSQL optimizes much of it: 1.5 s of a processor, and 40 MB. What jobs ask for takes as long either way.
 */
setFlagsFromString("--wasm-tiering-budget=2147483647");

const port = parentPort!;
const { folder, schema } = workerData as ThreadData;

function answer(message: ThreadMessage): void {
  port.postMessage(message, message.kind === "bytes" ? [message.bytes.buffer] : []);
}

function onPanic(reason: string): never {
  answer({ kind: "failed", message: reason });
  // Of this thread. Whatever PostgreSQL holds in memory is worth nothing now.
  process.exit(1);
}

try {
  await ensureCluster({ folder, schema, onPanic, onNotice: (text) => answer({ kind: "notice", text }) });
  const cluster = await openCluster({ folder, onPanic });
  serve(cluster);
  answer({ kind: "ready" });
} catch (error) {
  onPanic(messageOf(error));
}

function serve(cluster: Cluster): void {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  const inTurn = (work: () => Promise<void>): void => {
    waiting += 1;
    last = last
      .then(work)
      .catch((error: unknown) => onPanic(messageOf(error)))
      .finally(() => (waiting -= 1));
  };
  const upkeep = createUpkeep({
    cluster,
    whenIdle: (step) => {
      if (waiting === 0) inTurn(step);
    },
    onError: (error) => {
      answer({ kind: "notice", text: `The embedded database could not be tidied: ${messageOf(error)}` });
    },
  });
  port.on("message", (request: ThreadRequest) => {
    inTurn(async () => {
      if (request.kind === "close") {
        upkeep.stop();
        await cluster.close();
        port.close();
        return;
      }
      const bytes = await cluster.execute(request.bytes);
      const isFree = endsTransaction(bytes);
      answer({ kind: "bytes", connection: request.connection, bytes });
      await upkeep.afterRequest(isFree);
    });
  });
}

/** Whether an answer ends with ReadyForQuery outside of a transaction: `Z`, a length of 5, `I`. */
function endsTransaction(bytes: Uint8Array): boolean {
  return READY.equals(bytes.subarray(-READY.length));
}
