/**
 * Detects a file's format from its first bytes, so an image is accepted by its content, whatever its name says, and a
 * format that is not accepted can be refused by name before any decoder sees it.
 */
import { readTiffDirectory } from "./tiff-directory.ts";

/** The formats that `decodePicture` accepts. */
export const ACCEPTED_FORMATS = ["JPEG", "PNG", "WebP", "AVIF", "GIF", "TIFF"] as const;
export type AcceptedFormat = (typeof ACCEPTED_FORMATS)[number];

export type FileFormat =
  | { isAccepted: true; name: AcceptedFormat }
  /** `name` continues "it is ..."; `advice` continues "...; ". */
  | { isAccepted: false; name: string; advice: string };

const CONVERT = "convert it to JPEG or PNG";
const TIFF_SIGNATURES = ["II\x2A\0", "MM\0\x2A", "II\x2B\0", "MM\0\x2B"];

/** Signatures as latin-1 strings: offset, signature, format, advice. */
const REFUSED: readonly (readonly [number, string, string, string])[] = [
  [0, "%PDF-", "a PDF document", "export the page as JPEG or PNG"],
  [0, "BM", "a BMP image", CONVERT],
  [0, "8BPS", "a Photoshop document", "export it as JPEG or PNG"],
  [0, "\0\0\x01\0", "an icon file (ICO)", CONVERT],
  [0, "\xFF\x0A", "a JPEG XL image", CONVERT],
  [4, "JXL \x0D\x0A\x87\x0A", "a JPEG XL image", CONVERT],
  [4, "jP  \x0D\x0A\x87\x0A", "a JPEG 2000 image", CONVERT],
  [0, "\xFF\x4F\xFF\x51", "a JPEG 2000 image", CONVERT],
  [0, "\x76\x2F\x31\x01", "an OpenEXR image", "convert it to PNG or TIFF"],
  [0, "#?RADIANCE", "a Radiance HDR image", "convert it to PNG or TIFF"],
  [0, "qoif", "a QOI image", CONVERT],
  [0, "%!PS", "a PostScript document", "export the page as JPEG or PNG"],
  [0, "gimp xcf", "a GIMP document", "export it as JPEG or PNG"],
  [0, "FUJIFILM", "a camera raw file", "develop it to JPEG or TIFF"],
  [0, "IIU\0", "a camera raw file", "develop it to JPEG or TIFF"],
  [0, "IIRO", "a camera raw file", "develop it to JPEG or TIFF"],
  [0, "\x1A\x45\xDF\xA3", "a video", "save a frame of it as JPEG or PNG"],
  [0, "\x1F\x8B", "a gzip archive", "unpack it first"],
  [0, "PK\x03\x04", "a ZIP archive", "unpack it first"],
];

/** Names a file's format from its content; `undefined` if it is none that is known here. */
export function formatOf(bytes: Uint8Array): FileFormat | undefined {
  const head = latin1(bytes, 0, 64);
  if (head.startsWith("\xFF\xD8\xFF")) return accepted("JPEG");
  if (head.startsWith("\x89PNG\x0D\x0A\x1A\x0A")) return accepted("PNG");
  if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) return accepted("WebP");
  if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) return accepted("GIF");
  if (head.startsWith("ftyp", 4)) return isoMediaFormat(bytes);
  if (TIFF_SIGNATURES.some((signature) => head.startsWith(signature))) {
    return isCameraRaw(bytes) ? refused("a camera raw file", "develop it to JPEG or TIFF") : accepted("TIFF");
  }
  for (const [offset, signature, name, advice] of REFUSED) {
    if (head.startsWith(signature, offset)) return refused(name, advice);
  }
  if (/^P[1-7]\s/.test(head)) return refused("a PNM image", CONVERT);
  return markupFormat(bytes);
}

/** AVIF, HEIC and MP4 share one container; the brands at its start tell them apart. */
function isoMediaFormat(bytes: Uint8Array): FileFormat {
  const boxSize = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const brands = latin1(bytes, 8, Math.min(Math.max(boxSize, 12), 512)).match(/.{4}/gs) ?? [];
  if (brands.some((brand) => brand === "avif" || brand === "avis")) return accepted("AVIF");
  if (brands.some((brand) => /^(?:he[ivx][a-z]|hevc|hevx|mif1|msf1|mif2|jpeg)$/.test(brand))) {
    return refused("a HEIC/HEIF image", CONVERT);
  }
  if (brands[0] === "crx ") return refused("a camera raw file", "develop it to JPEG or TIFF");
  return refused("a video", "save a frame of it as JPEG or PNG");
}

/** NewSubfileType, TIFF 6.0 page 36: bit 0 means "a reduced-resolution version of another image". */
const SUBFILE_TYPE = 254;

/** Raw files are TIFF files whose first page is a small preview, which nobody means to edit. */
function isCameraRaw(bytes: Uint8Array): boolean {
  if (latin1(bytes, 8, 10) === "CR") return true;
  const [type = 0] = readTiffDirectory(bytes).tags.get(SUBFILE_TYPE)?.values ?? [];
  return type % 2 === 1;
}

function markupFormat(bytes: Uint8Array): FileFormat | undefined {
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  // Dropping the zero bytes decodes UTF-16 markup well enough to recognise it.
  const start = latin1(bytes, 0, 4096);
  const text = (isUtf16 ? start.replaceAll("\0", "") : start).replace(/^[^<]{0,3}\s*/, "").toLowerCase();
  if (!text.startsWith("<")) return undefined;
  if (/<(?:[a-z]+:)?svg[\s>/]/.test(text)) return refused("an SVG drawing", "export it as PNG");
  if (/<!doctype html|<html[\s>]/.test(text)) {
    return refused("a web page", "give the address of the image itself");
  }
  return undefined;
}

function accepted(name: AcceptedFormat): FileFormat {
  return { isAccepted: true, name };
}

function refused(name: string, advice: string): FileFormat {
  return { isAccepted: false, name, advice };
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1", start, end);
}
