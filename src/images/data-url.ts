/** Data URLs (RFC 2397): `data:image/png;base64,iVBOR...`, or percent-encoded bytes without `;base64`. */
import { RetouchError } from "../errors.ts";
import { tooLarge } from "./collect.ts";

const NAME = "the data URL";

/**
 * Decodes a data URL; its media type is ignored, because pictures are recognised by their content.
 * @throws RetouchError IMAGE_UNREADABLE (malformed), IMAGE_TOO_LARGE
 */
export function readDataUrl(url: string, maxBytes: number): { bytes: Uint8Array; name: string } {
  const comma = url.indexOf(",");
  if (comma === -1) throw malformed("it has no comma before its data");
  const isBase64 = /;\s*base64\s*$/i.test(url.slice("data:".length, comma));
  const text = url.slice(comma + 1);
  const bytes = isBase64 ? base64Bytes(text, maxBytes) : percentBytes(text);
  if (bytes.byteLength > maxBytes) throw tooLarge(NAME, maxBytes);
  return { bytes, name: NAME };
}

function base64Bytes(text: string, maxBytes: number): Uint8Array {
  const plain = (text.includes("%") ? percentBytes(text).toString("latin1") : text).replaceAll(/\s/g, "");
  if (Math.floor((plain.length * 3) / 4) > maxBytes + 2) throw tooLarge(NAME, maxBytes);
  // Buffer.from skips whatever is no base64, and a damaged picture would be the only sign.
  const digits = plain.replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/_-]*$/.test(digits) || digits.length % 4 === 1)
    throw malformed("its data is not base64");
  return Buffer.from(digits, "base64");
}

function percentBytes(text: string): Buffer {
  if (/%(?![0-9a-f]{2})/i.test(text)) throw malformed("a % is not followed by two hexadecimal digits");
  const latin1 = Buffer.from(text, "utf8")
    .toString("latin1")
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(latin1, "latin1");
}

function malformed(reason: string): RetouchError {
  return new RetouchError("IMAGE_UNREADABLE", `${NAME} cannot be read: ${reason}.`);
}
