/** The options of an engine that are numbers or words, checked before anything is read. */
import { invalid } from "../errors.ts";
import { type BatchChoice, checkBatch } from "./batches/batches.ts";
import { REFERENCE_CACHES } from "../pipelines/pipeline.ts";
import { WEIGHTS_CHOICES } from "./weights-choice.ts";

/** As in `EngineOptions`, defaults filled in. */
interface CheckedOptions {
  threads: number;
  memoryLimit: number | undefined;
  encodingCache: number;
  batch: BatchChoice;
  weights: string;
  referenceCache: string | undefined;
}

/** @throws RetouchError INVALID_PARAMETER with the option and what it may be */
export function checkEngineOptions({
  threads,
  memoryLimit,
  encodingCache,
  batch,
  weights,
  referenceCache,
}: CheckedOptions): void {
  if (!Number.isInteger(threads) || threads < 0 || threads > 1024) {
    throw invalid("range", { field: "threads", wanted: "a whole number", min: 0, max: 1024, given: threads });
  }
  if (memoryLimit !== undefined && !(memoryLimit > 0)) {
    throw invalid("above", { field: "memoryLimit", min: 0, given: memoryLimit });
  }
  if (!Number.isSafeInteger(encodingCache) || encodingCache < 0) {
    throw invalid("range", {
      field: "encodingCache",
      wanted: "a whole number of bytes",
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      given: encodingCache,
    });
  }
  checkBatch(batch);
  const chosen = [
    ["weights", WEIGHTS_CHOICES, weights],
    ["referenceCache", REFERENCE_CACHES, referenceCache],
  ] as const;
  for (const [field, choices, given] of chosen) {
    if (given === undefined || (choices as readonly string[]).includes(given)) continue;
    throw invalid("oneOf", { field, choices: choices.join(", "), given: JSON.stringify(given) });
  }
}
