/** Draws the rows of the final picture: the source's pixels, what is carried over, and the network's, enlarged. */
import type { GrayPicture } from "../images/picture.ts";
import { type ColourModels, MODEL, writeModels } from "./affine-colour.ts";
import { type Analysis, CARRIED, KEPT, MAP, OFFSET } from "./analyse.ts";
import { enlargedRows } from "./enlarged-rows.ts";
import { placesOf } from "./places.ts";
import { maskRows } from "./mask-rows.ts";

/** Rows of pixels of 8 or 16 bits: three colours, and alpha if there are four. */
export interface PixelImage {
  width: number;
  height: number;
  channels: 3 | 4;
  data: Uint8Array | Uint16Array;
  /** The number of white, and of opaque alpha. @default 255, or 65,535 of 16 bits */
  max?: number | undefined;
}

/** Everything that the rows of one picture need but for their own pixels; plain data, so that threads can share it. */
export interface Rendering {
  /** Of the source and the result. */
  size: Pick<PixelImage, "width" | "height" | "channels"> & { max: number };
  /** [height, width, 3], the network's own pixels at working size. */
  raw: Uint8Array;
  analysis: Analysis;
  /** White where the picture may change, of any size; outside of it every pixel is a copy. */
  mask?: GrayPicture | undefined;
}

/** Rows from `start` to before `end`. */
export interface Band {
  start: number;
  end: number;
  /** The source's pixels, in whose place the result's are drawn. */
  data: Uint8Array | Uint16Array;
  /** Where a map goes, if one is wanted: 255 where copied, 128 where carried over, 0 where drawn. */
  map?: Uint8Array | undefined;
}

/** How many pixels, in sums of shares. */
export interface Shares {
  kept: number;
  carried: number;
  drawn: number;
}

/** Returns a function that draws bands of a picture, each row at most once, and says what they consist of. */
export function rendererOf({ size, raw, analysis, mask }: Rendering): (band: Band) => Shares {
  const { width, height, channels, max } = size;
  const { rectangle, maps, models } = analysis;
  const perSource = { x: analysis.width / width, y: analysis.height / height };
  const columns = placesOf(width, perSource.x, rectangle.left, rectangle.width);
  const lines = placesOf(height, perSource.y, rectangle.top, rectangle.height);
  const { first: firsts, second: seconds, share: parts, end: ends } = columns;
  const enlarged = enlargedRows(raw, analysis, size);
  const mapLine = new Float32Array(rectangle.width * MAP);
  const modelLine = new Float32Array(rectangle.width * MODEL);
  const modelRow = models && modelRows(models, modelLine);
  const maskRow = mask && maskRows(mask, size);
  const unit = max / 255;
  const perUnit = 255 / max;
  // The network's colours of one pixel.
  const drawn = new Float64Array(3);

  return ({ start, end, data, map }) => {
    const shares: Shares = { kept: 0, carried: 0, drawn: 0 };
    map?.fill(255);
    for (let y = start; y < end; y++) {
      const top = lines.first[y]!;
      const bottom = lines.second[y]!;
      const fy = lines.share[y]!;
      blend(maps, mapLine, { from: top * mapLine.length, to: bottom * mapLine.length, share: fy });
      const changed = changedIn(mapLine);
      if (changed === undefined) {
        shares.kept += width;
        continue;
      }
      if (changed.isCarried) modelRow?.(top, bottom, { ...changed, share: fy });
      if (changed.isDrawn) enlarged.startRow(y, changed.start, changed.end);
      const mayChange = maskRow?.(y);
      const row = (y - start) * width;
      for (let x = 0; x < width;) {
        // Between two pixels of working size everything but the source is linear.
        const stop = ends[x]!;
        const i = firsts[x]! * MAP;
        const j = seconds[x]! * MAP;
        const kept = mapLine[i]!;
        const keptMore = mapLine[j]! - kept;
        if (kept >= 0.5 && keptMore + kept >= 0.5) {
          shares.kept += stop - x;
          x = stop;
          continue;
        }
        const carried = mapLine[i + CARRIED]!;
        const carriedMore = mapLine[j + CARRIED]! - carried;
        const isCarried = carried > 0 || carriedMore > 0;
        const isDrawn = carried < 1 || carriedMore < 0;
        const offset0 = mapLine[i + OFFSET]!;
        const offset1 = mapLine[i + OFFSET + 1]!;
        const offset2 = mapLine[i + OFFSET + 2]!;
        const offset0More = mapLine[j + OFFSET]! - offset0;
        const offset1More = mapLine[j + OFFSET + 1]! - offset1;
        const offset2More = mapLine[j + OFFSET + 2]! - offset2;
        const m = firsts[x]! * MODEL;
        const n = seconds[x]! * MODEL;
        const m0 = modelLine[m]!;
        const m1 = modelLine[m + 1]!;
        const m2 = modelLine[m + 2]!;
        const m3 = modelLine[m + 3]!;
        const m4 = modelLine[m + 4]!;
        const m5 = modelLine[m + 5]!;
        const m6 = modelLine[m + 6]!;
        const m7 = modelLine[m + 7]!;
        const m8 = modelLine[m + 8]!;
        const b0 = modelLine[m + 9]!;
        const b1 = modelLine[m + 10]!;
        const b2 = modelLine[m + 11]!;
        const m0More = modelLine[n]! - m0;
        const m1More = modelLine[n + 1]! - m1;
        const m2More = modelLine[n + 2]! - m2;
        const m3More = modelLine[n + 3]! - m3;
        const m4More = modelLine[n + 4]! - m4;
        const m5More = modelLine[n + 5]! - m5;
        const m6More = modelLine[n + 6]! - m6;
        const m7More = modelLine[n + 7]! - m7;
        const m8More = modelLine[n + 8]! - m8;
        const b0More = modelLine[n + 9]! - b0;
        const b1More = modelLine[n + 10]! - b1;
        const b2More = modelLine[n + 11]! - b2;
        for (let at = (row + x) * channels; x < stop; x++, at += channels) {
          const fx = parts[x]!;
          // The soft edge lies within the first changed pixel of working size: what is unchanged stays whole.
          let keep = 2 * (kept + fx * keptMore);
          if (mayChange) keep = 1 - (1 - keep) * mayChange[x]!;
          if (keep >= 1) {
            shares.kept += 1;
            continue;
          }
          const share = carried + fx * carriedMore;
          const red = data[at]! * perUnit;
          const green = data[at + 1]! * perUnit;
          const blue = data[at + 2]! * perUnit;
          let value0 = 0;
          let value1 = 0;
          let value2 = 0;
          if (isDrawn) {
            enlarged.readPixel(x, drawn);
            value0 = drawn[0]!;
            value1 = drawn[1]!;
            value2 = drawn[2]!;
          }
          if (isCarried) {
            const model0 = (m0 + fx * m0More) * red + (m1 + fx * m1More) * green + (m2 + fx * m2More) * blue;
            const model1 = (m3 + fx * m3More) * red + (m4 + fx * m4More) * green + (m5 + fx * m5More) * blue;
            const model2 = (m6 + fx * m6More) * red + (m7 + fx * m7More) * green + (m8 + fx * m8More) * blue;
            value0 += share * (model0 + b0 + fx * b0More - value0);
            value1 += share * (model1 + b1 + fx * b1More - value1);
            value2 += share * (model2 + b2 + fx * b2More - value2);
          }
          value0 += offset0 + fx * offset0More;
          value1 += offset1 + fx * offset1More;
          value2 += offset2 + fx * offset2More;
          data[at] = within((value0 + keep * (red - value0)) * unit + 0.5, max);
          data[at + 1] = within((value1 + keep * (green - value1)) * unit + 0.5, max);
          data[at + 2] = within((value2 + keep * (blue - value2)) * unit + 0.5, max);
          if (map) map[row + x] = Math.round(255 * keep + 128 * (1 - keep) * share);
          shares.kept += keep;
          shares.carried += (1 - keep) * share;
          shares.drawn += (1 - keep) * (1 - share);
        }
      }
    }
    return shares;
  };
}

/** Writes what lies between two lines of numbers. */
function blend(
  numbers: Float32Array,
  line: Float32Array,
  { from, to, share }: { from: number; to: number; share: number },
): void {
  for (let i = 0; i < line.length; i++) {
    const number = numbers[from + i]!;
    line[i] = number + share * (numbers[to + i]! - number);
  }
}

/** Columns of working size, from `start` to before `end`, that pixels which are not copied lie between. */
interface Changed {
  start: number;
  end: number;
  /** Whether any of them may be carried over, and whether any may be drawn. */
  isCarried: boolean;
  isDrawn: boolean;
}

function changedIn(mapLine: Float32Array): Changed | undefined {
  let first = -1;
  let last = -1;
  let most = 0;
  let least = 1;
  for (let i = 0, x = 0; i < mapLine.length; i += MAP, x++) {
    if (mapLine[i + KEPT]! >= 0.5) continue;
    if (first < 0) first = x;
    last = x;
  }
  if (first < 0) return undefined;
  const start = Math.max(first - 1, 0);
  const end = Math.min(last + 2, mapLine.length / MAP);
  for (let i = start * MAP + CARRIED; i < end * MAP; i += MAP) {
    const carried = mapLine[i]!;
    if (carried > most) most = carried;
    if (carried < least) least = carried;
  }
  return { start, end, isCarried: most > 0, isDrawn: least < 1 };
}

/** Returns a function that writes the models between two rows of working size, from `start` to before `end`. */
function modelRows(
  models: ColourModels,
  line: Float32Array,
): (top: number, bottom: number, part: { start: number; end: number; share: number }) => void {
  // The rows that were last asked for: several rows of the picture lie between the same two.
  const rows = [0, 1].map(() => ({ y: -1, numbers: new Float32Array(line.length) }));
  const rowOf = (y: number): Float32Array => {
    const row = rows[y % 2]!;
    if (row.y !== y) {
      writeModels(models, y, row.numbers);
      row.y = y;
    }
    return row.numbers;
  };
  return (top, bottom, { start, end, share }) => {
    const [above, below] = [rowOf(top), rowOf(bottom)];
    for (let i = start * MODEL; i < end * MODEL; i++) line[i] = above[i]! + share * (below[i]! - above[i]!);
  };
}

const within = (value: number, max: number): number => (value < 0 ? 0 : value > max ? max : value);
