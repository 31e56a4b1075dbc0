/** Turns weights as a checkpoint has them into weights that a network can be loaded with. */
import type { ConvertedKind, WeightKind } from "../weights/converted.ts";
import { type WeightOptions, WeightSet } from "../weights/weight-set.ts";
import type { WeightSource } from "../weights/weight-source.ts";
import { cachedWeights, type CacheOptions } from "./cache.ts";
import { storedSource } from "./stored-source.ts";

/** Weights that the runtime can load as they are, or that must be converted first. */
export type StoredWeights = WeightSet | WeightSource;

const HALF_TYPES = { fp16: "float16", bf16: "bfloat16" } as const;

/**
 * The weights in `kind`: as they are if the files hold that kind, otherwise converted, in a cached file.
 * @param name what a message calls the network
 * @param kind `fp32` uses whatever the runtime can load, of any element type, and has it widened; what it cannot load
 * is converted without rounding
 * @throws RetouchError as `cachedWeights` does
 */
export async function preparedWeights(
  name: string,
  stored: StoredWeights,
  kind: ConvertedKind,
  cache: CacheOptions,
  options: Pick<WeightOptions, "accuracyLevel"> = {},
): Promise<WeightSet> {
  const isKeptHalf = kind === "fp16" || kind === "bf16";
  if (kind === "fp32") {
    if (stored instanceof WeightSet) return stored;
  } else if (isStoredAs(stored, kind)) return stored.with({ isKeptHalf });
  return (await cachedWeights(name, sourceOf(stored), kind, cache, { ...options, isKeptHalf })).weights;
}

/** Whether no conversion is needed. */
export const isStoredAs = (stored: StoredWeights, kind: WeightKind): stored is WeightSet =>
  stored instanceof WeightSet && (kind === "fp16" || kind === "bf16") && holdsOnly(stored, HALF_TYPES[kind]);

/** The source to convert from. */
export const sourceOf = (stored: StoredWeights): WeightSource =>
  stored instanceof WeightSet ? storedSource(stored) : stored;

/** Only some of the weights; the others are neither converted nor asked for. */
export function withOnly(stored: StoredWeights, isRead: (key: string) => boolean): StoredWeights {
  if (stored instanceof WeightSet) return stored.only(isRead);
  return {
    ...stored,
    *weights() {
      for (const weight of stored.weights()) if (isRead(weight.key)) yield weight;
    },
  };
}

/** Whether every matrix has this element type and no scale. */
function holdsOnly(weights: WeightSet, dtype: "float16" | "bfloat16"): boolean {
  return [...weights.entries()].every(([, weight]) => {
    if (weight.shape.length < 2) return true;
    if ("blocks" in weight) return false;
    const parts = "parts" in weight ? weight.parts : [weight];
    return parts.every((part) => part.dtype === dtype) && !("parts" in weight && weight.scale);
  });
}
