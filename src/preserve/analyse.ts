/** Compares a result with its source at working size: what stays, what is carried over, and what is the network's. */
import { boxMeans } from "../images/plane.ts";
import type { ColourModels } from "./affine-colour.ts";
import { carriedOf } from "./carried.ts";
import { type Colours, coloursOf, luminanceOf, type Rectangle } from "./colours.ts";
import { contrastOf, fineSquaresOf } from "./detail.ts";
import { blurredOf, excessOf, isBlurred, keptOf, noiseOf, thresholdOf } from "./kept.ts";
import { isInPlace, type Placement } from "./placement.ts";
import { estimatePlacement } from "./register.ts";
import { resampled, tapsOf } from "./resample.ts";
import { sharedFloats } from "./shared-memory.ts";

/** `exact`: only copied or drawn pixels; `auto`: changes of light and colour are carried over as well. */
export type PreserveMode = "exact" | "auto";

/** Interleaved colours, [height, width, 3], 0 to 255. */
export interface WorkingPicture {
  width: number;
  height: number;
  data: ArrayLike<number>;
}

/** What to make of each pixel, at working size, in the part of the source that the result covers. Threads can share it. */
export interface Analysis {
  /** Working size. */
  width: number;
  height: number;
  placement: Placement;
  /** Where the maps lie. Beyond it they go on as they end. */
  rectangle: Rectangle;
  /** [pixels, 5]: 1 where the source's own pixels stay, 1 where others are carried over, and what is added to those. */
  maps: Float32Array;
  /** How pixels are carried over; absent if none is. */
  models: ColourModels | undefined;
}

/** Numbers per pixel of the maps, and where they are. */
export const MAP = 5;
export const KEPT = 0;
export const CARRIED = 1;
export const OFFSET = 2;

/** Pixels at the border of a moved result that were resampled from too few to be compared. */
const MARGIN = 1.75;

export interface AnalyseOptions {
  mode: PreserveMode;
  /** The source as the network's autoencoder reconstructs it. @default the source */
  seen?: WorkingPicture | undefined;
}

/** @param source reduced to the size of `raw`, the network's result */
export function analyse(
  source: WorkingPicture,
  raw: WorkingPicture,
  { mode, seen = source }: AnalyseOptions,
): Analysis {
  const { width, height } = source;
  const placement = estimatePlacement(luminanceOf(seen), luminanceOf(raw));
  const registered = isInPlace(placement) ? raw : { width, height, data: placed(raw, placement) };
  const rectangle = coveredBy(placement, source);
  const before = coloursOf(seen, rectangle);
  const after = coloursOf(registered, rectangle);
  const errors = seen === source ? undefined : differencesOf(coloursOf(source, rectangle), before);
  const differences = differencesOf(after, before);
  const contrast = contrastOf(before, 1);
  const noise = noiseOf(differences, contrast);
  const excess = excessOf(differences, contrast, thresholdOf(noise, errors));
  const alike = keptOf(excess);
  const [fineBefore, fineAfter] = [fineSquaresOf(before), fineSquaresOf(after)];
  const kept = isBlurred(fineBefore, fineAfter, { marks: alike, noise })
    ? keptOf(excess, blurredOf(fineAfter, fineBefore, { size: rectangle, noise }))
    : alike;

  const maps = sharedFloats(kept.length * MAP);
  for (let p = 0, to = KEPT; p < kept.length; p++, to += MAP) maps[to] = kept[p]!;
  addOffsets(maps, differences, kept);
  const carried = mode === "auto" ? carriedOf(before, after, { noise, fineSquares: fineAfter }) : undefined;
  if (carried) {
    const { share } = carried;
    for (let p = 0, to = CARRIED; p < share.length; p++, to += MAP) maps[to] = share[p]!;
  }
  return { width, height, placement, rectangle, maps, models: carried?.models };
}

/** The result, resampled to where the source is. */
function placed(raw: WorkingPicture, { scaleX, scaleY, shiftX, shiftY }: Placement): Float32Array {
  const { width, height } = raw;
  return resampled(raw, tapsOf(width, width, scaleX, shiftX), tapsOf(height, height, scaleY, shiftY));
}

/** The pixels of the source whose place lies within the result. */
function coveredBy(placement: Placement, { width, height }: WorkingPicture): Rectangle {
  if (isInPlace(placement)) return { left: 0, top: 0, width, height };
  const span = (scale: number, shift: number, length: number): [number, number] => {
    const start = Math.max(Math.ceil(-shift / scale + MARGIN), 0);
    const end = Math.min(Math.floor((length - shift) / scale - MARGIN), length);
    return [start, Math.max(end - start, 1)];
  };
  const [left, across] = span(placement.scaleX, placement.shiftX, width);
  const [top, down] = span(placement.scaleY, placement.shiftY, height);
  return { left, top, width: across, height: down };
}

function differencesOf(a: Colours, b: Colours): Colours {
  return a.map(({ width, height, data }, c) => {
    const other = b[c]!.data;
    const difference = new Float32Array(data.length);
    for (let i = 0; i < difference.length; i++) difference[i] = data[i]! - other[i]!;
    return { width, height, data: difference };
  }) as unknown as Colours;
}

/** Lets the network's pixels meet the source's: around what is kept, they are moved by the difference there. */
function addOffsets(maps: Float32Array, differences: Colours, kept: Float32Array): void {
  const { width, height } = differences[0];
  const radius = Math.max(4, Math.round(Math.max(width, height) / 64));
  const near = boxMeans({ width, height }, radius, (y, line, at) =>
    line.set(kept.subarray(y * width, (y + 1) * width), at),
  );
  const sum = new Float32Array(near.length);
  for (const [c, { data }] of differences.entries()) {
    const fill = (y: number, line: Float32Array, at: number): void => {
      for (let x = 0, i = y * width; x < width; x++, i++) line[at + x] = -data[i]! * kept[i]!;
    };
    boxMeans({ width, height }, radius, fill, sum);
    for (let p = 0, to = OFFSET + c; p < sum.length; p++, to += MAP) maps[to] = sum[p]! / (near[p]! + 0.1);
  }
}
