/**
 * Keeps what an edit left unchanged. There the source's own pixels replace the network's, which only approximate them
 * and are soft if the result was enlarged. A pixel counts as unchanged if the network's result matches the source as
 * its autoencoder reconstructs it; compared with the source itself, every fine detail would count as a change. Pure
 * arithmetic; memory is linear in the number of pixels.
 */
import type { GrayPicture, Picture } from "../images/picture.ts";
import { boxBlurred, grown, inverted, type Plane, regionsOf } from "../images/plane.ts";

/** How much of the source is kept in the result. */
export interface Kept {
  /** Share of the image's area, 0 (the source itself) to 1 (generated entirely by the network). */
  changedShare: number;
  /** At working size: 255 for the source's own pixels, 0 for the network's, with a soft edge in between. */
  mask: GrayPicture;
}

/**
 * Thresholds for differences of 8-bit values: the largest of the three colours, averaged over the pixels around.
 * Calibrated with `checkpoints/tiny` on 160 new scenes with known answers, 16 for each of ten kinds of edit, 28 steps,
 * guidance 2. Where nothing should change, 99 % of the pixels are below 8.6 (instruction "change nothing") and 95 % are
 * below 9.3, 10.0 and 14.0 (an object recoloured, added or removed elsewhere); where something should, 90 % are above
 * 28, 52 and 56 (recoloured, removed, new background). A region above `FAINT` is a change if it has a pixel above
 * `CLEAR` or at least a token's area. This keeps 97, 97 and 91 % of the area far from the object. At the edges of the
 * kept area, the median difference between the source and the network's result is 4, which is invisible. An edit that
 * stays below `FAINT` everywhere is missed.
 */
const FAINT = 12;
const CLEAR = 24;
/** Share of the image: smaller islands of the source would stand out from the generated pixels around them. */
const MIN_ISLAND = 1 / 20;

const COLOURS = 3;
const WHITE = 255;

/**
 * Finds what the network left unchanged.
 * @param drawn the network's result, at working size
 * @param reconstructed the source as the autoencoder reconstructs it, at the same size
 * @param cell side of a latent cell in pixels, which is the scale of the autoencoder's errors
 */
export function findKept(drawn: Picture, reconstructed: Picture, cell: number): Kept {
  const { width, height } = drawn;
  const halfCell = Math.max(1, Math.round(cell / 2));
  const differences = boxBlurred(differencesOf(drawn, reconstructed), Math.max(1, Math.round(cell / 4)));
  const changed = regionsOf(differences, FAINT, ({ area, peak }) => peak > CLEAR || area >= 4 * cell ** 2);

  // Growing by half a cell covers a change's faint rim; growing by another half and back closes gaps between changes.
  const left = grown(inverted(grown(changed, 2 * halfCell)), halfCell);
  const islands = regionsOf(left, 0, ({ area }) => area >= MIN_ISLAND * width * height);
  // About a hundredth of the image, half of it on each side, which stays within the rim.
  const soft = boxBlurred(islands, Math.max(1, Math.round(Math.max(width, height) / 200)));

  const mask = { width, height, data: new Uint8Array(soft.data.map((share) => Math.round(share * WHITE))) };
  const kept = mask.data.reduce((sum, value) => sum + value, 0) / (WHITE * width * height);
  return { changedShare: 1 - kept, mask };
}

/** The largest difference among the three colours, for each pixel. */
function differencesOf(a: Picture, b: Picture): Plane {
  const { width, height } = a;
  const differences = new Float32Array(width * height);
  for (let pixel = 0; pixel < differences.length; pixel += 1) {
    for (let i = pixel * COLOURS; i < (pixel + 1) * COLOURS; i += 1) {
      differences[pixel] = Math.max(differences[pixel]!, Math.abs(a.data[i]! - b.data[i]!));
    }
  }
  return { width, height, data: differences };
}

/**
 * Composites the kept parts of the source onto the result, in place.
 * @param result what the network generated, at the final size
 * @param source an image of the same size
 * @param mask of any size; it is scaled with interpolation
 */
export function composite(result: Numbers, source: Numbers, mask: GrayPicture): void {
  const columns = Array.from({ length: result.width }, (_, x) => placeOf(x, result.width, mask.width));
  for (let y = 0; y < result.height; y += 1) {
    const line = maskLine(mask, placeOf(y, result.height, mask.height));
    for (let x = 0; x < result.width; x += 1) {
      const { first, second, share } = columns[x]!;
      const kept = between(line[first]!, line[second]!, share);
      if (kept === 0) continue;
      const start = (y * result.width + x) * COLOURS;
      for (let i = start; i < start + COLOURS; i += 1) {
        result.data[i] = Math.round(between(result.data[i]!, source.data[i]!, kept));
      }
    }
  }
}

/** Three numbers per pixel, of 8 or 16 bits. */
interface Numbers extends Pick<Picture, "width" | "height"> {
  data: Uint8Array | Uint16Array;
}

/** Two neighbours, and the position between them, 0 to 1. */
interface Place {
  first: number;
  second: number;
  share: number;
}

/** Where a pixel's centre lies in a line of another length. */
function placeOf(pixel: number, length: number, otherLength: number): Place {
  const centre = ((pixel + 0.5) * otherLength) / length - 0.5;
  const place = Math.min(Math.max(centre, 0), otherLength - 1);
  const first = Math.floor(place);
  return { first, second: Math.min(first + 1, otherLength - 1), share: place - first };
}

/** A row of the mask, interpolated between two rows if need be, with values from 0 to 1. */
function maskLine({ width, data }: GrayPicture, { first, second, share }: Place): Float32Array {
  const line = new Float32Array(width);
  for (let x = 0; x < width; x += 1) {
    line[x] = between(data[first * width + x]!, data[second * width + x]!, share) / WHITE;
  }
  return line;
}

const between = (a: number, b: number, share: number): number => a + (b - a) * share;
