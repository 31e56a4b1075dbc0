/**
 * Another build of the service beside this one: both run at the same time, each on a database of its own, and are called
 * alternately, so that whatever else the machine does affects both. Only the ratios count.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Request } from "autocannon";
import { atLeast, atMost, type Goal } from "../../tools/goals.ts";
import { ROOT } from "../../tools/paths.ts";
import { medianOf, middleMeanOf, rounded, summarize, type Summary } from "../../tools/statistics.ts";
import { DATABASES, type DatabaseName, missing, withDatabase } from "./databases.ts";
import { measureFirstStart, measureIdleMemory } from "./footprint.ts";
import { load } from "./load.ts";
import { documentedInput, type PartOptions, type PartReport } from "./part.ts";
import { type Command, Server } from "../../tools/server.ts";
import { endedJobs, RAISED as LOAD_SETTINGS, submission } from "./throughput.ts";

const DELAY_CALLS = 60;
const ROUNDS = 7;
const ROUND_SECONDS = 2;
const STARTS = 5;
/** Wanted at most, as ratios to the checkout that the project began to measure itself against, c7b9aa8. */
const FIRST_START = 0.5;
const IDLE_MEMORY = 0.6;
const TOLERANCE = 0.05;
/** Each round ends with a purge of the jobs that it leaves waiting. */
const RAISED = { ...LOAD_SETTINGS, RETOUCH_PURGE_RATE: "1000000" };
/** The current place first, then that of older checkouts. */
const COMPILERS = ["tools/compile.mjs", "scripts/run-ts.mjs"];
const STUB_ENGINES = ["tools/stub-engine.mjs", "test/support/stub-engine.mjs"];
const SHORT = { size: "256*256", num_inference_steps: 1 };

interface Pair {
  here: Summary;
  there: Summary;
  /** Here over there. */
  ratio: number;
}
type Side = "here" | "there";

/** @param folder a built checkout with its packages */
export async function measureAgainst(folder: string, { signal, say }: PartOptions): Promise<PartReport> {
  const folders: Record<Side, string> = { here: ROOT, there: path.resolve(folder) };
  const measured: Record<string, object | string> = { there: revisionOf(folders.there) };
  const goals: Goal[] = [];
  for (const name of DATABASES) {
    if (missing(name) !== undefined) continue;
    say(`delay on ${name}, alternating`);
    const delay = await withBoth(name, folders, serveIn, {}, signal, measureDelays);
    say(`states and submissions per second on ${name}, alternating`);
    const load = await withBoth(name, folders, stubIn, RAISED, signal, (servers) =>
      measureLoads(servers, signal),
    );
    measured[name] = { delayTimeMs: delay, ...load };
    goals.push(
      atMost(`delayTime on ${name}, ratio`, delay.ratio, 1 + TOLERANCE),
      atLeast(`states per second on ${name}, ratio`, load.statesPerSecond.ratio, 1 - TOLERANCE),
      atLeast(`submissions per second on ${name}, ratio`, load.submissionsPerSecond.ratio, 1 - TOLERANCE),
    );
  }
  const commands = { here: await serveIn(folders.here), there: await serveIn(folders.there) };
  say("first starts, alternating");
  const firstStartSeconds = await byTurns(STARTS, (side) => measureFirstStart(commands[side], signal));
  say("memory of a service that waits, one after the other");
  const idleMebibytes = await byTurns(1, (side) => measureIdleMemory(commands[side], signal));
  goals.push(
    atMost("first start, ratio", firstStartSeconds.ratio, FIRST_START),
    atMost("memory of a service that waits, ratio", idleMebibytes.ratio, IDLE_MEMORY),
  );
  return { measured: { ...measured, firstStartSeconds, idleMebibytes }, goals };
}

const revisionOf = (cwd: string): string =>
  execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd, encoding: "utf8" }).trim();

const serveIn = async (folder: string): Promise<Command> => ({
  command: process.execPath,
  args: [path.join(folder, "bin", "retouch.js"), "serve"],
  folder,
});

/** The service of that checkout with an engine that computes nothing, also of that checkout. */
async function stubIn(folder: string): Promise<Command> {
  const compiler = pathToFileURL(firstFileIn(folder, COMPILERS)).href;
  const { compile } = (await import(compiler)) as { compile: (file: string) => Promise<string> };
  const bundle = await compile(path.join(folder, "bench", "api", "service-process.ts"));
  const engine = pathToFileURL(firstFileIn(folder, STUB_ENGINES)).href;
  return { command: process.execPath, args: [bundle, engine], hasChannel: true, folder };
}

/** @throws Error where the checkout has the file at none of its places */
function firstFileIn(folder: string, places: readonly string[]): string {
  const found = places.map((place) => path.join(folder, place)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`${folder} has no ${places.join(" or ")}.`);
  return found;
}

function withBoth<Result>(
  name: DatabaseName,
  folders: Record<Side, string>,
  commandIn: (folder: string) => Promise<Command>,
  raised: Record<string, string>,
  signal: AbortSignal,
  work: (servers: Record<Side, Server>) => Promise<Result>,
): Promise<Result> {
  const withServer = <Inner>(side: Side, inner: (server: Server) => Promise<Inner>): Promise<Inner> =>
    withDatabase(name, async (settings) => {
      const command = await commandIn(folders[side]);
      const server = await Server.start({ command, settings: { ...settings, ...raised }, signal });
      try {
        return await inner(server);
      } finally {
        await server.stop();
      }
    });
  return withServer("here", (here) => withServer("there", (there) => work({ here, there })));
}

/** Measures both sides in every round; they take turns to begin. */
async function byTurns(
  rounds: number,
  measure: (side: Side) => Promise<number>,
  middleOf = medianOf,
): Promise<Pair> {
  const values: Record<Side, number[]> = { here: [], there: [] };
  for (let round = 0; round < rounds; round += 1) {
    const sides: Side[] = round % 2 === 0 ? ["here", "there"] : ["there", "here"];
    for (const side of sides) values[side].push(await measure(side));
  }
  const ratio = rounded(middleOf(values.here) / middleOf(values.there));
  return { here: summarize(values.here), there: summarize(values.there), ratio };
}

async function measureDelays(servers: Record<Side, Server>): Promise<Pair> {
  const delayOf = async (side: Side): Promise<number> => {
    const input = { ...documentedInput(servers[side].address), ...SHORT };
    const { status, error, delayTime } = await servers[side].post("/runsync", { input });
    if (status !== "COMPLETED") throw new Error(`An edit ended as ${status}: ${error}`);
    await pause(50 + Math.random() * 50);
    return delayTime!;
  };
  for (const side of ["here", "there", "here", "there"] as const) await delayOf(side);
  // The service reports whole milliseconds, and there are only a few.
  return byTurns(DELAY_CALLS, delayOf, middleMeanOf);
}

async function measureLoads(
  servers: Record<Side, Server>,
  signal: AbortSignal,
): Promise<{ statesPerSecond: Pair; submissionsPerSecond: Pair }> {
  const body = await submission();
  const states: Record<Side, Request[]> = { here: [], there: [] };
  for (const side of ["here", "there"] as const) {
    const { path: endpoint, headers } = servers[side];
    const ids = await endedJobs(servers[side], body);
    states[side] = ids.map((id) => ({ method: "GET", path: `${endpoint}/status/${id}`, headers }));
  }
  const statesPerSecond = await byTurns(ROUNDS, (side) => perSecond(servers[side], states[side], signal));
  const submissionsPerSecond = await byTurns(ROUNDS, async (side) => {
    const { path: endpoint, headers } = servers[side];
    const request = { method: "POST", path: `${endpoint}/run`, headers, body: JSON.stringify(body) } as const;
    const reached = await perSecond(servers[side], [request], signal);
    // Jobs that still wait would be worked on in the other side's round.
    await servers[side].post("/purge-queue", {});
    await untilEmpty(servers[side]);
    return reached;
  });
  return { statesPerSecond, submissionsPerSecond };
}

async function perSecond(server: Server, requests: Request[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const result = await load(server, requests, ROUND_SECONDS);
  return result["2xx"] / result.duration;
}

async function untilEmpty(server: Server): Promise<void> {
  for (;;) {
    const { jobs } = (await server.get("/health")) as unknown as {
      jobs: { inQueue: number; inProgress: number };
    };
    if (jobs.inQueue + jobs.inProgress === 0) return;
    await pause(100);
  }
}
