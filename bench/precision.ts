/**
 * How close edits with weights in few bits come to those in float32: the same images, instructions and seeds, on the
 * shipped checkpoint and on a wide random one. Prints one JSON document on standard output.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { decodePicture } from "../src/images/decode.ts";
import type { Picture } from "../src/images/picture.ts";
import { convertCheckpoint } from "../src/engine/convert.ts";
import { editImage } from "../src/pipelines/flux1-kontext/edit.ts";
import { loadNetworks } from "../src/pipelines/flux1-kontext/model.ts";
import type { ComponentOptions } from "../src/engine/components.ts";
import { resolveRequest } from "../src/engine/request.ts";
import { messageOf } from "../src/index.ts";
import { Checkpoint, type SingleFiles } from "../src/weights/checkpoint.ts";
import { WEIGHT_KINDS, type WeightKind } from "../src/weights/converted.ts";
import { atLeast, type Goal } from "../tools/goals.ts";
import { describeMachine, gitRevision } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { psnrOf } from "../src/images/psnr.ts";
import { writeWideCheckpoint } from "./precision/wide.ts";
import { medianOf, rounded } from "../tools/statistics.ts";

const USAGE = `Usage: npm run bench:precision -- [--small] [--transformer FILE]

Edits in float32 and with weights of 16, 8 and 4 bits, and prints how far the pictures are apart.

  --small             three edits and one of the wide network in two steps, to see that everything works
  --transformer FILE  the shipped checkpoint alone, with this file as its transformer, such as one that
                      scripts/reference/k_quants.py wrote
`;
const INSTRUCTIONS = [
  "Exact same bluebird, same angle and posture, now perched on a cloud in outer space",
  "Make it night",
  "Turn it into a pencil sketch",
  "Add a red ball on the left",
  "Make the bluebird yellow",
];
/** The decibels that the final image should reach. */
const GOALS: Partial<Record<WeightKind, number>> = { int8: 40, int4: 28 };

interface Subject {
  checkpoint: string;
  files?: SingleFiles;
  instructions: readonly string[];
  numSteps: number;
}

interface KindReport {
  kind: WeightKind;
  /** How matrices in few bits are multiplied: 1 in float32, 4 with inputs of 8 bits; null where there are none. */
  accuracyLevel: 1 | 4 | null;
  /** Peak signal-to-noise ratio of final images against float32; null where they are equal. */
  decibels: { median: number | null; least: number | null };
}

async function reportOf(subject: Subject, cacheFolder: string) {
  const exact = await picturesOf(subject, { weights: "fp32", cacheFolder });
  const kinds: KindReport[] = [];
  for (const kind of WEIGHT_KINDS) {
    const levels = kind in GOALS ? ([1, 4] as const) : ([undefined] as const);
    for (const accuracyLevel of levels) {
      const pictures = await picturesOf(subject, { weights: kind, cacheFolder, accuracyLevel });
      const values = pictures.map((picture, index) => psnrOf(picture.data, exact[index]!.data));
      const decibels = { median: finite(medianOf(values)), least: finite(Math.min(...values)) };
      kinds.push({ kind, accuracyLevel: accuracyLevel ?? null, decibels });
    }
  }
  return {
    numSteps: subject.numSteps,
    edits: exact.length,
    kinds,
    weights: await errorsOf(subject, cacheFolder),
  };
}

/** How far the rounded weights are off, by kind and network. */
async function errorsOf({ checkpoint, files = {} }: Subject, folder: string) {
  const reports = [];
  for (const kind of WEIGHT_KINDS) {
    for (const { network, byteLength, errors } of await convertCheckpoint(checkpoint, files, kind, {
      folder,
    })) {
      const values = errors.map(({ relativeError }) => relativeError);
      const [median, worst] = [medianOf(values), Math.max(...values)];
      reports.push({ kind, network, byteLength, rounded: values.length, relativeError: { median, worst } });
    }
  }
  return reports;
}

async function picturesOf(subject: Subject, options: ComponentOptions): Promise<Picture[]> {
  const checkpoint = await Checkpoint.open(subject.checkpoint, subject.files);
  const networks = await loadNetworks(checkpoint, { threads: 0 }, options);
  try {
    const image = await readFile(inRepository("examples", "bluebird.png"));
    const source = await decodePicture(image);
    const side = networks.autoencoder.sampleSize;
    const pictures: Picture[] = [];
    for (const [seed, prompt] of subject.instructions.entries()) {
      const size = { width: side, height: side };
      const request = resolveRequest({ image, prompt, seed, numSteps: subject.numSteps, size });
      const steps = editImage(networks, [source], request);
      let next = await steps.next();
      while (!next.done) next = await steps.next();
      pictures.push(next.value.picture!);
    }
    return pictures;
  } finally {
    await networks.dispose();
  }
}

const finite = (value: number): number | null => (Number.isFinite(value) ? rounded(value) : null);

/** Inputs of 8 bits, as edits use them. */
function goalsOf(name: string, kinds: readonly KindReport[]): Goal[] {
  return kinds.flatMap(({ kind, accuracyLevel, decibels }) => {
    const bound = GOALS[kind];
    if (bound === undefined || accuracyLevel !== 4) return [];
    return [atLeast(`decibels of the median picture, ${name}, ${kind}`, decibels.median ?? Infinity, bound)];
  });
}

async function main(isSmall: boolean, transformer: string | undefined): Promise<object> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-precision-"));
  try {
    const first = (count: number): string[] => INSTRUCTIONS.slice(0, isSmall ? count : undefined);
    const checkpoint = inRepository("checkpoints", "tiny");
    const subjects: Record<string, Subject> = {
      tiny: { checkpoint, files: { transformer }, instructions: first(3), numSteps: 28 },
    };
    if (transformer === undefined) {
      const wide = path.join(folder, "wide");
      await writeWideCheckpoint(wide, isSmall ? 4 : 16, 1);
      subjects["wide"] = { checkpoint: wide, instructions: first(1), numSteps: isSmall ? 2 : 8 };
    }
    const reports: Record<string, Awaited<ReturnType<typeof reportOf>>> = {};
    for (const [name, subject] of Object.entries(subjects)) {
      process.stderr.write(`bench: ${name}\n`);
      reports[name] = await reportOf(subject, path.join(folder, "cache"));
    }
    const goals = Object.entries(reports).flatMap(([name, { kinds }]) => goalsOf(name, kinds));
    const date = new Date().toISOString();
    return { date, revision: gitRevision(), machine: describeMachine(), ...reports, goals };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  const { values } = parseArgs({
    options: { small: { type: "boolean" }, transformer: { type: "string" }, help: { type: "boolean" } },
  });
  const report = values.help ? undefined : await main(values.small ?? false, values.transformer);
  const text = report === undefined ? USAGE : `${JSON.stringify(report, null, 2)}\n`;
  process.stdout.write(text);
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
