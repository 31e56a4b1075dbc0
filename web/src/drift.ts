/** How far what should have stayed has moved, over a chain of edits: the peak signal-to-noise ratio to its first image. */
import type { EditRecord } from "./history-store.ts";

export interface Drift {
  /** Infinity where nothing has changed. */
  decibels: number;
  /** Of the image, that no edit of the chain has drawn anew. */
  keptShare: number;
}

/** Both are compared at this size: it finds what moved or changed colour, and leaves out the noise of formats. */
const SIDE = 256;
/** The map's grey from which a pixel was copied or carried over; below, it was drawn. */
const KEPT = 64;

/**
 * @param original the first image of the chain
 * @param maps of all edits up to the result: what each has kept; without any, all of the image should have stayed
 * @returns undefined if nothing of the first image is left
 * @throws if this browser cannot compare images
 */
export async function driftOf(
  original: Blob,
  result: Blob,
  maps: readonly Blob[],
): Promise<Drift | undefined> {
  const [from, to, ...kept] = await Promise.all([original, result, ...maps].map(pixelsOf));
  let sum = 0;
  let count = 0;
  for (let at = 0; at < from!.length; at += 4) {
    if (kept.some((map) => map[at]! < KEPT)) continue;
    count += 1;
    for (let channel = at; channel < at + 3; channel += 1) sum += (from![channel]! - to![channel]!) ** 2;
  }
  if (count === 0) return undefined;
  const meanSquare = sum / (3 * count);
  return {
    decibels: meanSquare === 0 ? Infinity : 10 * Math.log10(255 ** 2 / meanSquare),
    keptShare: count / (SIDE * SIDE),
  };
}

/** The drift of a record's result from the first image of its chain. @param find an edit of the history */
export async function driftOfRecord(
  record: EditRecord,
  find: (id: string) => Promise<EditRecord | undefined>,
): Promise<Drift | undefined> {
  const original = record.original ?? record.source;
  if (original === undefined || record.result === undefined) return undefined;
  const maps: Blob[] = [];
  const seen = new Set<string>();
  for (let one: EditRecord | undefined = record; one && !seen.has(one.id);) {
    seen.add(one.id);
    if (one.map) maps.push(one.map);
    one = one.parentId === undefined ? undefined : await find(one.parentId);
  }
  return driftOf(original, record.result, maps);
}

/** Such as `41 dB`. */
export const showDecibels = ({ decibels }: Drift): string =>
  decibels === Infinity ? "unchanged" : `${decibels.toFixed(0)} dB`;

async function pixelsOf(bytes: Blob): Promise<Uint8ClampedArray> {
  const bitmap = await createImageBitmap(bytes, {
    resizeWidth: SIDE,
    resizeHeight: SIDE,
    resizeQuality: "high",
  });
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, SIDE, SIDE).data;
}
