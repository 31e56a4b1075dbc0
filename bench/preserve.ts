/**
 * What putting an edit together at the source's own size costs (docs/pictures.md, "What stays"): seconds, processor seconds and
 * peak memory for each mode, for an edit of light over the whole picture and for one of a part. Decoding and encoding are
 * apart. Every measurement runs in a process of its own. Prints one JSON document on standard output.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { runProgram } from "./interruptible.ts";
import { EDITS, type EditName, writeInputs } from "./preserve/inputs.ts";
import { measureComposing, measureFiles, MODES } from "./preserve/measure.ts";
import { parseOptions, type PreserveOptions, USAGE } from "./preserve/options.ts";
import { atMost, type Goal } from "../tools/goals.ts";
import { describeMachine, gitRevision, packageVersion } from "../tools/machine.ts";
import type { Summary } from "../tools/statistics.ts";

/** Marks the process that measures. */
const MEASURE = "--measure";
/** What 24 megapixels may take on two cores. */
const MOST_SECONDS = 3;
const MOST_BYTES = 1e9;

interface Composed {
  seconds: Summary;
  peakBytes: number | null;
}

async function measureAll({ megapixels, runs, threads }: PreserveOptions): Promise<string> {
  const machine = describeMachine();
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-"));
  try {
    const size = await writeInputs(folder, megapixels);
    const measured: Record<string, Record<string, object>> = {};
    const goals: Goal[] = [];
    for (const edit of EDITS) {
      for (const mode of MODES) {
        say(`${edit}, ${mode}`);
        const one = (await inProcess(folder, edit, mode, runs, threads)) as Composed;
        (measured[edit] ??= {})[mode] = one;
        goals.push(
          atMost(`seconds, ${edit}, ${mode}`, one.seconds.median, MOST_SECONDS),
          atMost(`bytes, ${edit}, ${mode}`, one.peakBytes, MOST_BYTES),
        );
      }
    }
    say("files");
    const files = await inProcess(folder, "files", "", runs, threads);
    const versions = { node: process.version, sharp: packageVersion("sharp") };
    const report = {
      date: new Date().toISOString(),
      revision: gitRevision(),
      machine,
      versions,
      settings: { size, runs, threads },
      composing: measured,
      files,
      // They are for that size.
      goals: megapixels === 24 ? goals : [],
    };
    return `${JSON.stringify(report, null, 2)}\n`;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function inProcess(...question: readonly (string | number)[]): Promise<object> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...process.execArgv,
    process.argv[1]!,
    MEASURE,
    ...question.map(String),
  ]);
  return JSON.parse(stdout) as object;
}

async function answer([folder, edit, mode, runs, threads]: readonly string[]): Promise<void> {
  const common = { folder: folder!, runs: Number(runs), threads: Number(threads) };
  const measured =
    edit === "files"
      ? await measureFiles(common)
      : await measureComposing({ ...common, edit: edit as EditName, mode: mode as (typeof MODES)[number] });
  process.stdout.write(JSON.stringify(measured));
}

function say(sentence: string): void {
  process.stderr.write(`bench: ${sentence}\n`);
}

if (process.argv[2] === MEASURE) await answer(process.argv.slice(3));
else await runProgram(parseOptions, USAGE, measureAll);
