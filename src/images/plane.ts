/** Arithmetic on planes of one number per pixel. Time and memory are linear in the pixels, whatever the radius. */

/** Rows top to bottom. */
export interface Plane {
  width: number;
  height: number;
  data: Float32Array;
}

/** The mean over the square of 2 * radius + 1 pixels around each pixel; the border is repeated outwards. */
export function boxBlurred(plane: Plane, radius: number): Plane {
  const { width, height, data } = plane;
  const blurred = boxMeans(plane, radius, (y, line, at) =>
    line.set(data.subarray(y * width, (y + 1) * width), at),
  );
  return { width, height, data: blurred };
}

/**
 * The same of numbers that are not all held at once.
 * @param fill writes row `y` to `line` from `at` on; it is called once for each row, from top to bottom
 * @param to where the means go; may be what `fill` reads, because a row is overwritten after it was read
 */
export function boxMeans(
  { width, height }: Pick<Plane, "width" | "height">,
  radius: number,
  fill: (y: number, line: Float32Array, at: number) => void,
  to: Float32Array = new Float32Array(width * height),
): Float32Array {
  const span = 2 * radius + 1;
  const share = 1 / (span * span);
  const line = new Float32Array(width + 2 * radius);
  // Sums along the rows that the square reaches, and one more.
  const held = Math.min(span + 1, height);
  const across = new Float32Array(held * width);
  // Column by column would take twice as long. Running sums of single precision would drift.
  const sums = new Float64Array(width);
  let filled = 0;
  /** Where the sums of a row are, which is filled when it is first asked for. */
  const rowAt = (y: number): number => {
    const row = Math.min(Math.max(y, 0), height - 1);
    const start = (row % held) * width;
    if (row < filled) return start;
    filled += 1;
    fill(row, line, radius);
    line.fill(line[radius]!, 0, radius);
    line.fill(line[radius + width - 1]!, radius + width);
    let sum = 0;
    for (let x = 0; x < span - 1; x++) sum += line[x]!;
    for (let x = 0; x < width; x++) {
      sum += line[x + span - 1]!;
      across[start + x] = sum;
      sum -= line[x]!;
    }
    return start;
  };
  for (let y = -radius; y <= radius; y++) {
    const start = rowAt(y);
    for (let x = 0; x < width; x++) sums[x]! += across[start + x]!;
  }
  for (let y = 0; y < height; y++) {
    const leaving = rowAt(y - radius);
    const entering = rowAt(y + radius + 1);
    const start = y * width;
    for (let x = 0; x < width; x++) {
      const sum = sums[x]!;
      to[start + x] = sum * share;
      sums[x] = sum + across[entering + x]! - across[leaving + x]!;
    }
  }
  return to;
}

/** Marks with 1 every pixel within `radius` pixels, horizontally and vertically, of a 1 among zeros. */
export function grown(marks: Plane, radius: number): Plane {
  const { width, height, data } = boxBlurred(marks, radius);
  // Sums of zeros and ones are exact.
  return { width, height, data: data.map((mean) => (mean > 0 ? 1 : 0)) };
}

/** Swaps zeros and ones. */
export const inverted = ({ width, height, data }: Plane): Plane => ({
  width,
  height,
  data: data.map((mark) => 1 - mark),
});

/** Pixels connected horizontally or vertically. */
export interface Region {
  area: number;
  /** The largest number in it. */
  peak: number;
}

/** Marks with 1 the regions of numbers above `floor` that `isWanted` accepts; everything else is 0. */
export function regionsOf(plane: Plane, floor: number, isWanted: (region: Region) => boolean): Plane {
  const { width, height, data } = plane;
  const marks = new Float32Array(data.length);
  // 1 once a pixel is part of a region.
  const isSeen = new Uint8Array(data.length);
  // Pixels of the current region, in the order in which they were found: no recursion, whatever its size.
  const pixels = new Int32Array(data.length);
  for (let start = 0; start < data.length; start++) {
    if (isSeen[start] === 1 || !(data[start]! > floor)) continue;
    isSeen[start] = 1;
    pixels[0] = start;
    let area = 1;
    let peak = floor;
    for (let next = 0; next < area; next++) {
      const pixel = pixels[next]!;
      const x = pixel % width;
      if (data[pixel]! > peak) peak = data[pixel]!;
      for (let side = 0; side < 4; side++) {
        if (side === 0 ? x === 0 : side === 1 && x === width - 1) continue;
        const beside = pixel + (side === 0 ? -1 : side === 1 ? 1 : side === 2 ? -width : width);
        if (beside < 0 || beside >= data.length || isSeen[beside] === 1 || !(data[beside]! > floor)) continue;
        isSeen[beside] = 1;
        pixels[area++] = beside;
      }
    }
    if (isWanted({ area, peak })) for (let i = 0; i < area; i++) marks[pixels[i]!] = 1;
  }
  return { width, height, data: marks };
}
