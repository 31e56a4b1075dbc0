/** How many calls per second one process answers, with an engine that takes no time. The load comes from this process. */
import { pathToFileURL } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import type { Request } from "autocannon";
import sharp from "sharp";
import { atLeast, type Goal } from "../../tools/goals.ts";
import { inRepository } from "../../tools/paths.ts";
import { rounded, summarize, type Summary } from "../../tools/statistics.ts";
import { serviceProcess } from "./commands.ts";
import { type DatabaseName, missing, withDatabase } from "./databases.ts";
import { CONNECTIONS, load } from "./load.ts";
import type { PartOptions, PartReport } from "./part.ts";
import { Server } from "../../tools/server.ts";

const ROUNDS = 3;
const ROUND_SECONDS = 5;
/** Ended jobs whose state is asked for in turn. */
const ASKED_JOBS = 50;
/** Limits far above what is reached, so that nothing is refused. */
export const RAISED = {
  RETOUCH_RUN_RATE: "1000000",
  RETOUCH_STATUS_RATE: "1000000",
  RETOUCH_MAX_QUEUED: "1000000",
};
const STUB = pathToFileURL(inRepository("tools", "stub-engine.mjs"));

interface Load {
  /** Answers with 200. */
  perSecond: Summary;
  /** Milliseconds, of the last round. */
  latency: { p50: number; p99: number };
}

export async function measureThroughput(options: PartOptions): Promise<PartReport> {
  const settings = { connections: CONNECTIONS, rounds: ROUNDS, roundSeconds: ROUND_SECONDS, raised: RAISED };
  const postgres = await onDatabase("PostgreSQL", options);
  const embedded = await onDatabase("PGlite", options);
  const valueOf = (load: Load | undefined): number | null => load?.perSecond.median ?? null;
  const goals: Goal[] = [
    atLeast("submissions per second on PostgreSQL", valueOf(postgres?.submit), 300),
    atLeast("states per second on PostgreSQL", valueOf(postgres?.status), 1500),
  ];
  return {
    measured: { settings, PostgreSQL: postgres ?? { error: missing("PostgreSQL") }, PGlite: embedded },
    goals,
  };
}

async function onDatabase(
  name: DatabaseName,
  { signal, say }: PartOptions,
): Promise<{ status: Load; submit: Load } | undefined> {
  if (missing(name) !== undefined) return undefined;
  return withDatabase(name, async (settings) => {
    const command = await serviceProcess(STUB);
    const server = await Server.start({ command, settings: { ...settings, ...RAISED }, signal });
    try {
      const body = await submission();
      const ids = await endedJobs(server, body);
      say(`states per second on ${name}`);
      const status = await measureLoad(
        server,
        ids.map((id) => ({ method: "GET", path: `${server.path}/status/${id}`, headers: server.headers })),
        signal,
      );
      say(`submissions per second on ${name}`);
      const submit = await measureLoad(
        server,
        [{ method: "POST", path: `${server.path}/run`, headers: server.headers, body: JSON.stringify(body) }],
        signal,
      );
      return { status, submit };
    } finally {
      await server.stop();
    }
  });
}

/** A request with a small inline image, which the service stores. */
export async function submission(): Promise<object> {
  const grey = { width: 256, height: 256, channels: 3, background: "#808080" } as const;
  const picture = await sharp({ create: grey }).png().toBuffer();
  return { input: { prompt: "now", image: `data:image/png;base64,${picture.toString("base64")}` } };
}

export async function endedJobs(server: Server, body: object): Promise<string[]> {
  const ids: string[] = [];
  for (let count = 0; count < ASKED_JOBS; count += 1) ids.push((await server.post("/run", body)).id);
  for (const id of ids) {
    while ((await server.get(`/status/${id}`)).status !== "COMPLETED") await pause(20);
  }
  return ids;
}

async function measureLoad(server: Server, requests: Request[], signal: AbortSignal): Promise<Load> {
  const perSecond: number[] = [];
  let latency = { p50: 0, p99: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    signal.throwIfAborted();
    const result = await load(server, requests, ROUND_SECONDS);
    perSecond.push(result["2xx"] / result.duration);
    latency = { p50: rounded(result.latency.p50), p99: rounded(result.latency.p99) };
  }
  return { perSecond: summarize(perSecond), latency };
}
