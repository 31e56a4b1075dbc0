/** Converts a checkpoint's large networks before their first use: what `retouch quantize` does. */
import { stat } from "node:fs/promises";
import { openModel } from "../pipelines/index.ts";
import { cachedWeights, type CacheOptions } from "../quantize/cache.ts";
import { isStoredAs, sourceOf } from "../quantize/prepare.ts";
import type { SingleFiles } from "../weights/checkpoint.ts";
import type { WeightError, WeightKind } from "../weights/converted.ts";
import { convertibleNames } from "./weights-choice.ts";

/** A network whose weights were converted, or were there already. */
export interface ConvertedNetwork {
  /** Name of the stored weights. */
  network: string;
  /** Null if the checkpoint already holds the network in this kind, so nothing is converted. */
  file: string | null;
  /** Size of that file, or of the weights in the checkpoint. */
  byteLength: number;
  /** Whether it was converted now; false if the file already existed. */
  isNew: boolean;
  /** For every rounded weight: the root mean square of the error divided by that of the weight. */
  errors: readonly WeightError[];
}

/**
 * Converts the large networks to `kind` and caches them, where an engine with these weights finds them.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED, OUTPUT_UNWRITABLE or ABORTED
 */
export async function convertCheckpoint(
  folder: string,
  files: SingleFiles,
  kind: WeightKind,
  cache: CacheOptions,
): Promise<ConvertedNetwork[]> {
  const { model } = await openModel(folder, files);
  const converted: ConvertedNetwork[] = [];
  for (const network of convertibleNames(model)) {
    const weights = model.stored[network]!;
    if (isStoredAs(weights, kind)) {
      const { byteLength } = sourceOf(weights);
      converted.push({ network, file: null, byteLength, isNew: false, errors: [] });
      continue;
    }
    const { file, isNew, errors } = await cachedWeights(network, sourceOf(weights), kind, cache);
    converted.push({ network, file, byteLength: (await stat(file)).size, isNew, errors });
  }
  return converted;
}
