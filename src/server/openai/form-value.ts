/** The value of a form's part, however its headers describe it: as text, as a file, in base64. */
import { isUtf8 } from "node:buffer";
import { shownValue } from "../../errors.ts";
import { decodeBase64 } from "../../images/base64.ts";
import { formatOf } from "../../images/format.ts";

/** Of a string: the longest that any field may have, in the widest characters. */
const MAX_TEXT_BYTES = 16 * 1024;
/** Transfer encodings that change nothing (RFC 2045, section 6.2). */
const PLAIN = new Set(["7bit", "8bit", "binary", ""]);
/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = "\uFFFD";

export interface Content {
  value: string | Buffer;
  /** A sentence, if the part is refused. */
  fault?: string | undefined;
}

export interface FilePart {
  name: string;
  /** Whether the field holds a picture, which may be text or bytes. */
  isPicture: boolean;
  /** Absent if the part names none. */
  fileName: string | undefined;
  /** Of the transfer, in lower case. */
  encoding: string;
}

export function valueOfText(name: string, text: string, encoding: string): Content {
  const bytes = transferred(name, Buffer.from(text), encoding);
  if (typeof bytes === "string") return { value: "", fault: bytes };
  return textOf(name, bytes);
}

/** Without a file name, a picture's bytes may still be text, such as a URL; a text's field may be sent as a file. */
export function valueOfFile({ name, isPicture, fileName, encoding }: FilePart, given: Buffer): Content {
  const bytes = transferred(name, given, encoding);
  if (typeof bytes === "string") return { value: "", fault: bytes };
  // Browsers send this for a file that nobody chose.
  if (bytes.length === 0 && !fileName) return { value: "" };
  const isText = isPicture
    ? fileName === undefined && isUtf8(bytes) && formatOf(bytes) === undefined
    : bytes.length <= MAX_TEXT_BYTES && isUtf8(bytes);
  if (!isText) return { value: bytes };
  return isPicture ? withoutZero(bytes.toString()) : textOf(name, bytes);
}

/** @returns a sentence if the encoding is not known, or the bytes are not in it */
function transferred(name: string, bytes: Buffer, encoding: string): Buffer | string {
  if (PLAIN.has(encoding.trim())) return bytes;
  const field = shownValue(name);
  if (encoding.trim() !== "base64") {
    return `The form has ${field} in the transfer encoding ${shownValue(encoding)}; send it as it is.`;
  }
  // Clients that say so and send the file itself are right about the file.
  if (formatOf(bytes) !== undefined) return bytes;
  const decoded = decodeBase64(bytes.toString("latin1"));
  return decoded
    ? Buffer.from(decoded)
    : `The form has ${field} in base64, by its headers, and its data is not base64.`;
}

function textOf(name: string, bytes: Buffer): Content {
  if (bytes.length > MAX_TEXT_BYTES) {
    return {
      value: "",
      fault: `The form has more than ${MAX_TEXT_BYTES} bytes of text in ${shownValue(name)}.`,
    };
  }
  const text = bytes.toString();
  if (text.includes(REPLACEMENT)) {
    return { value: "", fault: `The form has text in ${shownValue(name)} that is not UTF-8, or has U+FFFD.` };
  }
  return withoutZero(text);
}

/** The database cannot store it. */
const withoutZero = (text: string): Content =>
  text.includes("\0") ? { value: "", fault: "The form has U+0000 in a text." } : { value: text };
