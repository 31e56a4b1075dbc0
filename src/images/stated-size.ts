/**
 * The size that a file's header states, read without a decoder. Only estimates trust it: a file may state anything, and a
 * photograph that is to be turned has its sides exchanged.
 */
import { formatOf } from "./format.ts";
import { frameOf } from "./jpeg-form.ts";
import type { Picture } from "./picture.ts";

type Size = Pick<Picture, "width" | "height">;

/** Of a JPEG, PNG, GIF or WebP file; undefined for other formats, and where there is no such header. */
export function statedSize(bytes: Uint8Array): Size | undefined {
  const format = formatOf(bytes);
  if (format?.isAccepted !== true) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = READERS[format.name]?.(view, bytes);
  return size && size.width > 0 && size.height > 0 ? { width: size.width, height: size.height } : undefined;
}

type Reader = (view: DataView, bytes: Uint8Array) => Size | undefined;

const READERS: Partial<Record<string, Reader>> = {
  JPEG: (_, bytes) => frameOf(bytes),
  // After the signature, and the length and type of the first chunk, IHDR.
  PNG: (view) => within(view, 24) && { width: view.getUint32(16), height: view.getUint32(20) },
  // The logical screen, after the signature.
  GIF: (view) => within(view, 10) && { width: view.getUint16(6, true), height: view.getUint16(8, true) },
  WebP: webpSize,
};

/** By the first chunk of its container (RFC 9649): extended, lossless or lossy. */
function webpSize(view: DataView): Size | undefined {
  if (!within(view, 30)) return undefined;
  const chunk = String.fromCharCode(...[12, 13, 14, 15].map((at) => view.getUint8(at)));
  if (chunk === "VP8X") {
    const of = (at: number): number => 1 + view.getUint16(at, true) + view.getUint8(at + 2) * 2 ** 16;
    return { width: of(24), height: of(27) };
  }
  if (chunk === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  // The upper two bits of each say how it is to be enlarged.
  return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
}

/** True or, where the header is cut off, undefined. */
const within = (view: DataView, end: number): true | undefined => view.byteLength >= end || undefined;
