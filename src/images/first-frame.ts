/**
 * Reduces an animation or a multi-page file to what its first frame needs. The decoders are asked for one frame, but
 * read all of them anyway: 200,000 frames in 9 MB of WebP took 55 s (libwebp 1.6), 500,000 pages of TIFF 11 s. GIF is
 * fast enough, and PNG and AVIF contain one image.
 */
import type { AcceptedFormat } from "./format.ts";
import { readTiffDirectory } from "./tiff-directory.ts";

/** Returns the same bytes, or a copy without the other frames; damage is left for the decoder to find. */
export function firstFrame(bytes: Uint8Array, format: AcceptedFormat): Uint8Array {
  if (format === "WebP") return firstWebpFrame(bytes);
  if (format === "TIFF") return firstTiffPage(bytes);
  return bytes;
}

const WEBP_CHUNKS = new Set(["VP8X", "ICCP", "ANIM", "EXIF", "XMP "]);
const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;

/** https://developers.google.com/speed/webp/docs/riff_container */
function firstWebpFrame(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isExtended = file.toString("latin1", RIFF_HEADER_BYTES, RIFF_HEADER_BYTES + 4) === "VP8X";
  if (!isExtended || !file.includes("ANMF", RIFF_HEADER_BYTES, "latin1")) return bytes;
  const parts: Buffer[] = [file.subarray(0, RIFF_HEADER_BYTES)];
  const end = file.readUInt32LE(4) + 8;
  let hasFrame = false;
  let offset = RIFF_HEADER_BYTES;
  while (offset + CHUNK_HEADER_BYTES <= Math.min(end, file.length)) {
    const name = file.toString("latin1", offset, offset + 4);
    const size = file.readUInt32LE(offset + 4);
    const next = offset + CHUNK_HEADER_BYTES + size + (size % 2);
    const isWanted = name === "ANMF" ? !hasFrame : WEBP_CHUNKS.has(name);
    if (isWanted) parts.push(file.subarray(offset, next));
    hasFrame ||= name === "ANMF";
    offset = next;
  }
  const whole = Buffer.concat(parts);
  // A truncated file keeps its old length, which exceeds its size, and is refused for it.
  if (end <= file.length) whole.writeUInt32LE(whole.length - 8, 4);
  return whole;
}

/** TIFF 6.0, page 13: a directory ends with the offset of the next one, or 0 if there is none. */
function firstTiffPage(bytes: Uint8Array): Uint8Array {
  const { link } = readTiffDirectory(bytes);
  if (!link || bytes.subarray(link.start, link.end).every((byte) => byte === 0)) return bytes;
  return new Uint8Array(bytes).fill(0, link.start, link.end);
}
