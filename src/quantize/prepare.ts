/** From weights as a checkpoint has them to weights as a network is loaded with. */
import type { WeightKind } from "../weights/converted.ts";
import { type WeightOptions, WeightSet } from "../weights/weight-set.ts";
import type { WeightSource } from "../weights/weight-source.ts";
import { cachedWeights, type CacheOptions } from "./cache.ts";
import { storedSource } from "./stored-source.ts";

/** Weights that the runtime can load as they are, or that have to be converted first. */
export type StoredWeights = WeightSet | WeightSource;

const HALF_TYPES = { fp16: "float16", bf16: "bfloat16" } as const;

/**
 * The weights in `kind`: as they are, where that is what the files hold, or else converted, in a file of the cache.
 * @param name what a message calls the network
 * @param kind `fp32` takes what the runtime can load, whatever its element type, and has it widened
 * @throws RetouchError as `cachedWeights` does
 */
export async function preparedWeights(
  name: string,
  stored: StoredWeights,
  kind: WeightKind | "fp32",
  cache: CacheOptions,
  options: Pick<WeightOptions, "accuracyLevel"> = {},
): Promise<WeightSet> {
  if (kind === "fp32") {
    if (stored instanceof WeightSet) return stored;
    throw new Error(`${stored.name} can only be converted.`);
  }
  const isKeptHalf = kind === "fp16" || kind === "bf16";
  if (isStoredAs(stored, kind)) return stored.with({ isKeptHalf });
  return (await cachedWeights(name, sourceOf(stored), kind, cache, { ...options, isKeptHalf })).weights;
}

/** Whether there is nothing to convert. */
export const isStoredAs = (stored: StoredWeights, kind: WeightKind): stored is WeightSet =>
  stored instanceof WeightSet && (kind === "fp16" || kind === "bf16") && holdsOnly(stored, HALF_TYPES[kind]);

/** What is converted. */
export const sourceOf = (stored: StoredWeights): WeightSource =>
  stored instanceof WeightSet ? storedSource(stored) : stored;

/** Whether every matrix has this element type, and stands for itself. */
function holdsOnly(weights: WeightSet, dtype: "float16" | "bfloat16"): boolean {
  return [...weights.entries()].every(([, weight]) => {
    if (weight.shape.length < 2) return true;
    if ("blocks" in weight) return false;
    const parts = "parts" in weight ? weight.parts : [weight];
    return parts.every((part) => part.dtype === dtype) && !("parts" in weight && weight.scale);
  });
}
