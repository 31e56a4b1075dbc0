/**
 * Retouch beside diffusers: the same edit on the same checkpoint with the same threads, alternating. Prints one JSON
 * document on standard output and its progress on standard error.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { messageOf } from "../src/index.ts";
import { measureColdStart } from "./cold-start.ts";
import { compare, type SharedOrder } from "./compare.ts";
import { flopsPerStep } from "../src/pipelines/flux1-kontext/components.ts";
import { measureGemmPeak } from "./gemm-peak.ts";
import { describeMachine, gitRevision, packageVersion } from "../tools/machine.ts";
import { findPython } from "../tools/python.ts";
import { describeNetwork } from "./network.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { writeSource } from "./pictures.ts";
import { describeDenoise, holdAgainstGoals, type VariantReport } from "./report.ts";
import { diffusersSide, pythonVersions, VARIANTS } from "./sides/diffusers.ts";
import { firstStepSide, retouchSide } from "./sides/retouch.ts";

const PROMPT = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space";
const SEED = 1;
const GUIDANCE = 2;

async function runBenchmark(options: Options): Promise<object> {
  const { checkpoint, size, numSteps, runs, threads } = options;
  const { config, tokens } = await describeNetwork(checkpoint, size);
  const machine = describeMachine();
  const python = findPython();
  const facts = {
    date: new Date().toISOString(),
    revision: gitRevision(),
    machine,
    versions: {
      node: process.version,
      "onnxruntime-node": packageVersion("onnxruntime-node"),
      ...pythonVersions(python),
    },
    settings: { checkpoint: path.basename(checkpoint), ...size, numSteps, runs, threads, tokens },
  };
  if (machine.loadAverage > 0.5) say(`the machine is busy (load ${machine.loadAverage}): times mean little`);

  const folder = await mkdtemp(path.join(tmpdir(), "retouch-bench-"));
  try {
    const image = path.join(folder, "source.png");
    await writeSource(image, size);
    const order = { image, prompt: PROMPT, ...size, steps: numSteps, guidance: GUIDANCE, seed: SEED };
    const comparisons = await compareVariants(options, { python, order, folder });
    say("cold start");
    const coldStartSeconds = await measureColdStart(await firstStepSide(options), order, runs);
    say("peak of matrix products");
    const peak = await measureGemmPeak(threads, python);
    const denoise = describeDenoise(comparisons, flopsPerStep(config, tokens), peak);
    const goals = holdAgainstGoals(comparisons, coldStartSeconds.median, denoise?.gemmShare ?? null);
    return { ...facts, comparisons, coldStartSeconds, denoise, goals };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compareVariants(
  options: Options,
  { python, order, folder }: { python: string; order: SharedOrder; folder: string },
): Promise<VariantReport[]> {
  const reports: VariantReport[] = [];
  const retouch = await retouchSide(options);
  for (const variant of options.variants) {
    const { description } = VARIANTS[variant];
    say(`beside diffusers, ${description}`);
    const commands = { retouch, diffusers: diffusersSide(python, variant, options) };
    try {
      const comparison = await compare(commands, order, { runs: options.runs, folder });
      say(`  ${comparison.speedup.edit} times as fast`);
      reports.push({ variant, description, ...comparison });
    } catch (error) {
      // Such as torch.compile on a machine without a C++ compiler: the others still count.
      say(`  failed: ${messageOf(error)}`);
      reports.push({ variant, description, error: messageOf(error) });
    }
  }
  return reports;
}

function say(sentence: string): void {
  process.stderr.write(`bench: ${sentence}\n`);
}

try {
  const options = parseOptions(process.argv.slice(2));
  const text = options === "help" ? USAGE : `${JSON.stringify(await runBenchmark(options), null, 2)}\n`;
  process.stdout.write(text);
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
