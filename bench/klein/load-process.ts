/**
 * Loads every network of a checkpoint twice, one after the other; the second time its file is in the page cache. Argument:
 * a `LoadOrder` as JSON; prints a `LoadAnswer` as one JSON line.
 */
import { convertibleNames } from "../../src/engine/weights-choice.ts";
import { openModel } from "../../src/pipelines/index.ts";
import { preparedWeights } from "../../src/quantize/prepare.ts";
import { loadSession } from "../../src/runtime/load.ts";
import type { WeightKind } from "../../src/weights/converted.ts";
import { rounded } from "../../tools/statistics.ts";
import { secondsSince } from "../full-size/timed-run.ts";

export interface LoadOrder {
  checkpoint: string;
  /** Where the converted weights are. */
  cacheFolder: string;
  kind: WeightKind;
  threads: number;
}

/** Seconds of the second time, by the network's name. */
export type LoadAnswer = Record<string, number>;

const ROUNDS = 2;

const { checkpoint, cacheFolder, kind, threads } = JSON.parse(process.argv[2]!) as LoadOrder;
const { model } = await openModel(checkpoint);
const convertible = new Set(convertibleNames(model));
const answer: LoadAnswer = {};
for (const { name, weights: stored, build } of model.components) {
  const wanted = convertible.has(stored) ? kind : "fp32";
  const weights = await preparedWeights(stored, model.stored[stored]!, wanted, { folder: cacheFolder });
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    const session = await loadSession(build(weights.scope()), weights, { threads });
    answer[name] = rounded(secondsSince(started));
    await session.dispose();
  }
}
process.stdout.write(`${JSON.stringify(answer)}\n`);
