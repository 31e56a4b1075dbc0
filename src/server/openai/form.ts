/** Parses bodies as HTML forms send them: multipart/form-data (RFC 7578), with a bounded number of parts. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Busboy } from "@fastify/busboy";
import { RetouchError, shownValue } from "../../errors.ts";

/** A field: a string, or the bytes of a file. */
export interface FormPart {
  name: string;
  value: string | Buffer;
}

const MAX_PARTS = 100;
const MAX_HEADERS = 20;
/** Of a part's headers, which hold its field name and file name. */
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_NAME_LENGTH = 100;
/** Of a string: the longest that any field may have, in the widest characters. */
const MAX_TEXT_BYTES = 16 * 1024;
/** Fields whose string may be an image, and as long as the body. */
const PICTURES: ReadonlySet<string> = new Set(["image", "image[]"]);
/** Parsed per turn of the event loop: the worst case, nothing but parts, takes milliseconds. */
const CHUNK_BYTES = 64 * 1024;
const MALFORMED = "The body is not a valid form.";

/**
 * Parses a body that has arrived.
 * @param contentType names the boundary between the parts
 * @returns the parts in their order
 * @throws RetouchError INVALID_PARAMETER
 */
export async function parseForm(body: Buffer, contentType: string): Promise<FormPart[]> {
  const parser = createParser(contentType);
  const parts: FormPart[] = [];
  const faults: string[] = [];
  const ended = new Promise<void>((resolve) => {
    const refuse = (sentence: string): void => {
      faults.push(sentence);
      resolve();
    };
    /** A part without a name belongs to no field. */
    const nameOf = (name: string | undefined = ""): string => {
      if (name.length > MAX_NAME_LENGTH) {
        refuse(`The form has a field whose name is longer than ${MAX_NAME_LENGTH} characters.`);
      }
      return name;
    };
    parser.on("field", (given, value) => {
      const name = nameOf(given);
      if (!PICTURES.has(name) && Buffer.byteLength(value) > MAX_TEXT_BYTES) {
        refuse(`The form has more than ${MAX_TEXT_BYTES} bytes of text in ${shownValue(name)}.`);
      }
      // The database cannot store it.
      if (value.includes("\0")) refuse("The form has U+0000 in a text.");
      parts.push({ name, value });
    });
    parser.on("file", (given, file) => {
      const name = nameOf(given);
      const part: FormPart = { name, value: Buffer.alloc(0) };
      const chunks: Buffer[] = [];
      parts.push(part);
      file.on("data", (chunk: Buffer) => chunks.push(chunk));
      file.on("end", () => (part.value = Buffer.concat(chunks)));
      // The parser reports it as well.
      file.on("error", () => {});
    });
    parser.on("partsLimit", () => refuse(`The form has more than ${MAX_PARTS} parts.`));
    // The parser's own messages describe its internals.
    parser.on("error", () => refuse(MALFORMED));
    parser.on("finish", resolve);
  });
  for (let start = 0; start < body.byteLength && faults.length === 0; start += CHUNK_BYTES) {
    parser.write(body.subarray(start, start + CHUNK_BYTES));
    await nextTurn();
  }
  if (faults.length === 0) parser.end();
  await ended;
  if (faults.length > 0) throw invalid(faults[0]!);
  return parts;
}

function createParser(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      // The body's own limit is the only one for an image sent as a string.
      limits: {
        parts: MAX_PARTS,
        headerPairs: MAX_HEADERS,
        headerSize: MAX_HEADER_BYTES,
        fieldSize: Infinity,
      },
    });
  } catch {
    throw invalid("The content type of the form names no boundary, or too long a one.");
  }
}

const invalid = (sentence: string): RetouchError => new RetouchError("INVALID_PARAMETER", sentence);
