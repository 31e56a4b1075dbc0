/**
 * Runs half an autoencoder over an image too large to process whole: in overlapping tiles whose seams are blended, like
 * diffusers' `AutoencoderKL` with `enable_tiling()` (diffusers 0.42.1). Each tile has its own norms and its own
 * attention, so the result differs slightly from that of the whole image.
 */

/** Values [channels, height, width]. */
export interface Planes {
  data: Float32Array;
  channels: number;
  width: number;
  height: number;
}

export interface TileSides {
  /** Side of a tile before the network, a multiple of 4, and after it. */
  input: number;
  output: number;
  /** Side of the square of cells that an output cell holds in its channels, in the order channel, row, column. */
  patch?: number | undefined;
}

/** Share of a tile's side that overlaps with the next one. */
const OVERLAP = 1 / 4;

type Extent = Pick<Planes, "width" | "height">;

export const isTiled = ({ width, height }: Extent, side: number): boolean => Math.max(width, height) > side;

/** The sizes of an image's tiles; its own if it is no larger than one. @param side default: it is not cut */
export function tileSizes(whole: Extent, side = Infinity): readonly Extent[] {
  if (!isTiled(whole, side)) return [whole];
  const partsOf = (length: number): number[] =>
    startsOf(length, side).map((at) => Math.min(side, length - at));
  return partsOf(whole.height).flatMap((height) => partsOf(whole.width).map((width) => ({ width, height })));
}

/** Where tiles begin along a side. */
function startsOf(length: number, side: number): number[] {
  const stride = side * (1 - OVERLAP);
  return Array.from({ length: Math.ceil(length / stride) }, (_, index) => index * stride);
}

/** Runs a network over tiles of `whole` and assembles the results. */
export async function runInTiles(
  whole: Planes,
  sides: TileSides,
  run: (tile: Planes) => Promise<Planes>,
): Promise<Planes> {
  const scale = sides.output / sides.input;
  const [width, height] = [whole.width * scale, whole.height * scale];
  const blended = sides.output * OVERLAP;
  const kept = sides.output - blended;
  const { patch = 1 } = sides;
  let result: Planes | undefined;
  let above: Planes[] = [];
  for (const top of startsOf(whole.height, sides.input)) {
    const row: Planes[] = [];
    for (const left of startsOf(whole.width, sides.input)) {
      const tile = await run(cut(whole, left, top, sides.input));
      if (top > 0) blendDown(above[row.length]!, tile, blended, patch);
      if (left > 0) blendAcross(row.at(-1)!, tile, blended, patch);
      result ??= { ...tile, width, height, data: new Float32Array(tile.channels * width * height) };
      paste(tile, result, { left: left * scale, top: top * scale, side: kept });
      row.push(tile);
    }
    above = row;
  }
  return result!;
}

function cut(whole: Planes, left: number, top: number, side: number): Planes {
  const width = Math.min(side, whole.width - left);
  const height = Math.min(side, whole.height - top);
  const tile = { ...whole, width, height, data: new Float32Array(whole.channels * width * height) };
  eachRow(tile, (start, channel, y) => {
    const from = (channel * whole.height + top + y) * whole.width + left;
    tile.data.set(whole.data.subarray(from, from + width), start);
  });
  return tile;
}

/** Copies a tile's top left corner, at most `side` wide and high, into the result. */
function paste(
  tile: Planes,
  result: Planes,
  { left, top, side }: Record<"left" | "top" | "side", number>,
): void {
  const width = Math.min(side, tile.width);
  eachRow(tile, (start, channel, y) => {
    if (y >= side) return;
    const to = (channel * result.height + top + y) * result.width + left;
    result.data.set(tile.data.subarray(start, start + width), to);
  });
}

/** Blends a tile's first rows with the last rows of the tile above it. */
function blendDown(above: Planes, tile: Planes, rows: number, patch: number): void {
  const extent = Math.min(above.height, tile.height, rows);
  eachRow(tile, (start, channel, y) => {
    if (y >= extent) return;
    const share = (y + (Math.floor(channel / patch) % patch) / patch) / extent;
    const from = (channel * above.height + above.height - extent + y) * above.width;
    for (let x = 0; x < tile.width; x += 1) {
      tile.data[start + x] = mixed(above.data[from + x]!, tile.data[start + x]!, share);
    }
  });
}

/** Blends a tile's first columns with the last columns of the tile on its left. */
function blendAcross(before: Planes, tile: Planes, columns: number, patch: number): void {
  const extent = Math.min(before.width, tile.width, columns);
  eachRow(tile, (start, channel, y) => {
    const from = (channel * before.height + y + 1) * before.width - extent;
    const column = (channel % patch) / patch;
    for (let x = 0; x < extent; x += 1) {
      const share = (x + column) / extent;
      tile.data[start + x] = mixed(before.data[from + x]!, tile.data[start + x]!, share);
    }
  });
}

const mixed = (from: number, to: number, share: number): number => from * (1 - share) + to * share;

/** Calls back with the offset in `data` where each row begins. */
function eachRow(
  { channels, width, height }: Planes,
  visit: (start: number, channel: number, y: number) => void,
): void {
  for (let row = 0; row < channels * height; row += 1) {
    visit(row * width, Math.floor(row / height), row % height);
  }
}
