/**
 * Retouch beside its own revision before, diffusers, PyTorch and stable-diffusion.cpp: the shipped checkpoint's edits and
 * the published transformer's blocks, everything by turns in one run. Prints one JSON document on standard output and its
 * progress on standard error.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import path from "node:path";
import { messageOf } from "../src/index.ts";
import type { Goal } from "../tools/goals.ts";
import { describeMachine, gitRevision, type Machine, packageVersion } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { say } from "./full-size/comparison.ts";
import { SIZES } from "./full-size/options.ts";
import { PACKAGE, PACKAGE_VERSION } from "./full-size/stable-diffusion-cpp.ts";
import { runProgram, withFolder } from "./interruptible.ts";
import { BASELINE_REVISION, buildBaseline } from "./peers/baseline.ts";
import { measureBlocks } from "./peers/blocks.ts";
import { measureCold, measureDocumented, measureNative } from "./peers/edits.ts";
import { type Options, parseOptions, type Part, USAGE } from "./peers/options.ts";
import type { Bench } from "./peers/part.ts";
import { measureProducts } from "./peers/products.ts";
import { preparePython } from "./peers/python.ts";
import { goalsOf, type PartReports, type Parts } from "./peers/report.ts";
import { tablesOf } from "./peers/table.ts";
import { pythonVersions } from "./sides/diffusers.ts";

const MEASURE: { [P in Part]: (bench: Bench) => Promise<PartReports[P]> | PartReports[P] } = {
  documented: measureDocumented,
  native: measureNative,
  cold: measureCold,
  blocks: measureBlocks,
  products: measureProducts,
};

interface Document {
  date: string;
  revision: string | null;
  /** What `Retouch before` is. */
  baseline: string;
  machine: Machine;
  versions: Record<string, string>;
  settings: object;
  loadAverage: { before: number; after: number };
  parts: Parts;
  goals: Goal[];
}

/** @param keep is called after each part, with those that are measured */
async function measureParts(bench: Bench, parts: Parts, keep: () => Promise<void>): Promise<void> {
  for (const part of bench.parts) {
    const before = loadNow();
    if (before > 0.5) say(`the machine is busy (load ${before}): times mean little`);
    say(part);
    const report = await measured(bench, part).catch((error: unknown) => {
      if (bench.signal.aborted) throw error;
      // The other parts still count.
      say(`${part}: failed: ${messageOf(error)}`);
      return { error: messageOf(error) };
    });
    const loadAverage = { before, after: loadNow() };
    const { runs, threads, clock } = bench;
    const settings = { runs, threads, clock };
    const record = { date: new Date().toISOString(), revision: gitRevision(), settings, loadAverage, report };
    Object.assign(parts, { [part]: record });
    await keep();
  }
}

/** What a part throws at once is caught like what it throws later. */
const measured = async (bench: Bench, part: Part): Promise<PartReports[Part]> => MEASURE[part](bench);

const loadNow = (): number => loadavg()[0]!;

async function runBenchmark(bench: Bench): Promise<Document> {
  const { results, numSteps, sizes, squares } = bench;
  const before = loadNow();
  const parts =
    results !== undefined && existsSync(results) ? (await documentIn(results)).parts : ({} as Parts);
  const documentNow = (): Document => ({
    date: new Date().toISOString(),
    revision: gitRevision(),
    baseline: BASELINE_REVISION,
    machine: describeMachine(),
    versions: {
      node: process.version,
      "onnxruntime-node": packageVersion("onnxruntime-node"),
      ...versionsOfPython(bench),
      [PACKAGE]: PACKAGE_VERSION,
    },
    settings: { numSteps, squares, ...sizes.config, ...sizes.size },
    loadAverage: { before, after: loadNow() },
    parts,
    goals: goalsOf(parts),
  });
  await measureParts(bench, parts, async () => {
    if (results !== undefined) await writeFile(results, `${JSON.stringify(documentNow(), null, 2)}\n`);
  });
  return documentNow();
}

/** None where there is no Python: the parts without it still count. */
function versionsOfPython(bench: Bench): Record<string, string> {
  try {
    return pythonVersions(bench.python());
  } catch {
    return {};
  }
}

const documentIn = async (file: string): Promise<Document> =>
  JSON.parse(await readFile(file, "utf8")) as Document;

/** Made when it is first asked for; what failed once is not tried again. */
function once<Result>(make: () => Result): () => Result {
  let made: { result: Result } | { error: unknown } | undefined;
  return () => {
    made ??= attempt(make);
    if ("error" in made) throw made.error;
    return made.result;
  };
}

function attempt<Result>(make: () => Result): { result: Result } | { error: unknown } {
  try {
    return { result: make() };
  } catch (error) {
    return { error };
  }
}

async function folderFor({ folder, isKept, sizes }: Options): Promise<string> {
  if (!isKept) return mkdtemp(path.join(folder, "retouch-peers-"));
  const kept = path.join(folder, sizes === SIZES.small ? "retouch-peers-small" : "retouch-peers");
  await mkdir(kept, { recursive: true });
  return kept;
}

async function measure(options: Options): Promise<string> {
  if (options.rendered !== undefined) return tablesOf(await documentIn(options.rendered));
  const scratch = await folderFor(options);
  return withFolder(scratch, options, async (signal) => {
    const document = await runBenchmark({
      ...options,
      checkpoint: inRepository("checkpoints", "tiny"),
      scratch,
      python: once(() => preparePython(say)),
      baseline: once(() => buildBaseline(say)),
      signal,
      say,
    });
    return options.isTable ? tablesOf(document) : `${JSON.stringify(document, null, 2)}\n`;
  });
}

await runProgram(parseOptions, USAGE, measure);
