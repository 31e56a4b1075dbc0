/**
 * Keeps what an edit left alone: there the source's own pixels replace the network's, which are only an impression of
 * them, and soft where the result was enlarged. Left alone is what the network drew as its autoencoder draws the source:
 * compared with the source itself, every fine detail would be a change. Pure arithmetic, in memory that is linear in the
 * pixels.
 */
import type { GrayPicture, Picture } from "../images/picture.ts";
import { boxBlurred, grown, inverted, type Plane, regionsOf } from "../images/plane.ts";

/** What became of the source in the result. */
export interface Kept {
  /** Of the picture's area, 0 (the source itself) to 1 (all drawn by the network). */
  changedShare: number;
  /** At working size: 255 where the source's own pixels are, 0 where the network's are, a soft edge in between. */
  mask: GrayPicture;
}

/**
 * Differences of 8-bit values, the largest of three colours, averaged over the pixels around. Calibrated with
 * `checkpoints/tiny` on 160 new scenes whose right answers are known, 16 of each of ten kinds of edit, 28 steps,
 * guidance 2. Where nothing was to change, 99 % of the pixels are below 8.6 (instruction "change nothing") and 95 % below
 * 9.3, 10.0 and 14.0 (an object recoloured, added, removed elsewhere); where something was, 90 % are above 28, 52 and 56
 * (recoloured, removed, new background). A region above `FAINT` is a change if it has a pixel above `CLEAR` or the area
 * of a token. So 97, 97 and 91 % of the area far from the object is kept, and at the edges of what is kept the source
 * and the network's picture differ by 4 in the median, which no eye sees. An edit below `FAINT` everywhere is not seen.
 */
const FAINT = 12;
const CLEAR = 24;
/** Of the picture: smaller islands of the source would stand out of what the network drew around them. */
const MIN_ISLAND = 1 / 20;

const COLOURS = 3;
const WHITE = 255;

/**
 * Finds what the network left alone.
 * @param drawn what it drew, at working size
 * @param reconstructed what the autoencoder makes of the source, at the same size
 * @param cell side of a latent cell in pixels, the scale at which an autoencoder errs
 */
export function findKept(drawn: Picture, reconstructed: Picture, cell: number): Kept {
  const { width, height } = drawn;
  const halfCell = Math.max(1, Math.round(cell / 2));
  const differences = boxBlurred(differencesOf(drawn, reconstructed), Math.max(1, Math.round(cell / 4)));
  const changed = regionsOf(differences, FAINT, ({ area, peak }) => peak > CLEAR || area >= 4 * cell ** 2);

  // Half a cell more takes the faint rim of a change along; another half, taken back, closes gaps between changes.
  const left = grown(inverted(grown(changed, 2 * halfCell)), halfCell);
  const islands = regionsOf(left, 0, ({ area }) => area >= MIN_ISLAND * width * height);
  // About a hundredth of the picture, half of it to each side, which stays within the rim.
  const soft = boxBlurred(islands, Math.max(1, Math.round(Math.max(width, height) / 200)));

  const mask = { width, height, data: new Uint8Array(soft.data.map((share) => Math.round(share * WHITE))) };
  const kept = mask.data.reduce((sum, value) => sum + value, 0) / (WHITE * width * height);
  return { changedShare: 1 - kept, mask };
}

/** The largest difference of the three colours, for each pixel. */
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
 * Lays what is kept of the source over the result, in place.
 * @param result what the network drew, at the size that is handed out
 * @param source of the same size
 * @param mask of any size; stretched, with values in between
 */
export function composite(result: Picture, source: Picture, mask: GrayPicture): void {
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

/** Two neighbours, and how far between them a place is, 0 to 1. */
interface Place {
  first: number;
  second: number;
  share: number;
}

/** Where the centre of a pixel lies in a line of another length. */
function placeOf(pixel: number, length: number, otherLength: number): Place {
  const centre = ((pixel + 0.5) * otherLength) / length - 0.5;
  const place = Math.min(Math.max(centre, 0), otherLength - 1);
  const first = Math.floor(place);
  return { first, second: Math.min(first + 1, otherLength - 1), share: place - first };
}

/** A row of the mask, or one between two, as shares of 1. */
function maskLine({ width, data }: GrayPicture, { first, second, share }: Place): Float32Array {
  const line = new Float32Array(width);
  for (let x = 0; x < width; x += 1) {
    line[x] = between(data[first * width + x]!, data[second * width + x]!, share) / WHITE;
  }
  return line;
}

const between = (a: number, b: number, share: number): number => a + (b - a) * share;
