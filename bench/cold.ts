/**
 * From the start of `retouch edit` to the end of its first step, in fresh processes, here and in another checkout by
 * turns. Prints one JSON document on standard output.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { messageOf } from "../src/index.ts";
import { atMost } from "../tools/goals.ts";
import { describeMachine, gitRevision } from "../tools/machine.ts";
import { inRepository, ROOT } from "../tools/paths.ts";
import { medianOf, rounded, summarize } from "../tools/statistics.ts";
import { writeSource } from "./pictures.ts";

const USAGE = `Usage: npm run bench:cold -- --against FOLDER [--runs N]

Starts \`retouch edit\` here and in another built checkout by turns, each time until its first step is done, and prints one
JSON document on standard output.

  --against FOLDER  the other checkout, with its packages and its build
  --runs N          starts of each side (default 11)
`;
const SIZE = { width: 128, height: 128 };
/** Wanted at most, as a ratio to the checkout that the project began to measure itself against, c7b9aa8. */
const WANTED = 0.6;
const FIRST_STEP = /step 1\//;
/** The first starts fill the system's cache of files. */
const WARM_UPS = 1;

const { values } = parseArgs({
  options: {
    against: { type: "string" },
    runs: { type: "string", default: "11" },
    help: { type: "boolean", default: false },
  },
});

async function measure(against: string, runs: number): Promise<object> {
  const sides = { here: ROOT, there: path.resolve(against) };
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-cold-"));
  const seconds: Record<keyof typeof sides, number[]> = { here: [], there: [] };
  const machine = describeMachine();
  try {
    const image = path.join(folder, "source.png");
    await writeSource(image, SIZE);
    for (let run = -WARM_UPS; run < runs; run += 1) {
      for (const side of run % 2 === 0 ? (["here", "there"] as const) : (["there", "here"] as const)) {
        const taken = await untilFirstStep(sides[side], image);
        if (run >= 0) seconds[side].push(taken);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const ratio = rounded(medianOf(seconds.here) / medianOf(seconds.there));
  return {
    date: new Date().toISOString(),
    revision: gitRevision(),
    machine,
    there: revisionOf(sides.there),
    runs,
    firstStepSeconds: { here: summarize(seconds.here), there: summarize(seconds.there), ratio },
    goals: [atMost("first step of the command, ratio", ratio, WANTED)],
  };
}

/** Starts the command in a checkout and ends it by force when it shows its first step. */
async function untilFirstStep(checkout: string, image: string): Promise<number> {
  const size = `${SIZE.width}x${SIZE.height}`;
  const output = `${image}.out.png`;
  const preload = pathToFileURL(inRepository("bench", "cold", "terminal.mjs")).href;
  const command = [path.join(checkout, "bin", "retouch.js"), "edit", image, "Make it night"];
  const flags = ["--steps", "4", "--seed", "1", "--size", size, "-o", output];
  const started = performance.now();
  const child = spawn(process.execPath, ["--import", preload, ...command, ...flags], {
    cwd: checkout,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  let shown = "";
  let seconds: number | undefined;
  child.stderr.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
    if (seconds !== undefined || !FIRST_STEP.test(shown)) return;
    seconds = (performance.now() - started) / 1000;
    child.kill("SIGKILL");
  });
  await ended;
  if (seconds === undefined) throw new Error(`${checkout} ended before its first step:\n${shown}`);
  return seconds;
}

/** Undefined for a folder without a history, such as an unpacked archive. */
function revisionOf(cwd: string): string | undefined {
  if (!existsSync(path.join(cwd, ".git"))) return undefined;
  return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd, encoding: "utf8" }).trim();
}

try {
  const runs = Number(values.runs);
  if (values.help) process.stdout.write(USAGE);
  else if (values.against === undefined) throw new Error("--against names the other checkout.");
  else if (!Number.isInteger(runs) || runs < 1) throw new Error("--runs must be a whole number above 0.");
  else process.stdout.write(`${JSON.stringify(await measure(values.against, runs), null, 2)}\n`);
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
