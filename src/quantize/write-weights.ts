/**
 * Reads a network's weights part by part, has the parts rounded, and writes them to their places. Several parts are in
 * progress at once, so the disk and the threads do not wait for each other.
 */
import type { FileHandle } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { RetouchError } from "../errors.ts";
import { writeRange } from "../files/ranges.ts";
import type { WeightError } from "../weights/converted.ts";
import type { SquareSums } from "./blocks.ts";
import { type ConvertedPart, convertPart, type Part } from "./convert.ts";
import type { WeightFormat } from "./formats.ts";
import { bytesOf, type FileLayout, isRounded, type Place, type PlannedWeight } from "./layout.ts";
import { ConvertThread } from "./threads.ts";

export interface WriteOptions {
  /** @default one per core */
  threads?: number | undefined;
  /** The compiled file of a thread. */
  threadEntry?: URL | undefined;
  /** Called after every part of a weight, with how many of the numbers are written. */
  onProgress?: ((progress: { done: number; of: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** The error of a weight that may have changed, and how it is stored. */
export type RoundedWeight = WeightError & { format: WeightFormat };

/** Numbers per part, unless a row has more: its float32 numbers stay in a core's cache. */
const PART_SIZE = 1 << 18;
/** Parts in progress per thread: one is rounded while another is read or written. */
const PARTS_PER_THREAD = 2;
/** Fewer numbers than this are rounded before threads could even start. */
const MIN_FOR_THREADS = 4_000_000;

/** Rows `from` up to `to` of a weight. */
interface Rows {
  planned: PlannedWeight;
  from: number;
  to: number;
}

type Convert = (part: Part) => ConvertedPart | Promise<ConvertedPart>;

/**
 * Writes everything but the header. The bytes and the errors do not depend on the number of threads.
 * @param name what a message calls the source
 * @throws RetouchError ABORTED, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED; also whatever reading and writing throw
 */
export async function writeWeights(
  name: string,
  layout: FileLayout,
  handle: FileHandle,
  { threads = availableParallelism(), threadEntry, onProgress, signal }: WriteOptions,
): Promise<RoundedWeight[]> {
  const { weights, headerLength } = layout;
  const of = weights.reduce((sum, weight) => sum + numbersOf(weight), 0);
  let done = 0;
  const sums = new Map(weights.filter(isRounded).map((planned) => [planned, [] as SquareSums[]]));

  const write = (data: Uint8Array | Float32Array, place: Place, { planned, from }: Rows): Promise<void> => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return writeRange(handle, bytes, headerLength + place.byteOffset + rowBytes(place, planned) * from);
  };

  const writeRows = async (rows: Rows, convert: Convert, room: Room): Promise<void> => {
    const { planned, from, to } = rows;
    const { weight, place, scales } = planned;
    const ready = readyBlocks(planned);
    if (ready) {
      const blocks = await ready.read(from, to);
      await write(blocks.blocks, place, rows);
      return write(blocks.scales, scales!, rows);
    }
    const values = await weight.rows(from, to);
    if (!isRounded(planned)) return write(values, place, rows);
    const part = partIn(room, rows, values);
    const converted = await convert(part);
    assertHeld(name, planned, converted);
    sums.get(planned)![from / rowsAtOnce(planned)] = converted;
    await write(part.stored, place, rows);
    if (scales) await write(part.scales, scales, rows);
  };

  const parts = partsOf(weights);
  const run = async (convert: Convert): Promise<void> => {
    const room = newRoom(weights);
    // Leaving this loop with an error closes the iterator that all runs take their parts from.
    for (const rows of parts) {
      throwIfAborted(signal);
      await writeRows(rows, convert, room);
      throwIfAborted(signal);
      done += (rows.to - rows.from) * rows.planned.rowSize;
      onProgress?.({ done, of });
    }
  };

  await withConverters(weights, threads, threadEntry, async (converters) => {
    // Wait for all of them: the file must not be closed while any is still writing.
    const runs = await Promise.allSettled(converters.map(run));
    const failed = runs.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  });
  return [...sums].map(([{ weight, format }, found]) => ({
    key: weight.key,
    format,
    relativeError: relativeErrorOf(found),
  }));
}

/** Calls `use` with one function per part that may be in progress, and ends their threads afterwards. */
async function withConverters(
  weights: readonly PlannedWeight[],
  threadCount: number,
  threadEntry: URL | undefined,
  use: (converters: Convert[]) => Promise<void>,
): Promise<void> {
  const numbers = weights.filter(isConverted).reduce((sum, weight) => sum + numbersOf(weight), 0);
  if (threadCount === 1 || numbers < MIN_FOR_THREADS) return use([convertPart]);
  const threads = Array.from({ length: threadCount }, () => new ConvertThread(threadEntry));
  try {
    await use(
      threads.flatMap((thread) =>
        Array.from({ length: PARTS_PER_THREAD }, () => (part: Part) => thread.convert(part)),
      ),
    );
  } finally {
    await Promise.all(threads.map((thread) => thread.end()));
  }
}

function* partsOf(weights: readonly PlannedWeight[]): Generator<Rows> {
  for (const planned of weights) {
    const step = rowsAtOnce(planned);
    for (let from = 0; from < planned.rowCount; from += step) {
      yield { planned, from, to: Math.min(from + step, planned.rowCount) };
    }
  }
}

const numbersOf = ({ rowCount, rowSize }: PlannedWeight): number => rowCount * rowSize;
const rowsAtOnce = ({ rowSize }: PlannedWeight): number => Math.max(1, Math.floor(PART_SIZE / rowSize));
const rowBytes = (place: Place, { rowCount }: PlannedWeight): number =>
  rowCount === 0 ? 0 : bytesOf(place) / rowCount;

/** The source's own blocks, if they are exactly what is to be written. */
function readyBlocks({ weight: { blocks }, format }: PlannedWeight): typeof blocks {
  if (typeof format === "string") return undefined;
  return blocks?.bits === format.bits && blocks.blockSize === format.blockSize ? blocks : undefined;
}

const isConverted = (planned: PlannedWeight): boolean => isRounded(planned) && !readyBlocks(planned);

/** Memory for one part, reused for the next. */
type Room = Pick<Part, "values" | "stored" | "scales">;

function newRoom(weights: readonly PlannedWeight[]): Room {
  const most = (sizeOf: (planned: PlannedWeight) => number): number =>
    weights
      .filter(isConverted)
      .reduce(
        (found, planned) =>
          Math.max(found, sizeOf(planned) * Math.min(planned.rowCount, rowsAtOnce(planned))),
        0,
      );
  return {
    values: new Float32Array(new SharedArrayBuffer(4 * most(({ rowSize }) => rowSize))),
    stored: new Uint8Array(new SharedArrayBuffer(most((planned) => rowBytes(planned.place, planned)))),
    scales: new Float32Array(
      new SharedArrayBuffer(most((planned) => (planned.scales ? rowBytes(planned.scales, planned) : 0))),
    ),
  };
}

function partIn(room: Room, { planned, from, to }: Rows, values: Float32Array): Part {
  const { rowSize, format, place, scales } = planned;
  room.values.set(values);
  return {
    values: room.values.subarray(0, values.length),
    rowSize,
    format: format as Part["format"],
    stored: room.stored.subarray(0, rowBytes(place, planned) * (to - from)),
    scales: room.scales.subarray(0, scales ? (rowBytes(scales, planned) / 4) * (to - from) : 0),
  };
}

function assertHeld(
  name: string,
  { weight: { key }, format }: PlannedWeight,
  converted: ConvertedPart,
): void {
  const { lost, squaredError } = converted;
  if (lost !== undefined) {
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `${name}: the weight ${key} holds ${lost}, which is too large for ${String(format)}.`,
    );
  }
  if (Number.isFinite(squaredError)) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `${name}: the weight ${key} holds numbers that are not finite.`,
  );
}

/** Relative error from a weight's parts, in order; none if its blocks were used as they are. */
function relativeErrorOf(parts: readonly SquareSums[]): number {
  let [error, total] = [0, 0];
  for (const { squaredError, squares } of parts) {
    error += squaredError;
    total += squares;
  }
  return total === 0 ? 0 : Math.sqrt(error / total);
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw conversionAborted();
}

export const conversionAborted = (): RetouchError =>
  new RetouchError("ABORTED", "The conversion of the weights was interrupted.");
