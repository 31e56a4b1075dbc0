/** The request that the service prints when it starts: `executionTime`, from the worker's claim to the written result. */
import { describeMachine } from "../../tools/machine.ts";
import { atMost } from "../../tools/goals.ts";
import { medianOf, percentileOf, rounded, summarize } from "../../tools/statistics.ts";
import { withDatabase } from "./databases.ts";
import { documentedInput, type PartOptions, type PartReport } from "./part.ts";
import { SERVE, Server } from "../../tools/server.ts";

const CALLS = 20;
const WARM_UPS = 2;
/** From the example answer in the hosted endpoint's documentation. */
const WANTED_MS = 4521;
/** Of what comes after the networks. */
const WANTED_SHARE = 0.1;

export async function measureDocumented({ signal, say }: PartOptions): Promise<PartReport> {
  say("the documented request");
  const parts: Parts[] = [];
  const times = await withDatabase("PGlite", async (settings) => {
    const logged = { ...settings, RETOUCH_LOG_LEVEL: "info" };
    const onLine = (line: string): void => void parts.push(...partsIn(line));
    const server = await Server.start({ command: SERVE, settings: logged, signal, onLine });
    try {
      const executions: number[] = [];
      for (let call = -WARM_UPS; call < CALLS; call += 1) {
        const input = documentedInput(server.address);
        const { status, error, executionTime } = await server.post("/runsync", { input });
        if (status !== "COMPLETED") throw new Error(`An edit ended as ${status}: ${error}`);
        if (call >= 0) executions.push(executionTime!);
      }
      return executions;
    } finally {
      await server.stop();
    }
  });
  const { median, min, max } = summarize(times);
  const ofCalls = parts.slice(-CALLS);
  if (ofCalls.length !== CALLS) throw new Error("The log does not tell what each edit was made of.");
  const partsMs = mediansOf(ofCalls, times);
  const outputShare = rounded(
    medianOf(ofCalls.map(({ enlarge, encode }, call) => (enlarge! + encode!) / times[call]!)),
  );
  const hasAvx512 = describeMachine().instructionSets?.includes("avx512f") ?? null;
  return {
    measured: {
      median,
      p95: rounded(percentileOf(times, 95)),
      min,
      max,
      calls: CALLS,
      hasAvx512,
      partsMs,
      outputShare,
    },
    goals: [
      // The aim is for machines with AVX-512.
      atMost("median executionTime of the documented request, ms", median, WANTED_MS),
      atMost("share of enlarging, colour and encoding in it", outputShare, WANTED_SHARE),
    ],
  };
}

type Parts = Record<string, number>;

/** What a line of the log tells of an edit that is done, milliseconds by part. */
function partsIn(line: string): Parts[] {
  if (!line.startsWith("{")) return [];
  const { partsMs } = JSON.parse(line) as { partsMs?: Parts };
  return partsMs === undefined ? [] : [partsMs];
}

/** With `other`, which is in no part: claiming, messages between processes, and writing the end to the database. */
function mediansOf(parts: readonly Parts[], times: readonly number[]): Parts {
  const all = parts.map((one, call) => {
    const sum = Object.values(one).reduce((total, ms) => total + ms, 0);
    return { ...one, other: times[call]! - sum };
  });
  return Object.fromEntries(
    Object.keys(all[0]!).map((part) => [part, rounded(medianOf(all.map((one: Parts) => one[part]!)))]),
  );
}
