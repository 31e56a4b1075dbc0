/**
 * Samples and their colour profile as an uncompressed TIFF 6.0 in memory: sharp takes a profile for samples only with an
 * image that has one; of raw ones it would convert the numbers (sharp 0.35.5).
 */
import { type DeepPicture, depthOf } from "./deep-picture.ts";

const HEADER_BYTES = 8;
const ENTRY_BYTES = 12;
const [SHORT, LONG, UNDEFINED] = [3, 4, 7];

/** @param icc the profile to carry */
export function taggedTiff(
  deep: Pick<DeepPicture, "width" | "height" | "channels" | "data">,
  icc: Uint8Array,
): Uint8Array {
  const { width, height, channels, data } = deep;
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const depthsAt = HEADER_BYTES + even(pixels.length);
  const profileAt = depthsAt + 2 * 4;
  const directoryAt = profileAt + even(icc.length);
  // In the order of their numbers, as the format wants it.
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, LONG, 1, width],
    [257, LONG, 1, height],
    [258, SHORT, channels, depthsAt],
    [259, SHORT, 1, 1], // no compression
    [262, SHORT, 1, 2], // RGB
    [273, LONG, 1, HEADER_BYTES], // the one strip
    [277, SHORT, 1, channels],
    [278, LONG, 1, height],
    [279, LONG, 1, pixels.length],
    [284, SHORT, 1, 1], // channels side by side
    ...(channels === 4 ? [[338, SHORT, 1, 2] as [number, number, number, number]] : []), // straight alpha
    [34675, UNDEFINED, icc.length, profileAt],
  ];
  const file = Buffer.alloc(directoryAt + 2 + ENTRY_BYTES * entries.length + 4);
  file.write("II*\0", 0, "latin1");
  file.writeUInt32LE(directoryAt, 4);
  file.set(pixels, HEADER_BYTES);
  for (let i = 0; i < channels; i++) file.writeUInt16LE(depthOf(deep), depthsAt + 2 * i);
  file.set(icc, profileAt);
  file.writeUInt16LE(entries.length, directoryAt);
  for (const [i, [tag, type, count, value]] of entries.entries()) {
    const at = directoryAt + 2 + ENTRY_BYTES * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    // A short lies in the lower half, which comes first.
    file.writeUInt32LE(value, at + 8);
  }
  return file;
}

const even = (length: number): number => length + (length % 2);
