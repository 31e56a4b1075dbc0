/**
 * The service as its clients meet it: how long jobs wait, what a call costs, how it starts. Prints one JSON document on
 * standard output and its progress on standard error.
 */
import { messageOf } from "../src/index.ts";
import { measureAgainst } from "./api/against.ts";
import { measureDelay } from "./api/delay.ts";
import { measureDocumented } from "./api/documented.ts";
import { measureEventLoop } from "./api/event-loop.ts";
import { measureIdle } from "./api/idle.ts";
import { type ApiOptions, parseOptions, type PartName, USAGE } from "./api/options.ts";
import type { PartOptions, PartReport } from "./api/part.ts";
import { measureStart } from "./api/start.ts";
import { measureThroughput } from "./api/throughput.ts";
import { describeMachine, gitRevision, packageVersion } from "../tools/machine.ts";

/** For all parts together, on a machine that hangs too. */
const TIME_LIMIT_MS = 15 * 60_000;

const MEASURE: Record<PartName, (options: PartOptions) => Promise<PartReport>> = {
  delay: measureDelay,
  documented: measureDocumented,
  throughput: measureThroughput,
  "event-loop": measureEventLoop,
  start: measureStart,
  idle: measureIdle,
};

async function runBenchmark({ parts: names, against }: ApiOptions, signal: AbortSignal): Promise<object> {
  const machine = describeMachine();
  if (machine.loadAverage > 0.5) say(`the machine is busy (load ${machine.loadAverage}): times mean little`);
  const parts: Record<string, object> = {};
  const measures: [string, (options: PartOptions) => Promise<PartReport>][] =
    against === undefined
      ? names.map((name) => [name, MEASURE[name]])
      : [["against", (options) => measureAgainst(against, options)]];
  for (const [name, measure] of measures) {
    const loadAverage = describeMachine().loadAverage;
    try {
      const { measured, goals: held } = await measure({ signal, say });
      parts[name] = { loadAverage, ...measured, goals: held };
    } catch (error) {
      // The others still count.
      say(`  failed: ${messageOf(error)}`);
      parts[name] = { loadAverage, error: messageOf(error) };
    }
  }
  return {
    date: new Date().toISOString(),
    revision: gitRevision(),
    machine,
    versions: {
      node: process.version,
      "onnxruntime-node": packageVersion("onnxruntime-node"),
      "@electric-sql/pglite": packageVersion("@electric-sql/pglite"),
      autocannon: packageVersion("autocannon"),
    },
    parts,
  };
}

function say(sentence: string): void {
  process.stderr.write(`bench: ${sentence}\n`);
}

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => interruption.abort(new Error("It was interrupted.")));
}
const timeUp = setTimeout(() => {
  interruption.abort(new Error(`It took longer than ${TIME_LIMIT_MS / 60_000} minutes.`));
}, TIME_LIMIT_MS);
try {
  const options = parseOptions(process.argv.slice(2));
  const text =
    options === "help"
      ? USAGE
      : `${JSON.stringify(await runBenchmark(options, interruption.signal), null, 2)}\n`;
  process.stdout.write(text);
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
} finally {
  clearTimeout(timeUp);
}
