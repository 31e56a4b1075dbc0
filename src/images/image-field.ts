/** The image of an outside request: a URL, a data URL or bare base64. Nothing is downloaded or decoded here. */
import { invalid, RetouchError } from "../errors.ts";
import { decodeBase64 } from "./base64.ts";
import { tooLarge } from "./collect.ts";
import { readDataUrl } from "./data-url.ts";

export type ImageField = { kind: "url"; url: string } | { kind: "inline"; bytes: Uint8Array };

const MAX_URL_LENGTH = 8192;
/** Paths and words are shorter than any image in base64, whatever their letters. */
const MIN_BASE64_LENGTH = 32;
/** Where a scheme must have ended, so that a string of megabytes is not searched for one. */
const MAX_SCHEME_LENGTH = 64;

/** @throws RetouchError INVALID_PARAMETER or IMAGE_TOO_LARGE, about `image` */
export function parseImageField(text: string, maxBytes: number): ImageField {
  const field = text.trim();
  if (field === "") throw invalid("empty", { field: "image" });
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(field.slice(0, MAX_SCHEME_LENGTH))?.[0].toLowerCase();
  if (scheme === "http:" || scheme === "https:") return { kind: "url", url: checkedUrl(field) };
  const bytes = scheme === "data:" ? dataUrlBytes(field, maxBytes) : base64Bytes(field);
  if (bytes === undefined) {
    throw invalid("type", { field: "image", wanted: "an http or https URL, a data URL, or base64" });
  }
  return inlineImage(bytes, maxBytes);
}

/** The image of a request that was sent as bytes. @throws RetouchError INVALID_PARAMETER or IMAGE_TOO_LARGE */
export function inlineImage(bytes: Uint8Array, maxBytes: number): ImageField {
  if (bytes.byteLength === 0) throw invalid("imageNoData", {});
  if (bytes.byteLength > maxBytes) throw tooLarge(undefined, maxBytes);
  return { kind: "inline", bytes };
}

function checkedUrl(text: string): string {
  if (text.length > MAX_URL_LENGTH) throw invalid("imageUrlLong", { max: MAX_URL_LENGTH });
  if (!URL.canParse(text)) throw invalid("imageUrl", {});
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") throw invalid("urlLogin", { field: "image" });
  return text;
}

function base64Bytes(text: string): Uint8Array | undefined {
  return text.length < MIN_BASE64_LENGTH ? undefined : decodeBase64(text);
}

function dataUrlBytes(text: string, maxBytes: number): Uint8Array {
  try {
    return readDataUrl(text, maxBytes).bytes;
  } catch (error) {
    if (!(error instanceof RetouchError)) throw error;
    const code = error.code === "IMAGE_TOO_LARGE" ? error.code : "INVALID_PARAMETER";
    throw new RetouchError(code, error.failure, { cause: error });
  }
}
