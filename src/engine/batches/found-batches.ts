/** What edits on this machine have found out about runs with several images. */
import { checkpointDigest } from "../identity.ts";
import type { ModelPlan } from "../model.ts";
import { BATCH_SIZES, BatchSpeeds, type ShapeSpeeds } from "./batch-speeds.ts";
import { keptBatches } from "./batches.ts";

/** What is known of images of one shape, in one arithmetic. */
export interface FoundBatch extends ShapeSpeeds {
  /** What the networks compute in. */
  arithmetic: string;
  /** How many images a run takes of four that are drawn at a time; it may still be measured. */
  chosen: number;
  isSettled: boolean;
}

/**
 * What was found for a checkpoint by engines with one thread a core.
 * @param folder of the checkpoint
 * @returns undefined of a model whose images all run alone
 */
export async function foundBatches(
  { components, stored = {} }: ModelPlan,
  folder: string,
  cacheFolder: string,
): Promise<readonly FoundBatch[] | undefined> {
  if (!components.some(({ takesBatches }) => takesBatches)) return undefined;
  const kept = await keptBatches(cacheFolder, await checkpointDigest(folder, stored));
  const most = Math.max(...BATCH_SIZES);
  return kept.flatMap(({ arithmetic, shapes }) => {
    const speeds = new BatchSpeeds();
    speeds.learn(shapes);
    return shapes.map((one) => ({
      ...one,
      arithmetic,
      chosen: speeds.next(one.shape, most),
      isSettled: speeds.isSettled(one.shape, most),
    }));
  });
}
