/** From `npm start` until the service can do an edit, and until it has done its first, with the build up to date. */
import { atMost } from "../../tools/goals.ts";
import { summarize, type Summary } from "../../tools/statistics.ts";
import { NPM_START } from "./commands.ts";
import { withDatabase } from "./databases.ts";
import { documentedInput, type PartOptions, type PartReport } from "./part.ts";
import { Server } from "../../tools/server.ts";

const ROUNDS = 3;

export async function measureStart({ signal, say }: PartOptions): Promise<PartReport> {
  say("npm start");
  const [first, next]: [number[], number[]] = [[], []];
  const firstEdits: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await withDatabase("PGlite", async (settings) => {
      for (const seconds of [first, next]) {
        const server = await Server.start({ command: NPM_START, settings, signal });
        seconds.push(server.readySeconds);
        if (seconds === next) firstEdits.push(server.readySeconds + (await secondsOfEdit(server)));
        await server.stop();
      }
    });
  }
  const [emptyFolder, existingFolder, firstEdit] = [first, next, firstEdits].map(summarize) as [
    Summary,
    Summary,
    Summary,
  ];
  return {
    measured: { emptyFolder, existingFolder, firstEdit },
    goals: [
      atMost("seconds from npm start to /readyz on an empty folder", emptyFolder.median, 10),
      atMost("seconds from npm start to /readyz on an existing folder", existingFolder.median, 5),
    ],
  };
}

/** Of the documented request, as its client waits for it. */
async function secondsOfEdit(server: Server): Promise<number> {
  const started = performance.now();
  const { status, error } = await server.post("/runsync", { input: documentedInput(server.address) });
  if (status !== "COMPLETED") throw new Error(`An edit ended as ${status}: ${error}`);
  return (performance.now() - started) / 1000;
}
