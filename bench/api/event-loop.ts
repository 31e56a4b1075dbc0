/** How long the process that answers HTTP keeps other work waiting while images arrive and edits run. */
import { once } from "node:events";
import sharp from "sharp";
import { atMost } from "../../tools/goals.ts";
import { rounded } from "../../tools/statistics.ts";
import { serviceProcess } from "./commands.ts";
import { withDatabase } from "./databases.ts";
import { load } from "./load.ts";
import { type PartOptions, type PartReport, PROMPT } from "./part.ts";
import { Server } from "../../tools/server.ts";
import type { LoopDelay } from "./service-process.ts";

const CLIENTS = 50;
const SECONDS = 10;
/** The side of an image of noise, which no format compresses: one megabyte. */
const SIDE = 592;
/** So that 50 clients can send without a pause. */
const RAISED = { RETOUCH_RUN_RATE: "1000000", RETOUCH_MAX_QUEUED: "1000000" };

export async function measureEventLoop({ signal, say }: PartOptions): Promise<PartReport> {
  say(`${CLIENTS} clients send images`);
  const picture = await noise();
  const image = `data:image/png;base64,${picture.toString("base64")}`;
  const body = JSON.stringify({ input: { prompt: PROMPT, image } });
  return withDatabase("PGlite", async (settings) => {
    const command = await serviceProcess();
    const server = await Server.start({ command, settings: { ...settings, ...RAISED }, signal });
    try {
      await takeDelay(server, signal);
      const request = { method: "POST", path: `${server.path}/run`, headers: server.headers, body } as const;
      const result = await load(server, [request], SECONDS, CLIENTS);
      const delay = await takeDelay(server, signal);
      const ended = await endedEdits(server);
      const [p50, p99, max] = [rounded(delay.p50), rounded(delay.p99), rounded(delay.max)];
      return {
        measured: {
          delayMs: { p50, p99, max },
          submissionsPerSecond: rounded(result["2xx"] / result.duration),
          editsInThatTime: ended,
          settings: { clients: CLIENTS, seconds: SECONDS, pictureBytes: picture.byteLength, raised: RAISED },
        },
        goals: [atMost("99th percentile of the event loop's delay, ms", p99, 50)],
      };
    } finally {
      await server.stop();
    }
  });
}

/** The delay since the previous call. */
async function takeDelay({ process }: Server, signal: AbortSignal): Promise<LoopDelay> {
  const answer = once(process, "message", { signal }) as Promise<[LoopDelay]>;
  process.send("delay");
  return (await answer)[0];
}

async function endedEdits(server: Server): Promise<number> {
  const { jobs } = (await server.get("/health")) as unknown as { jobs: { completed: number } };
  return jobs.completed;
}

function noise(): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => Math.random() * 256);
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();
}
