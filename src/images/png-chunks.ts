/** Chunks of a PNG (https://www.w3.org/TR/png-3/#5Chunk-layout), and the one of its XMP packet. */
import { crc32 } from "node:zlib";

/** Length, type, data and checksum. */
export function pngChunk(type: string, data: Uint8Array): Uint8Array[] {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(data.length);
  head.write(type, 4, "latin1");
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(data, crc32(head.subarray(4))));
  return [head, data, checksum];
}

/** XMP part 3, section 1.1.5: keyword, neither compressed nor in a language. */
const XMP_HEAD = "XML:com.adobe.xmp\0\0\0\0\0";

export const xmpChunk = (xmp: string): Uint8Array[] => pngChunk("iTXt", Buffer.from(XMP_HEAD + xmp));

/** The signature, and the header's chunk. */
const HEADER_END = 8 + 25;

/** A PNG with a packet behind its header. libvips would compress it, which the standard for packets does not allow. */
export const withXmpChunk = (png: Uint8Array, xmp: string): Uint8Array =>
  new Uint8Array(Buffer.concat([png.subarray(0, HEADER_END), ...xmpChunk(xmp), png.subarray(HEADER_END)]));

/** Whether the bytes from `at` on are a packet's in such a chunk; then puts the checksum behind them right. */
export function mendXmpChecksum(png: Buffer, at: number, length: number): void {
  const type = at - XMP_HEAD.length - 4;
  if (type < 0 || png.toString("latin1", type, at) !== `iTXt${XMP_HEAD}`) return;
  png.writeUInt32BE(crc32(png.subarray(type, at + length)), at + length);
}
