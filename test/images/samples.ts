/** Pictures and files for the tests of src/images, made on the spot: no test depends on another file. */
import { deflateSync, crc32 } from "node:zlib";
import sharp, { type Sharp } from "sharp";
import type { Picture } from "../../src/images/picture.ts";

/** A small random generator with a seed (mulberry32), so that a failing case can be repeated. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A picture of random values. */
export function noise(width: number, height: number, seed = 1): Picture {
  const random = randomNumbers(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 3 }, () => random() * 256) };
}

/** Colours that differ at every corner and change smoothly, so that lossy formats keep them closely. */
export function gradient(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const blue = 200 - (100 * (x + y)) / (width + height);
      data.set([40 + (160 * x) / width, 40 + (160 * y) / height, blue], (y * width + x) * 3);
    }
  }
  return { width, height, data };
}

export function sharpOf(picture: Picture): Sharp {
  return sharp(picture.data, { raw: { width: picture.width, height: picture.height, channels: 3 } });
}

export function plain(
  width: number,
  height: number,
  [r, g, b, alpha]: readonly [number, number, number, number?],
): Sharp {
  return sharp({
    create: {
      width,
      height,
      channels: alpha === undefined ? 3 : 4,
      background: { r, g, b, alpha: alpha ?? 1 },
    },
  });
}

export function pixelAt(picture: Picture, x: number, y: number): number[] {
  const offset = (y * picture.width + x) * 3;
  return [...picture.data.subarray(offset, offset + 3)];
}

/** The largest difference of any value. */
export function largestDifference(a: Picture, b: Picture): number {
  if (a.data.length !== b.data.length) return Infinity;
  return a.data.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b.data[i]!)), 0);
}

/** A valid one-bit PNG of any size: rows of zeros compress to next to nothing. */
export function blankPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1; // bits a pixel; greyscale, deflate, no filter, not interlaced
  const rows = deflateSync(Buffer.alloc(height * (1 + Math.ceil(width / 8))));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    pngChunk("IHDR", header),
    pngChunk("IDAT", rows),
    pngChunk("IEND", Buffer.alloc(0)),
  ]);
}

export function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** The start of an ISO media file (HEIC, AVIF, MP4): a `ftyp` box with a major and further brands. */
export function isoMediaHead(...brands: string[]): Buffer {
  const box = Buffer.alloc(16 + 4 * (brands.length - 1));
  box.writeUInt32BE(box.length);
  box.write(`ftyp${brands[0]}`, 4, "latin1");
  box.write(brands.slice(1).join(""), 16, "latin1");
  return Buffer.concat([box, Buffer.alloc(64)]);
}
