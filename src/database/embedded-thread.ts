/** The thread of the embedded database: bytes of PostgreSQL's protocol in, bytes out, in order. */
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { messageOf } from "../errors.ts";
import type { ThreadMessage, ThreadRequest } from "./embedded.ts";

const port = parentPort!;
const answer = (message: ThreadMessage): void => port.postMessage(message);

try {
  const database = await PGlite.create((workerData as { folder: string }).folder);
  let last: Promise<void> = Promise.resolve();
  port.on("message", (request: ThreadRequest) => {
    last = last
      .then(() => serve(database, request))
      .catch((error: unknown) => {
        answer({ kind: "failed", message: messageOf(error) });
      });
  });
  answer({ kind: "ready" });
} catch (error) {
  answer({ kind: "failed", message: messageOf(error) });
  port.close();
}

async function serve(database: PGlite, request: ThreadRequest): Promise<void> {
  if (request.kind === "close") {
    await database.close();
    port.close();
    return;
  }
  answer({ kind: "bytes", bytes: await database.execProtocolRaw(request.bytes) });
}
