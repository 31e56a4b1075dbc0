/**
 * Converted weights, kept between runs: one file per source and kind. It is named by the content of the source's
 * files, so a checkpoint that is moved or copied is not converted again, and a changed one is.
 */
import path from "node:path";
import { messageOf, RetouchError } from "../errors.ts";
import { withLock } from "../files/lock.ts";
import { type Converted, readConverted, type ConvertedKind } from "../weights/converted.ts";
import type { WeightOptions } from "../weights/weight-set.ts";
import type { WeightSource } from "../weights/weight-source.ts";
import { quantize } from "./quantize.ts";
import { hashOfSource } from "./source-hash.ts";
import { conversionAborted } from "./write-weights.ts";

export interface CacheOptions {
  /** The folder that holds `weights` and `hashes`; created if missing. */
  folder: string;
  /** Threads that round the numbers. @default one per core */
  threads?: number | undefined;
  onProgress?: ((progress: ConversionProgress) => void) | undefined;
  /** Aborts a conversion with the code ABORTED. */
  signal?: AbortSignal | undefined;
}

/** How far the conversion of one network's weights is. */
export interface ConversionProgress {
  /** What a message calls the network. */
  network: string;
  kind: ConvertedKind;
  /** `reading` hashes the files' content, counted in bytes; `writing` counts numbers. */
  phase: "reading" | "writing";
  done: number;
  of: number;
}

export interface CachedWeights extends Converted {
  file: string;
  /** Whether they were converted just now. */
  isNew: boolean;
}

/**
 * Reads the converted weights of a source; converts them first if they are not cached.
 * @param name what a message calls the network
 * @throws RetouchError OUTPUT_UNWRITABLE, CHECKPOINT_INVALID, CHECKPOINT_UNSUPPORTED or ABORTED
 */
export async function cachedWeights(
  name: string,
  source: WeightSource,
  kind: ConvertedKind,
  { folder, threads, onProgress, signal }: CacheOptions,
  options: WeightOptions = {},
): Promise<CachedWeights> {
  const tell = (phase: ConversionProgress["phase"]) => (progress: { done: number; of: number }) =>
    onProgress?.({ network: name, kind, phase, ...progress });
  const hash = await hashOfSource(source, {
    folder: path.join(folder, "hashes"),
    onProgress: tell("reading"),
    signal,
  }).catch((error: unknown) => Promise.reject(sourceFailure(source, error, signal)));
  const file = path.join(folder, "weights", `${name}-${kind}-${hash.slice(0, 32)}.safetensors`);
  const read = async (): Promise<Converted | undefined> => {
    const found = await readConverted(name, file, options).catch(unlessUnusable);
    return found?.kind === kind && found.source === hash ? found : undefined;
  };
  const known = await read();
  if (known) return { ...known, file, isNew: false };
  return withLock(`${file}.lock`, { signal, aborted: conversionAborted }, async () => {
    // Another process may have converted them in the meantime.
    const made = await read();
    if (made) return { ...made, file, isNew: false };
    await quantize(source, kind, file, { hash, threads, onProgress: tell("writing"), signal });
    return { ...(await readConverted(name, file, options)), file, isNew: true };
  });
}

/** A file that is missing, damaged or of another version is written again. */
function unlessUnusable(error: unknown): undefined {
  const codes = ["CHECKPOINT_MISSING", "CHECKPOINT_INVALID", "CHECKPOINT_UNSUPPORTED"];
  if (error instanceof RetouchError && codes.includes(error.code)) return undefined;
  throw error;
}

function sourceFailure({ name }: WeightSource, error: unknown, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return conversionAborted();
  if (error instanceof RetouchError) return error;
  return new RetouchError(
    "CHECKPOINT_INVALID",
    `The weights of ${name} cannot be read: ${messageOf(error)}.`,
    {
      cause: error,
    },
  );
}
