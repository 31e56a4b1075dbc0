/** A thread that draws bands of a picture, one after the other, and answers with their shares. */
import { parentPort } from "node:worker_threads";
import { type Band, rendererOf, type Rendering, type Shares } from "./render.ts";

/** What it is sent: first the picture, then its bands. */
export type ToThread = { rendering: Rendering } | { band: Band };

let render: ((band: Band) => Shares) | undefined;
parentPort!.on("message", (message: ToThread) => {
  if ("rendering" in message) render = rendererOf(message.rendering);
  else parentPort!.postMessage(render!(message.band));
});
