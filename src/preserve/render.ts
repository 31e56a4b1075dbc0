/** Draws the rows of the final picture: the source's pixels, what is carried over, and the network's, enlarged. */
import type { GrayPicture } from "../images/picture.ts";
import { type Analysis, MAP } from "./analyse.ts";
import { stretchRow, tapsOf, type Taps } from "./resample.ts";

/** Rows of pixels of 8 or 16 bits: three colours, and alpha if there are four. */
export interface PixelImage {
  width: number;
  height: number;
  channels: 3 | 4;
  data: Uint8Array | Uint16Array;
  /** The number of white, and of opaque alpha. @default 255, or 65,535 of 16 bits */
  max?: number | undefined;
}

/** Everything that the rows of one picture need; plain data, so that threads can share it. */
export interface Rendering {
  source: PixelImage & { max: number };
  /** [height, width, 3], the network's own pixels at working size. */
  raw: Uint8Array;
  analysis: Analysis;
  /** White where the picture may change, of any size; outside of it every pixel is a copy. */
  mask?: GrayPicture | undefined;
  /** Where the result goes: of the source's form. */
  data: Uint8Array | Uint16Array;
  /** Where a map of it goes, if one is wanted: 255 where copied, 128 where carried over, 0 where drawn. */
  map?: Uint8Array | undefined;
}

/** How many pixels, in sums of shares. */
export interface Shares {
  kept: number;
  carried: number;
  drawn: number;
}

interface Places {
  first: Int32Array;
  second: Int32Array;
  share: Float32Array;
}

/** @returns what the rows from `start` to before `end` consist of */
export function renderRows(
  { source, raw, analysis, mask, data, map }: Rendering,
  start: number,
  end: number,
): Shares {
  const { width, height, channels, max } = source;
  const { placement, rectangle, kept, maps } = analysis;
  const perSource = { x: analysis.width / width, y: analysis.height / height };
  const columns = placesOf(width, perSource.x, rectangle.left, rectangle.width);
  const lines = placesOf(height, perSource.y, rectangle.top, rectangle.height);
  const enlarged = rowsOf(raw, analysis, {
    across: tapsOf(analysis.width, width, perSource.x * placement.scaleX, placement.shiftX),
    down: tapsOf(analysis.height, height, perSource.y * placement.scaleY, placement.shiftY),
  });
  const mapWidth = rectangle.width;
  const keptLine = new Float32Array(mapWidth);
  const mapLine = new Float32Array(mapWidth * MAP);
  const allowed = mask && maskRows(mask, width, height);
  const unit = max / 255;
  const perUnit = 255 / max;
  const shares: Shares = { kept: 0, carried: 0, drawn: 0 };
  for (let y = start; y < end; y++) {
    const [top, bottom, fy] = [lines.first[y]! * mapWidth, lines.second[y]! * mapWidth, lines.share[y]!];
    const row = y * width * channels;
    data.set(source.data.subarray(row, row + width * channels), row);
    let least = 1;
    for (let x = 0; x < mapWidth; x++) {
      const value = kept[top + x]! + fy * (kept[bottom + x]! - kept[top + x]!);
      keptLine[x] = value;
      if (value < least) least = value;
    }
    const mayChange = allowed?.(y);
    map?.fill(255, y * width, (y + 1) * width);
    if (least >= 0.5) {
      shares.kept += width;
      continue;
    }
    for (let i = 0, a = top * MAP, b = bottom * MAP; i < mapLine.length; i++, a++, b++) {
      mapLine[i] = maps[a]! + fy * (maps[b]! - maps[a]!);
    }
    const drawn = enlarged(y);
    for (let x = 0, at = row; x < width; x++, at += channels) {
      const [first, fx] = [columns.first[x]!, columns.share[x]!];
      const second = columns.second[x]!;
      // The soft edge lies within the first changed pixel of working size: what is unchanged stays whole.
      let keep = 2 * (keptLine[first]! + fx * (keptLine[second]! - keptLine[first]!));
      if (mayChange) keep = 1 - (1 - keep) * mayChange[x]!;
      if (keep >= 1) {
        shares.kept += 1;
        continue;
      }
      const [m, n] = [first * MAP, second * MAP];
      const carried = mapLine[m + 15]! + fx * (mapLine[n + 15]! - mapLine[m + 15]!);
      const [red, green, blue] = [data[at]! * perUnit, data[at + 1]! * perUnit, data[at + 2]! * perUnit];
      for (let c = 0; c < 3; c++) {
        const offset = mapLine[m + 12 + c]! + fx * (mapLine[n + 12 + c]! - mapLine[m + 12 + c]!);
        let value = drawn[x * 3 + c]!;
        if (carried > 0) {
          const [i, j] = [m + 3 * c, n + 3 * c];
          const model =
            (mapLine[i]! + fx * (mapLine[j]! - mapLine[i]!)) * red +
            (mapLine[i + 1]! + fx * (mapLine[j + 1]! - mapLine[i + 1]!)) * green +
            (mapLine[i + 2]! + fx * (mapLine[j + 2]! - mapLine[i + 2]!)) * blue +
            mapLine[m + 9 + c]! +
            fx * (mapLine[n + 9 + c]! - mapLine[m + 9 + c]!);
          value += carried * (model - value);
        }
        value += offset;
        const own = c === 0 ? red : c === 1 ? green : blue;
        value += keep * (own - value);
        data[at + c] = Math.min(Math.max(value * unit + 0.5, 0), max);
      }
      if (map) map[y * width + x] = Math.round(255 * keep + 128 * (1 - keep) * carried);
      shares.kept += keep;
      shares.carried += (1 - keep) * carried;
      shares.drawn += (1 - keep) * (1 - carried);
    }
  }
  return shares;
}

/** For each pixel of a line: the two numbers of the map around it, and how far it is from the first. */
function placesOf(length: number, perSource: number, from: number, mapLength: number): Places {
  const places = {
    first: new Int32Array(length),
    second: new Int32Array(length),
    share: new Float32Array(length),
  };
  for (let i = 0; i < length; i++) {
    const place = Math.min(Math.max((i + 0.5) * perSource - 0.5 - from, 0), mapLength - 1);
    places.first[i] = Math.floor(place);
    places.second[i] = Math.min(Math.floor(place) + 1, mapLength - 1);
    places.share[i] = place - Math.floor(place);
  }
  return places;
}

/** Rows of a mask of another size, 0 to 1. */
function maskRows(mask: GrayPicture, width: number, height: number): (y: number) => Float32Array {
  const columns = placesOf(width, mask.width / width, 0, mask.width);
  const lines = placesOf(height, mask.height / height, 0, mask.height);
  const row = new Float32Array(mask.width);
  const result = new Float32Array(width);
  return (y) => {
    const [top, bottom, fy] = [lines.first[y]! * mask.width, lines.second[y]! * mask.width, lines.share[y]!];
    for (let x = 0; x < mask.width; x++) {
      row[x] = (mask.data[top + x]! + fy * (mask.data[bottom + x]! - mask.data[top + x]!)) / 255;
    }
    for (let x = 0; x < width; x++) {
      const first = row[columns.first[x]!]!;
      result[x] = first + columns.share[x]! * (row[columns.second[x]!]! - first);
    }
    return result;
  };
}

/** Rows of the enlarged result, in ascending order: each row of the network's is stretched once. */
function rowsOf(
  raw: Uint8Array,
  { width }: Analysis,
  { across, down }: { across: Taps; down: Taps },
): (y: number) => Float32Array {
  const size = across.first.length * 3;
  const rows: (Float32Array | undefined)[] = Array.from({ length: down.count });
  const held = new Int32Array(down.count).fill(-1);
  const sum = new Float32Array(size);
  return (y) => {
    sum.fill(0);
    for (let k = 0; k < down.count; k++) {
      const weight = down.weights[y * down.count + k]!;
      if (weight === 0) continue;
      const from = down.first[y]! + k;
      const place = from % down.count;
      const row = (rows[place] ??= new Float32Array(size));
      if (held[place] !== from) {
        stretchRow(raw, from * width * 3, across, row);
        held[place] = from;
      }
      for (let i = 0; i < size; i++) sum[i]! += weight * row[i]!;
    }
    return sum;
  };
}
