/** Data URLs (RFC 2397): `data:image/png;base64,iVBOR...`, or percent-encoded bytes without `;base64`. */
import { failure, RetouchError } from "../errors.ts";
import { decodeBase64 } from "./base64.ts";
import { tooLarge } from "./collect.ts";
import { formatOf } from "./format.ts";

/** Encodes bytes of a media type, such as image/png, as a data URL. */
export function toDataUrl(type: string, { buffer, byteOffset, byteLength }: Uint8Array): string {
  return `data:${type};base64,${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`;
}

const NAME = "the data URL";
const PERCENT = 0x25;
/** Of base64, enough to see the kind of a picture: a multiple of four. */
const START_BYTES = 64;
/** How far before the comma `;base64` may begin: a media type is short, whatever somebody may send. */
const MAX_MARK_LENGTH = 64;

/**
 * Decodes a data URL; its media type is ignored, because images are recognised by their content.
 * @throws RetouchError IMAGE_UNREADABLE (malformed), IMAGE_TOO_LARGE
 */
export function readDataUrl(url: string, maxBytes: number): { bytes: Uint8Array; name: string } {
  const comma = url.indexOf(",");
  if (comma === -1) throw malformed("it has no comma before its data");
  const mark = url.slice(Math.max("data:".length, comma - MAX_MARK_LENGTH), comma);
  const text = url.slice(comma + 1);
  const isBase64 = /;\s*base64\s*(?:;|$)/i.test(mark);
  const bytes = isBase64 ? base64Bytes(text) : percentBytes(text);
  if (!isBase64 && isBase64Picture(bytes))
    throw malformed("its data is base64, and ;base64 is missing before the comma");
  if (bytes.byteLength > maxBytes) throw tooLarge(NAME, maxBytes);
  return { bytes, name: NAME };
}

/** No picture begins with letters alone, except for those of its base64. */
function isBase64Picture(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, START_BYTES)).toString("latin1");
  return /^[\w+/-]+$/.test(start) && formatOf(Buffer.from(start, "base64"))?.isAccepted === true;
}

function base64Bytes(text: string): Uint8Array {
  if (/^\s*data:/i.test(text.slice(0, MAX_MARK_LENGTH))) throw malformed("its data is a data URL again");
  const bytes = decodeBase64(text.includes("%") ? percentBytes(text).toString("latin1") : text);
  if (bytes === undefined) throw malformed("its data is not base64");
  return bytes;
}

/** Byte by byte, in place: replacing with a regular expression would call back millions of times. */
function percentBytes(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const hex = hexValues();
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i]!;
    if (byte === PERCENT) {
      // Past the end, 0 is read, which is not a digit either.
      byte = (hex[bytes[i + 1] ?? 0]! << 4) | hex[bytes[i + 2] ?? 0]!;
      if (byte < 0) throw malformed("a % is not followed by two hexadecimal digits");
      i += 2;
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

/** Each character's value as a hexadecimal digit; -1 for any other character. */
function hexValues(): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (let digit = 0; digit < 16; digit++) {
    const character = digit.toString(16);
    values[character.charCodeAt(0)] = digit;
    values[character.toUpperCase().charCodeAt(0)] = digit;
  }
  return values;
}

function malformed(reason: string): RetouchError {
  return new RetouchError("IMAGE_UNREADABLE", failure("imageUnreadable", { source: NAME, reason }));
}
