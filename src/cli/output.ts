/** Decides where a result goes and in which format, and writes it there. */
import path from "node:path";
import {
  type ImageSource,
  messageOf,
  type OutputFormat,
  type Receipt,
  RetouchError,
  checkWritable,
  writeFileAtomically,
} from "../index.ts";
import { invalid } from "../errors.ts";

/** Stands for standard output as the destination of the image. */
export const STDOUT = "-";

const FORMAT_OF_EXTENSION: Record<string, OutputFormat> = {
  ".png": "png",
  ".jpg": "jpeg",
  ".jpeg": "jpeg",
  ".jpe": "jpeg",
  ".webp": "webp",
  ".avif": "avif",
};
const EXTENSION: Record<OutputFormat, string> = {
  png: ".png",
  jpeg: ".jpg",
  webp: ".webp",
  avif: ".avif",
};

/**
 * Takes the format from `--format`, or else from the extension of `-o`, or else PNG.
 * @throws RetouchError INVALID_PARAMETER if the two contradict each other or the extension is neither
 * format's
 */
export function chooseFormat(file: string | undefined, format: OutputFormat | undefined): OutputFormat {
  const extension = file === undefined ? "" : path.extname(file).toLowerCase();
  const meant = FORMAT_OF_EXTENSION[extension];
  if (format !== undefined && meant !== undefined && format !== meant) {
    throw invalid("contradiction", { field: "format", given: format, other: "output", name: file! });
  }
  if (format === undefined && meant === undefined && extension !== "") {
    throw invalid("unclearFormat", { field: "output", given: file!, other: "format" });
  }
  return format ?? meant ?? "png";
}

/** Names the result after its source, in the current folder: `bird.jpg` becomes `bird.edited.png`; without a source, `drawn.png`. */
export function defaultOutput(source: ImageSource | undefined, format: OutputFormat): string {
  if (source === undefined) return `drawn${EXTENSION[format]}`;
  const name = source.path === undefined ? "edited" : `${path.parse(source.path).name}.edited`;
  return name + EXTENSION[format];
}

/**
 * Checks the destination of the result before the work begins.
 * @throws RetouchError OUTPUT_UNWRITABLE, or INVALID_PARAMETER for a terminal
 */
export async function checkOutput(output: string): Promise<void> {
  if (output !== STDOUT) return checkWritable(output);
  if (process.stdout.isTTY) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      "-o - would write the image to the terminal; redirect it to a file.",
    );
  }
}

/**
 * Checks where the map of a result goes: a PNG of its own.
 * @throws RetouchError OUTPUT_UNWRITABLE, INVALID_PARAMETER
 */
export async function checkMaskOutput(file: string, output: string): Promise<void> {
  checkMaskName(file, output);
  await checkWritable(file);
}

/** @throws RetouchError INVALID_PARAMETER for a file that cannot be a map of the result in `output` */
export function checkMaskName(file: string, output: string): void {
  if (path.extname(file).toLowerCase() !== ".png") {
    throw invalid("type", { field: "isMaskWanted", wanted: "a file whose name ends in .png" });
  }
  if (path.resolve(file) === path.resolve(output)) {
    throw invalid("type", { field: "isMaskWanted", wanted: "another file than the result's" });
  }
}

/** Checks where the receipt of a result goes. @throws RetouchError OUTPUT_UNWRITABLE, INVALID_PARAMETER */
export async function checkReceiptOutput(file: string, output: string): Promise<void> {
  if (path.extname(file).toLowerCase() !== ".json") {
    throw invalid("type", { field: "receipt", wanted: "a file whose name ends in .json" });
  }
  if (path.resolve(file) === path.resolve(output)) {
    throw invalid("type", { field: "receipt", wanted: "another file than the result's" });
  }
  await checkWritable(file);
}

/** A receipt as a file of its own. */
export const receiptFile = (receipt: Receipt | undefined): Uint8Array =>
  Buffer.from(`${JSON.stringify(receipt, undefined, 2)}\n`);

/** @throws RetouchError OUTPUT_UNWRITABLE */
export async function writeOutput(output: string, bytes: Uint8Array): Promise<void> {
  if (output !== STDOUT) return writeFileAtomically(output, bytes);
  const cause = await written(process.stdout, bytes);
  if (cause !== undefined) throw unwritable(cause);
}

/**
 * Prints a report; a reader that has gone away (`| head`) is no error.
 * @throws RetouchError OUTPUT_UNWRITABLE
 */
export async function printText(stream: NodeJS.WritableStream, text: string): Promise<void> {
  const cause = await written(stream, text);
  if (cause !== undefined && !("code" in cause && cause.code === "EPIPE")) throw unwritable(cause);
}

function written(stream: NodeJS.WritableStream, content: Uint8Array | string): Promise<Error | undefined> {
  return new Promise((resolve) => {
    stream.write(content, (cause) => resolve(cause ?? undefined));
  });
}

function unwritable(cause: Error): RetouchError {
  return new RetouchError("OUTPUT_UNWRITABLE", `Standard output cannot be written: ${messageOf(cause)}.`, {
    cause,
  });
}
