/**
 * Measures how near to its own best a checkpoint comes in few steps, per sampler, and keeps the curve with the checkpoint:
 * `npm run eval:steps -- [CHECKPOINT] [SCENES]` writes CHECKPOINT/steps.json, from which `--steps auto` chooses. The best is
 * the picture of 50 steps of Heun's method, the most exact that there is here; scenes are those of evaluation/set.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createEngine, encodePicture, SAMPLERS, type SamplerName } from "../src/index.ts";
import { decodePicture } from "../src/images/decode.ts";
import { velocitiesOf } from "../src/sampling/sampler-names.ts";
import { inRepository } from "../tools/paths.ts";
import { medianOf } from "../tools/statistics.ts";
import { decibelsOf } from "./measures.ts";
import { openSet, type Scene } from "./set.ts";

/** The most that an edit may take. */
const BEST = { sampler: "heun", numSteps: 50 } as const;
const STEPS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 28];
/** A sampler that asks more often per step is measured up to as many velocities. */
const MOST_VELOCITIES = 31;
const GUIDANCE = 2;

const [folder = inRepository("checkpoints", "tiny"), count = "8"] = process.argv.slice(2);
const set = await openSet(inRepository("evaluation", "set"));
const scenes = spread(set.scenes, Number(count));
const engine = await createEngine({ checkpoint: folder, safety: { isOn: false } });
const measured = new Map<SamplerName, Map<number, number[]>>(SAMPLERS.map((name) => [name, new Map()]));
for (const [index, scene] of scenes.entries()) {
  const { source } = await set.scene(scene);
  const image = await encodePicture(source, "png");
  const draw = async (how: { sampler: SamplerName; numSteps: number }) => {
    const { instruction: prompt, seed, width, height } = scene;
    const request = { image, prompt, seed, guidance: GUIDANCE, size: { width, height }, ...how };
    return decodePicture((await engine.edit(request)).image);
  };
  const best = await draw(BEST);
  for (const sampler of SAMPLERS) {
    const affordable = (numSteps: number): boolean => velocitiesOf(sampler, numSteps) <= MOST_VELOCITIES;
    for (const numSteps of STEPS.filter(affordable)) {
      const decibels = decibelsOf(await draw({ sampler, numSteps }), best)!;
      const ofSteps = measured.get(sampler)!;
      ofSteps.set(numSteps, [...(ofSteps.get(numSteps) ?? []), decibels]);
    }
  }
  process.stderr.write(`eval: ${index + 1} of ${scenes.length} scenes\n`);
}
await engine.close();
const curves = Object.fromEntries(
  [...measured].map(([sampler, ofSteps]) => [
    sampler,
    Object.fromEntries(
      [...ofSteps].map(([steps, decibels]) => [steps, Number(medianOf(decibels).toFixed(2))]),
    ),
  ]),
);
const document = { scenes: scenes.length, guidance: GUIDANCE, best: BEST, curves };
await writeFile(path.join(folder, "steps.json"), `${JSON.stringify(document, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);

/** So many of them, evenly spread over the list, which is ordered by kind. */
function spread(all: readonly Scene[], wanted: number): Scene[] {
  return Array.from({ length: wanted }, (_, index) => all[Math.floor((index * all.length) / wanted)]!);
}
