/**
 * PNGs of pictures that were enlarged. Their pixels differ so little from their neighbours that one filter and runs of
 * equal bytes say about as much as libpng's choice among all filters and a search for repetitions, in half of the
 * processor's time: at 1024 x 1024 the filter takes 4 ms, and the rest (12 ms) runs in another thread. Files of what the shipped
 * network draws are 1 to 1.1 times as large. Those of even or repeated parts would be far larger, so some rows are tried
 * first.
 */
import { promisify } from "node:util";
import { constants, deflate, deflateSync } from "node:zlib";
import type { Picture } from "./picture.ts";
import { pngChunk, xmpChunk } from "./png-chunks.ts";

const CHANNELS = 3;
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BITS = 8;
const TRUECOLOUR = 2;
/** https://www.w3.org/TR/png-3/#9Filter-types */
const FILTER_AVERAGE = 3;
/** The file is made in one piece, in three bytes of memory per pixel; smaller ones take next to no time anyway. */
const PIXELS = { min: 10_000, max: 4_000_000 };
/** Rows that are tried: six bands from top to bottom. */
const BANDS = 6;
const BAND_ROWS = 8;
/** How many times as large as with a search for repetitions they may become. */
const MAX_LOSS = 1.1;
/** What becomes smaller than this share is even, and filters that are not tried may make next to nothing of it. */
const MIN_SHARE = 0.02;
/** Of what the filter leaves, for the compressed bytes: more than they take, so that they are made without a pause. */
const ROOM = 0.8;

const RUNS = { level: constants.Z_BEST_SPEED, strategy: constants.Z_RLE };
/** That of other pictures (`encode.ts`). */
const REPETITIONS = { level: 3 };

const compress = promisify(deflate);

/**
 * Encodes a picture exactly.
 * @param xmp an XMP packet for the file
 * @returns undefined for a picture that is not smooth, or of another size than is worth it
 */
export async function encodeSmoothPng(picture: Picture, xmp?: string): Promise<Uint8Array | undefined> {
  const pixels = picture.width * picture.height;
  if (pixels < PIXELS.min || pixels > PIXELS.max || !isSmooth(picture)) return undefined;
  const filtered = averageFiltered(picture);
  const chunkSize = Math.ceil(ROOM * filtered.length);
  const data = await compress(filtered, { ...RUNS, chunkSize });
  const parts = [
    SIGNATURE,
    ...pngChunk("IHDR", header(picture)),
    ...(xmp === undefined ? [] : xmpChunk(xmp)),
    ...pngChunk("IDAT", data),
    ...pngChunk("IEND", new Uint8Array()),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

/** Takes about a millisecond. */
function isSmooth({ width, height, data }: Picture): boolean {
  const rows = Math.min(BAND_ROWS, Math.floor(height / BANDS) - 1);
  const bands = Array.from({ length: BANDS }, (_, band) => {
    const above = Math.floor((band * height) / BANDS);
    const part = data.subarray(3 * width * above, 3 * width * (above + 1 + rows));
    // The first row has none above it here, and looks like none of the others.
    return averageFiltered({ width, height: 1 + rows, data: part }).subarray(1 + 3 * width);
  });
  const sample = Buffer.concat(bands);
  const [runs, repetitions] = [RUNS, REPETITIONS].map((options) => deflateSync(sample, options).length) as [
    number,
    number,
  ];
  return runs <= MAX_LOSS * repetitions && runs >= MIN_SHARE * sample.length;
}

function header({ width, height }: Picture): Uint8Array {
  const bytes = Buffer.alloc(13);
  bytes.writeUInt32BE(width);
  bytes.writeUInt32BE(height, 4);
  bytes.set([BITS, TRUECOLOUR], 8);
  return bytes;
}

/** Each row with the filter's type before it: what is left of a byte after the mean of those to its left and above. */
function averageFiltered({ width, height, data }: Picture): Uint8Array {
  const rowBytes = CHANNELS * width;
  const filtered = new Uint8Array(height * (1 + rowBytes));
  const above = new Uint8Array(rowBytes);
  for (let y = 0, at = 0; y < height; y++) {
    const row = data.subarray(y * rowBytes, (y + 1) * rowBytes);
    filtered[at++] = FILTER_AVERAGE;
    for (let i = 0; i < CHANNELS; i++, at++) filtered[at] = row[i]! - (above[i]! >> 1);
    for (let i = CHANNELS; i < rowBytes; i++, at++) {
      filtered[at] = row[i]! - ((row[i - CHANNELS]! + above[i]!) >> 1);
    }
    above.set(row);
  }
  return filtered;
}
