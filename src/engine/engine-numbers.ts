/** The numbers among an engine's options. */
import { invalid } from "../errors.ts";
import { type BatchChoice, checkBatch } from "./batches/batches.ts";

/** As in an engine's options. */
interface Numbers {
  threads: number;
  memoryLimit: number | undefined;
  encodingCache: number;
  batch: BatchChoice;
}

/** @throws RetouchError INVALID_PARAMETER */
export function checkNumbers({ threads, memoryLimit, encodingCache, batch }: Numbers): void {
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
}
