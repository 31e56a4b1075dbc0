/**
 * FLUX.2 [klein] 4B at full size, with random weights in the same shapes: whole edits at 512*512 in int8 and in int4, a step
 * of diffusers and of stable-diffusion.cpp on the same weights, and the first blocks beside PyTorch. Prints one JSON
 * document on standard output and its progress on standard error.
 */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import path from "node:path";
import { messageOf } from "../src/index.ts";
import { describeMachine, gitRevision, packageVersion } from "../tools/machine.ts";
import { findPython } from "../tools/python.ts";
import { say } from "./full-size/comparison.ts";
import { PACKAGE, PACKAGE_VERSION, tryBuildFluxStep } from "./full-size/stable-diffusion-cpp.ts";
import type { Bench, Run } from "./klein/bench.ts";
import { compareBlocks } from "./klein/blocks.ts";
import { removeWeights, weightsFile } from "./klein/checkpoint.ts";
import { measureEdits } from "./klein/edits.ts";
import { type Options, parseOptions, type Part, USAGE } from "./klein/options.ts";
import { measureProducts } from "./klein/products.ts";
import { sizesOf } from "./klein/published.ts";
import { goalsOf, type PartReports, type Parts, tableOf } from "./klein/report.ts";
import { runDiffusers, runStableDiffusionCpp, writeInputs } from "./klein/transformer-sides.ts";
import { runProgram, withFolder } from "./interruptible.ts";
import { pythonVersions } from "./sides/diffusers.ts";

const MEASURE: { [P in Part]: (bench: Bench) => Promise<PartReports[P]> } = {
  products: measureProducts,
  blocks: compareBlocks,
  int8: (bench) => measureEdits(bench, "int8"),
  int4: (bench) => measureEdits(bench, "int4"),
  diffusers: stepOfDiffusers,
  "cpp-int8": (bench) => stepOfCpp(bench, "int8"),
  "cpp-int4": (bench) => stepOfCpp(bench, "int4"),
};

async function stepOfDiffusers(bench: Bench): Promise<PartReports["diffusers"]> {
  const weights = await weightsFile(bench, "transformer");
  await writeInputs(bench);
  say("diffusers: steps of the whole transformer in bfloat16");
  const { fields, runs } = bench;
  const order = { fields: fields.transformer, runs };
  return runOf(await runDiffusers(bench, order, { weights, dtype: "bfloat16" }));
}

async function stepOfCpp(bench: Bench, kind: "int8" | "int4"): Promise<PartReports["cpp-int8"]> {
  await writeInputs(bench);
  say(`stable-diffusion.cpp: steps of the whole transformer at ${kind}`);
  const order = { fields: bench.fields.transformer, runs: bench.runs };
  const sides = Object.entries(await runStableDiffusionCpp(bench, order, kind));
  return Object.fromEntries(sides.map(([name, side]) => [name, "error" in side ? side : runOf(side)]));
}

/** Without the output. */
const runOf = ({ loadSeconds, seconds, peakBytes }: Run): Run => ({ loadSeconds, seconds, peakBytes });

/** Networks that no part after this one reads. */
function removeUnread(bench: Bench, remaining: readonly Part[]): void {
  if (remaining.includes("int8") || remaining.includes("int4")) return;
  removeWeights(bench, ["text_encoder", "vae"]);
  if (!remaining.includes("diffusers")) removeWeights(bench, ["transformer"]);
}

async function measureParts(bench: Bench, parts: Parts): Promise<void> {
  for (const [index, part] of bench.parts.entries()) {
    const [loadAverage] = loadavg();
    if (loadAverage! > 0.5) say(`the machine is busy (load ${loadAverage}): times mean little`);
    const report = await MEASURE[part](bench).catch((error: unknown) => {
      if (bench.signal.aborted) throw error;
      // The other parts still count.
      say(`${part}: failed: ${messageOf(error)}`);
      return { error: messageOf(error) };
    });
    const record = { date: new Date().toISOString(), revision: gitRevision(), loadAverage, report };
    Object.assign(parts, { [part]: record });
    removeUnread(bench, bench.parts.slice(index + 1));
  }
}

async function runBenchmark(bench: Bench): Promise<{ parts: Parts }> {
  const { results, numSteps, size, threads, runs, fields, python } = bench;
  const parts = results !== undefined && existsSync(results) ? await partsIn(results) : {};
  await measureParts(bench, parts);
  const machine = describeMachine();
  const document = {
    machine,
    versions: {
      node: process.version,
      "onnxruntime-node": packageVersion("onnxruntime-node"),
      ...pythonVersions(python),
      [PACKAGE]: PACKAGE_VERSION,
    },
    settings: { ...fields, ...size, numSteps, threads, runs },
    parts,
    goals: goalsOf(parts, machine),
  };
  if (results !== undefined) await writeFile(results, `${JSON.stringify(document, null, 2)}\n`);
  return document;
}

async function partsIn(file: string): Promise<Parts> {
  return (JSON.parse(await readFile(file, "utf8")) as { parts: Parts }).parts;
}

async function folderFor({ folder, isKept }: Options): Promise<string> {
  if (!isKept) return mkdtemp(path.join(folder, "retouch-klein-"));
  const kept = path.join(folder, "retouch-klein");
  await mkdir(kept, { recursive: true });
  return kept;
}

async function measure(options: Options): Promise<string> {
  const folder = await folderFor(options);
  return withFolder(folder, options, async (signal) => {
    const python = findPython();
    const isCppRun = options.parts.some((part) => part === "blocks" || part.startsWith("cpp"));
    const fluxStep =
      isCppRun && options.withStableDiffusionCpp
        ? tryBuildFluxStep(python, say)
        : new Error("It was left out.");
    const sizes = sizesOf(options.fields);
    const document = await runBenchmark({ ...options, sizes, folder, python, fluxStep, signal });
    return options.isTable ? tableOf(document.parts) : `${JSON.stringify(document, null, 2)}\n`;
  });
}

await runProgram(parseOptions, USAGE, measure);
