/** Arithmetic on planes of one number per pixel. Time and memory are linear in the pixels, whatever the radius. */

/** Rows top to bottom. */
export interface Plane {
  width: number;
  height: number;
  data: Float32Array;
}

/** The mean over the square of 2 * radius + 1 pixels around each pixel; the border is repeated outwards. */
export function boxBlurred({ width, height, data }: Plane, radius: number): Plane {
  const span = 2 * radius + 1;
  const across = new Float32Array(data.length);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    const last = start + width - 1;
    let sum = 0;
    for (let x = -radius; x <= radius; x++) sum += data[start + within(x, width)]!;
    for (let x = start; x <= last; x++) {
      across[x] = sum / span;
      const [entering, leaving] = [x + radius + 1, x - radius];
      sum += data[entering > last ? last : entering]! - data[leaving < start ? start : leaving]!;
    }
  }
  // Row by row here too, with a sum per column: going down the columns would take twice as long.
  const blurred = new Float32Array(data.length);
  const sums = new Float64Array(width);
  for (let y = -radius; y <= radius; y++) {
    const start = within(y, height) * width;
    for (let x = 0; x < width; x++) sums[x]! += across[start + x]!;
  }
  for (let y = 0; y < height; y++) {
    const start = y * width;
    const entering = within(y + radius + 1, height) * width;
    const leaving = within(y - radius, height) * width;
    for (let x = 0; x < width; x++) {
      const sum = sums[x]!;
      blurred[start + x] = sum / span;
      sums[x] = sum + across[entering + x]! - across[leaving + x]!;
    }
  }
  return { width, height, data: blurred };
}

const within = (place: number, length: number): number => Math.min(Math.max(place, 0), length - 1);

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
  const isSeen = new Uint8Array(data.length);
  // Pixels of the current region, in the order in which they were found: no recursion, whatever its size.
  const pixels = new Int32Array(data.length);
  for (let start = 0; start < data.length; start++) {
    let area = 0;
    const meet = (pixel: number): void => {
      if (isSeen[pixel] === 1 || data[pixel]! <= floor) return;
      isSeen[pixel] = 1;
      pixels[area++] = pixel;
    };
    meet(start);
    let peak = floor;
    for (let next = 0; next < area; next++) {
      const pixel = pixels[next]!;
      const x = pixel % width;
      peak = Math.max(peak, data[pixel]!);
      if (x > 0) meet(pixel - 1);
      if (x < width - 1) meet(pixel + 1);
      if (pixel >= width) meet(pixel - width);
      if (pixel < data.length - width) meet(pixel + width);
    }
    if (area > 0 && isWanted({ area, peak })) for (const pixel of pixels.subarray(0, area)) marks[pixel] = 1;
  }
  return { width, height, data: marks };
}
