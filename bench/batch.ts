/**
 * Images together and apart: an edit of several results, both passes of a guided one, and edits that wait, by turns in one
 * run. Prints one JSON document on standard output.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { createEngine, type EditRequest, type Engine } from "../src/index.ts";
import { EditGroup } from "../src/engine/edit-group.ts";
import { describeMachine, gitRevision } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { runProgram } from "./interruptible.ts";

const USAGE = `Usage: npm run bench:batch -- [OPTIONS]

Edits with several results, with a negative prompt, and several edits that wait at a time, with images together and one
by one, by turns. Times are of the denoising loop; those of several edits are of all from the first to the last, whole.

  --rounds N        timed edits of each kind, at least 5 for the record (default 5)
  --steps N         denoising steps (default 28)
  --sizes A,B       sides of the result in pixels (default 128,256)
  --weights A,B     kinds of weights (default fp32,auto)
  --threads N       threads (default one a physical core)
  --checkpoint DIR  checkpoint folder (default checkpoints/tiny)
`;

interface Options {
  rounds: number;
  steps: number;
  sizes: readonly number[];
  weights: readonly ("fp32" | "auto" | "int8")[];
  threads: number;
  checkpoint: string;
}

interface Case extends Pick<EditRequest, "numImages" | "negativePrompt" | "trueCfgScale"> {
  name: string;
  /** That wait at a time. @default 1 */
  edits?: number;
}

const CASES: readonly Case[] = [
  { name: "1 image", numImages: 1 },
  { name: "2 images", numImages: 2 },
  { name: "4 images", numImages: 4 },
  { name: "8 images", numImages: 8 },
  { name: "guidance", numImages: 1, negativePrompt: "blurry", trueCfgScale: 2 },
  { name: "2 edits", numImages: 1, edits: 2 },
  { name: "4 edits", numImages: 1, edits: 4 },
];

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;

function parse(args: string[]): Options | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args,
    options: {
      rounds: { ...text, default: "5" },
      steps: { ...text, default: "28" },
      sizes: { ...text, default: "128,256" },
      weights: { ...text, default: "fp32,auto" },
      threads: { ...text, default: "0" },
      checkpoint: { ...text, default: inRepository("checkpoints/tiny") },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  return {
    rounds: Number(values.rounds),
    steps: Number(values.steps),
    sizes: values.sizes.split(",").map(Number),
    weights: values.weights.split(",") as Options["weights"],
    threads: Number(values.threads),
    checkpoint: path.resolve(values.checkpoint),
  };
}

/** Edits of different seeds that wait at a time, in a group where the engine takes several images a run. */
async function several(
  engine: Engine,
  edit: EditRequest & { seed: number },
  count: number,
  isGroup: boolean,
) {
  const group = new EditGroup(count);
  const started = performance.now();
  const results = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      engine.edit({ ...edit, seed: edit.seed + index }, { group: isGroup ? group.place() : undefined }),
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  return {
    seconds: count === 1 ? results[0]!.seconds.denoise : seconds,
    images: results.flatMap(({ images }) => images),
  };
}

/** Seconds of each kind, apart, together, and as the engine chooses, with the ratios of each round. */
async function measure(options: Options): Promise<string> {
  const image = await readFile(inRepository("test/fixtures/pictures/scene-96x64.png"));
  const results: unknown[] = [];
  for (const weights of options.weights) {
    const { checkpoint, threads } = options;
    const open = (batch: "auto" | number): Promise<Engine> =>
      createEngine({ checkpoint, threads, weights, batch, safety: { isOn: false } });
    const engines = { apart: await open(1), together: await open(4), auto: await open("auto") };
    const sides = Object.entries(engines);
    for (const side of options.sizes) {
      for (const { name, edits = 1, ...request } of CASES) {
        const edit = { ...request, image, prompt: "Make it night", seed: 1, numSteps: options.steps };
        const seconds: Record<string, number[]> = { apart: [], together: [], auto: [] };
        let images: readonly Uint8Array[] | undefined;
        let areEqual = true;
        // The first round loads, compares and measures; it is not timed.
        for (let round = 0; round <= options.rounds; round += 1) {
          for (const [kind, engine] of sides) {
            const sized = { ...edit, size: { width: side, height: side } };
            const result = await several(engine, sized, edits, kind !== "apart" && edits > 1);
            if (round > 0) seconds[kind]!.push(result.seconds);
            images ??= result.images;
            areEqual &&= result.images.every((one, index) => Buffer.compare(one, images![index]!) === 0);
          }
        }
        const speedup = (kind: string): number =>
          median(seconds["apart"]!.map((apart, round) => apart / seconds[kind]![round]!));
        const speedups = { together: speedup("together"), auto: speedup("auto") };
        results.push({ weights, side, case: name, seconds, speedups, areEqual });
        process.stderr.write(`${weights} ${side} ${name}: ${JSON.stringify(speedups)}\n`);
      }
    }
    results.push({ weights, arithmetic: engines.auto.arithmetic, found: engines.auto.batches.found });
    for (const [, engine] of sides) await engine.close();
  }
  return `${JSON.stringify({ machine: describeMachine(), revision: gitRevision(), options, results }, undefined, 2)}\n`;
}

await runProgram(parse, USAGE, measure);
