/** What a body is that is no JSON: clients send the picture itself, or a form, where JSON is read. */
import { formatOf } from "../images/format.ts";

const FORM_ROUTE = "/v1/images/edits";

/** @returns a sentence; undefined if nothing is known about it */
export function sentenceOfBody(bytes: Buffer): string | undefined {
  const head = bytes.toString("latin1", 0, 200);
  if (/^--[^\r\n]{1,150}\r?\n/.test(head)) {
    return `The body is a form, but its content type is not multipart/form-data; forms are taken by ${FORM_ROUTE}, and JSON here.`;
  }
  if (/^[\w.%+-]{1,60}(?:\[\d*\])?=/.test(head)) {
    return `The body is a URL-encoded form; send JSON, or multipart/form-data to ${FORM_ROUTE}.`;
  }
  if (/^data:/i.test(head)) return "The body is a data URL; send JSON that has it in image.";
  const format = formatOf(bytes);
  if (format?.isAccepted)
    return `The body is a ${format.name} file; send JSON that has it in image, in base64.`;
  return undefined;
}
