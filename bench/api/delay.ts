/** How long a job waits on a server that has nothing else to do: `delayTime` of /runsync, by the database's clock. */
import { setTimeout as pause } from "node:timers/promises";
import { atMost } from "../../tools/goals.ts";
import { percentileOf } from "../../tools/statistics.ts";
import { DATABASES, missing, withDatabase } from "./databases.ts";
import { documentedInput, type PartOptions, type PartReport } from "./part.ts";
import { SERVE, Server } from "../../tools/server.ts";

/** Timed calls; the warm-ups before them fill caches. */
const CALLS = 100;
const WARM_UPS = 5;
/** Short: how long the edit takes does not matter here. */
const EDIT = { size: "256*256", num_inference_steps: 1 };
/** Pause between two calls. It varies, so that the calls never fall in step with anything else that repeats. */
const PAUSE_MS = [80, 180] as const;

export async function measureDelay({ signal, say }: PartOptions): Promise<PartReport> {
  const measured: Record<string, object> = {};
  const goals = [];
  for (const name of DATABASES) {
    say(`delay on ${name}`);
    const reason = missing(name);
    const delays = reason === undefined ? await delaysOn(name, signal) : undefined;
    const [p50, p95] = delays ? [percentileOf(delays, 50), percentileOf(delays, 95)] : [null, null];
    measured[name] = delays ? { p50, p95, max: Math.max(...delays), calls: CALLS } : { error: reason };
    goals.push(atMost(`median delayTime on ${name}, ms`, p50, 18));
    goals.push(atMost(`95th percentile of delayTime on ${name}, ms`, p95, 40));
  }
  return { measured, goals };
}

function delaysOn(name: (typeof DATABASES)[number], signal: AbortSignal): Promise<number[]> {
  return withDatabase(name, async (settings) => {
    const server = await Server.start({ command: SERVE, settings, signal });
    try {
      const delays: number[] = [];
      for (let call = -WARM_UPS; call < CALLS; call += 1) {
        const input = { ...documentedInput(server.address), ...EDIT };
        const { status, error, delayTime } = await server.post("/runsync", { input });
        if (status !== "COMPLETED") throw new Error(`An edit ended as ${status}: ${error}`);
        if (call >= 0) delays.push(delayTime!);
        await pause(PAUSE_MS[0] + Math.random() * (PAUSE_MS[1] - PAUSE_MS[0]));
      }
      return delays;
    } finally {
      await server.stop();
    }
  });
}
