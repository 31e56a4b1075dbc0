/** From `npm start` until the service can do an edit, with the build up to date. */
import { atMost } from "../../tools/goals.ts";
import { summarize } from "../../tools/statistics.ts";
import { NPM_START } from "./commands.ts";
import { withDatabase } from "./databases.ts";
import type { PartOptions, PartReport } from "./part.ts";
import { Server } from "../../tools/server.ts";

const ROUNDS = 3;

export async function measureStart({ signal, say }: PartOptions): Promise<PartReport> {
  say("npm start");
  const [first, next]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    await withDatabase("PGlite", async (settings) => {
      for (const seconds of [first, next]) {
        const server = await Server.start({ command: NPM_START, settings, signal });
        seconds.push(server.readySeconds);
        await server.stop();
      }
    });
  }
  const [emptyFolder, existingFolder] = [summarize(first), summarize(next)];
  return {
    measured: { emptyFolder, existingFolder },
    goals: [
      atMost("seconds from npm start to /readyz on an empty folder", emptyFolder.median, 10),
      atMost("seconds from npm start to /readyz on an existing folder", existingFolder.median, 5),
    ],
  };
}
