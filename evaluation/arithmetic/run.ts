/**
 * How far edits in the arithmetic that is chosen without `--weights` are from the same edits in float32, and how long they
 * take, by turns. Usage: npm run eval:arithmetic -- --help
 */
import { parseArgs } from "node:util";
import { levelsBetween } from "../../src/engine/calibrate.ts";
import { psnrOf } from "../../src/images/psnr.ts";
import type { Engine } from "../../src/index.ts";
import { describeMachine, gitRevision } from "../../tools/machine.ts";
import { inRepository } from "../../tools/paths.ts";
import { medianOf } from "../../tools/statistics.ts";
import { calibrating, heldOut, requestOf, spread } from "../acceleration/edits.ts";
import { openUnchecked, type Timed, timed } from "../acceleration/timed.ts";
import { nativeScaleOf } from "../checkpoint.ts";
import { openSet } from "../set.ts";

const USAGE = `Usage: npm run eval:arithmetic [-- OPTIONS]

Edits held-out scenes of evaluation/set in float32 and in another arithmetic, with the same seeds and every step computed,
by turns, and prints one JSON document: PSNR of the pictures and ratios of the times.

  --limit N             so many edits, spread over the kinds (default 50)
  --weights KIND        the other arithmetic (default auto, which measures what this processor is fast in)
  --threads N           threads of the networks (default 0, one per core)
  --checkpoint DIR      checkpoint folder (default checkpoints/tiny)
  --calibrating         scenes that calibrations are drawn from, in place of those held out
`;
/** What every edit should reach, decibels. */
const GOAL = 40;

const { values } = parseArgs({
  options: {
    limit: { type: "string", default: "50" },
    weights: { type: "string", default: "auto" },
    threads: { type: "string", default: "0" },
    checkpoint: { type: "string", default: inRepository("checkpoints", "tiny") },
    calibrating: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
process.stdout.write(values.help ? USAGE : `${JSON.stringify(await measure(), null, 2)}\n`);

async function measure(): Promise<object> {
  const set = await openSet(inRepository("evaluation", "set"));
  const native = await nativeScaleOf(values.checkpoint);
  const all = values.calibrating ? calibrating(set, Number(values.limit)) : heldOut(set);
  const count = Math.min(Number(values.limit), all.length);
  const scenes = spread(all, count);
  const exact = await openUnchecked(values, "fp32");
  const chosen = await openUnchecked(values, values.weights);
  const edits: { id: number; kind: string; psnr: number | null; ratio: number; cpuRatio: number }[] = [];
  const levels: number[] = [];
  try {
    for (const [place, scene] of scenes.entries()) {
      const request = await requestOf(set, scene, native);
      // Which side begins changes from edit to edit.
      const sides = place % 2 === 0 ? [exact, chosen] : [chosen, exact];
      const runs = new Map<Engine, Timed>();
      for (const side of sides) runs.set(side, await timed(side, request));
      const [one, other] = [runs.get(exact)!, runs.get(chosen)!];
      levels.push(levelsBetween(one.data, other.data));
      const psnr = psnrOf(one.data, other.data);
      edits.push({
        id: scene.id,
        kind: scene.kind,
        psnr: Number.isFinite(psnr) ? psnr : null,
        ratio: other.seconds / one.seconds,
        cpuRatio: other.cpuSeconds / one.cpuSeconds,
      });
      if (place % 10 === 9) process.stderr.write(`${place + 1} of ${count} edits\n`);
    }
    const decibels = edits.map(({ psnr }) => psnr ?? Infinity);
    const least = Math.min(...decibels);
    return {
      date: new Date().toISOString(),
      revision: gitRevision(),
      machine: describeMachine(),
      arithmetic: chosen.arithmetic,
      products: chosen.products,
      edits: edits.length,
      psnr: { least, median: medianOf(decibels) },
      /** Of 8 bits, before they are rounded: what a calibration says of an arithmetic. */
      mostLevels: Math.max(...levels),
      ratio: medianOf(edits.map(({ ratio }) => ratio)),
      cpuRatio: medianOf(edits.map(({ cpuRatio }) => cpuRatio)),
      goal: { decibels: GOAL, isMet: least >= GOAL },
      each: edits,
    };
  } finally {
    await exact.close();
    await chosen.close();
  }
}
