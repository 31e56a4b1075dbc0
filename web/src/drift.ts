/** How far a chain of edits has moved from its first image: the peak signal-to-noise ratio of the pixels that it kept. */
import type { EditRecord } from "./history-store.ts";

export interface Drift {
  /** Of the pixels that every edit kept, or of the whole image where none were; Infinity where nothing has changed. */
  decibels: number;
  /** Of the image, that every edit of the chain has copied; undefined if one of them did not tell. */
  keptShare: number | undefined;
}

/** Both are compared at this size: it finds what moved or changed colour, and leaves out the noise of formats. */
const SIDE = 256;
/** The map's grey of pixels that were copied; a little below white, since it is scaled down. */
const COPIED = 250;

/**
 * @param original the first image of the chain
 * @param maps of all edits up to the result: what each has kept; undefined if that is not known, then all pixels count
 * @throws if this browser cannot compare images
 */
export async function driftOf(
  original: Blob,
  result: Blob,
  maps: readonly Blob[] | undefined,
): Promise<Drift> {
  const [from, to, ...kept] = await Promise.all([original, result, ...(maps ?? [])].map(pixelsOf));
  let keptSum = 0;
  let keptCount = 0;
  let wholeSum = 0;
  for (let at = 0; at < from!.length; at += 4) {
    let square = 0;
    for (let channel = at; channel < at + 3; channel += 1) square += (from![channel]! - to![channel]!) ** 2;
    wholeSum += square;
    if (kept.some((map) => map[at]! < COPIED)) continue;
    keptSum += square;
    keptCount += 1;
  }
  const meanSquare = (keptCount > 0 ? keptSum / keptCount : wholeSum / SIDE ** 2) / 3;
  return {
    decibels: meanSquare === 0 ? Infinity : 10 * Math.log10(255 ** 2 / meanSquare),
    keptShare: maps && keptCount / SIDE ** 2,
  };
}

/** The drift of a record's result from the first image of its chain. @param find an edit of the history */
export async function driftOfRecord(
  record: EditRecord,
  find: (id: string) => EditRecord | undefined,
): Promise<Drift | undefined> {
  const original = record.original ?? record.source;
  if (original === undefined || record.result === undefined) return undefined;
  const chain = new Set<EditRecord>();
  for (let one: EditRecord | undefined = record; one && !chain.has(one);) {
    chain.add(one);
    one = one.parentId === undefined ? undefined : find(one.parentId);
  }
  const maps = [...chain].flatMap(({ map }) => map ?? []);
  return driftOf(original, record.result, maps.length === chain.size ? maps : undefined);
}

/** Such as `41 dB`. */
export function showDecibels({ decibels }: Drift): string {
  return decibels === Infinity ? "unchanged" : `${decibels.toFixed(0)} dB`;
}

/** The same as a sentence about the first image. */
export function sayDrift(drift: Drift): string {
  const { keptShare } = drift;
  if (keptShare === undefined) return `Compared with the first image: ${showDecibels(drift)}.`;
  if (keptShare === 0) return `No pixel was kept by every edit; the whole image: ${showDecibels(drift)}.`;
  return `The ${(keptShare * 100).toFixed(0)}% kept by every edit: ${showDecibels(drift)}.`;
}

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
