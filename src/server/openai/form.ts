/** Parses bodies as HTML forms send them: multipart/form-data (RFC 7578), with a bounded number of parts. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Busboy } from "@fastify/busboy";
import { RetouchError } from "../../errors.ts";
import { type Content, valueOfFile, valueOfText } from "./form-value.ts";

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
/** Fields whose string may be an image, and as long as the body; clients number them, or mark them as a list. */
export const isPictureField = (name: string): boolean => /^(?:images?(?:\[\d{0,3}\])?|mask)$/.test(name);
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
    const keep = (part: FormPart, { value, fault }: Content): void => {
      if (fault !== undefined) refuse(fault);
      part.value = value;
    };
    parser.on("field", (given, text, _isNameCut, _isCut, encoding) => {
      const name = nameOf(given);
      const part: FormPart = { name, value: "" };
      parts.push(part);
      keep(part, valueOfText(name, text, encoding));
    });
    parser.on("file", (given, file, fileName: string | undefined, encoding) => {
      const name = nameOf(given);
      const part: FormPart = { name, value: "" };
      const chunks: Buffer[] = [];
      parts.push(part);
      file.on("data", (chunk: Buffer) => chunks.push(chunk));
      file.on("end", () => {
        const isPicture = isPictureField(name);
        keep(part, valueOfFile({ name, isPicture, fileName, encoding }, Buffer.concat(chunks)));
      });
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
      // A picture is bytes, whether its part has a file name or not.
      isPartAFile: (name, type, fileName) =>
        (name !== undefined && isPictureField(name)) ||
        type === "application/octet-stream" ||
        fileName !== undefined,
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
