/** What a body is that is not JSON: clients send the picture itself, or a form, where JSON is read. */
import { formatOf } from "../images/format.ts";

const FORM_ROUTE = "/v1/images/edits";
const GZIP = "\x1F\x8B";

/** @returns a sentence; undefined if nothing is known about it */
export function sentenceOfBody(bytes: Buffer): string | undefined {
  const head = bytes.toString("latin1", 0, 200);
  if (/^--[^\r\n]{1,150}\r?\n/.test(head)) {
    return `The body is a form, but this route takes JSON; ${FORM_ROUTE} takes forms of the content type multipart/form-data.`;
  }
  if (/^[\w.%+-]{1,60}(?:\[\d*\])?=/.test(head)) {
    return `The body is a URL-encoded form; send JSON, or multipart/form-data to ${FORM_ROUTE}.`;
  }
  if (/^data:/i.test(head)) return "The body is a data URL; send JSON that has it in image.";
  if (head.startsWith(GZIP)) return "The body is compressed, which is not supported; send it uncompressed.";
  const format = formatOf(bytes);
  if (format?.isAccepted !== true) return undefined;
  return `The body is a ${format.name} file; send JSON that has it in image, in base64.`;
}
