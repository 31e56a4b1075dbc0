/** Pictures reduced by the mean of the area under each new pixel, a pixel at its edge counted by the part that is in it. */
import type { Picture } from "../src/index.ts";

const CHANNELS = 3;

/** @returns red, green and blue of each pixel, 0 to 255 and not rounded, rows top to bottom */
export function areaAverage(picture: Picture, width: number, height: number): Float64Array {
  const across = sharesOf(picture.width, width);
  const down = sharesOf(picture.height, height);
  // One direction after the other: [height, width of the picture], then [height, width].
  const flat = new Float64Array(height * picture.width * CHANNELS);
  const rowLength = picture.width * CHANNELS;
  for (const { from, to, share } of down) {
    for (let i = 0; i < rowLength; i++) {
      flat[to * rowLength + i]! += share * picture.data[from * rowLength + i]!;
    }
  }
  const averages = new Float64Array(height * width * CHANNELS);
  for (let y = 0; y < height; y++) {
    for (const { from, to, share } of across) {
      for (let channel = 0; channel < CHANNELS; channel++) {
        averages[(y * width + to) * CHANNELS + channel]! +=
          share * flat[(y * picture.width + from) * CHANNELS + channel]!;
      }
    }
  }
  return averages;
}

/** The same as a picture; one that has the size already is returned as it is. */
export function reducePicture(picture: Picture, width: number, height: number): Picture {
  if (picture.width === width && picture.height === height) return picture;
  const data = Uint8Array.from(areaAverage(picture, width, height), (value) => Math.round(value));
  return { width, height, data };
}

interface Share {
  from: number;
  to: number;
  /** Of the new pixel, how much lies in the old one. */
  share: number;
}

/** Which old pixels of a line make which new ones. */
function sharesOf(oldLength: number, newLength: number): Share[] {
  const shares: Share[] = [];
  for (let to = 0; to < newLength; to++) {
    // Whole numbers, in units of 1 / (oldLength * newLength) of the line, so that no share is a rounding error.
    const [start, end] = [to * oldLength, (to + 1) * oldLength];
    for (let from = Math.floor(start / newLength); from * newLength < end; from++) {
      const covered = Math.min(end, (from + 1) * newLength) - Math.max(start, from * newLength);
      shares.push({ from, to, share: covered / oldLength });
    }
  }
  return shares;
}
