/** What tells two pictures apart, whatever their files: the numbers that a file decodes to, and what they mean. */
import { createHash } from "node:crypto";
import { readerOf, wordsOf } from "./decode-samples.ts";
import { plainBytes } from "./picture.ts";

/** A file's own numbers, upright, without a conversion of colours. */
export interface FilePixels {
  width: number;
  height: number;
  channels: number;
  /** Numbers of 8 or 16 bits; those of 10 and 12 stand at the top of 16. */
  data: Uint8Array | Uint16Array;
  /** The colour profile. */
  icc: Uint8Array | undefined;
}

/** @throws Error for bytes that the decoder does not take */
export async function readPixels(file: Uint8Array): Promise<FilePixels> {
  const reader = await readerOf(file, { ignoreIcc: true });
  const { depth, icc } = await reader.metadata();
  const isDeep = depth === "ushort";
  const { data, info } = await reader
    .autoOrient()
    .toColourspace(isDeep ? "rgb16" : "srgb")
    .raw({ depth: isDeep ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { width, height, channels, data: isDeep ? wordsOf(data) : plainBytes(data), icc };
}

/**
 * SHA-256, in hex, of the line "width height channels bits", of the numbers (rows top to bottom; of 16 bits the low byte
 * first), and of the colour profile.
 */
export function digestOfPixels({ width, height, channels, data, icc }: FilePixels): string {
  const bits = 8 * data.BYTES_PER_ELEMENT;
  const hash = createHash("sha256").update(`${width} ${height} ${channels} ${bits}\n`);
  hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.update(icc ?? "").digest("hex");
}

export const pixelDigest = async (file: Uint8Array): Promise<string> =>
  digestOfPixels(await readPixels(file));

/** Peak signal-to-noise ratio of two pictures of one size and depth, in decibels; Infinity where all numbers are equal. */
export function pixelPsnr(one: FilePixels, other: FilePixels): number {
  const { data } = one;
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (data[i]! - other.data[i]!) ** 2;
  const most = 2 ** (8 * data.BYTES_PER_ELEMENT) - 1;
  return sum === 0 ? Infinity : 10 * Math.log10(most ** 2 / (sum / data.length));
}
