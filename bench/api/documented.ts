/** The request that the service prints when it starts: `executionTime`, from the worker's claim to the written result. */
import { describeMachine } from "../../tools/machine.ts";
import { atMost } from "../../tools/goals.ts";
import { percentileOf, rounded, summarize } from "../../tools/statistics.ts";
import { withDatabase } from "./databases.ts";
import { documentedInput, type PartOptions, type PartReport } from "./part.ts";
import { SERVE, Server } from "../../tools/server.ts";

const CALLS = 20;
const WARM_UPS = 2;
/** From the example answer in the hosted endpoint's documentation. */
const WANTED_MS = 4521;

export async function measureDocumented({ signal, say }: PartOptions): Promise<PartReport> {
  say("the documented request");
  const times = await withDatabase("PGlite", async (settings) => {
    const server = await Server.start({ command: SERVE, settings, signal });
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
  const hasAvx512 = describeMachine().instructionSets?.includes("avx512f") ?? null;
  return {
    measured: { median, p95: rounded(percentileOf(times, 95)), min, max, calls: CALLS, hasAvx512 },
    // The aim is for machines with AVX-512.
    goals: [atMost("median executionTime of the documented request, ms", median, WANTED_MS)],
  };
}
