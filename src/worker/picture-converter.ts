/** Has images that browsers cannot show turned into PNG files, in a process of its own, one at a time. */
import { RetouchError } from "../errors.ts";
import type { NoAnswer } from "./answer-parent.ts";
import { createAskedProcess } from "./asked-process.ts";

/** What the process is told. */
export interface PictureOrder {
  bytes: Uint8Array;
  maxPixels: number;
}

export type PictureAnswer = { kind: "converted"; bytes: Uint8Array } | NoAnswer;

export interface PictureConverter {
  /**
   * The image upright as a PNG file, with its transparency, its bits and its colour space.
   * @returns undefined if too many others wait
   * @throws RetouchError IMAGE_INVALID, IMAGE_UNSUPPORTED, IMAGE_TOO_LARGE; RUNTIME_FAILED where the process gives no answer
   */
  convert(bytes: Uint8Array): Promise<Uint8Array | undefined>;
  /** Ends the process. */
  close(): void;
}

export interface PictureConverterOptions {
  /** Most pixels of a picture. */
  maxPixels: number;
  /** The process's compiled file. */
  entry?: URL | undefined;
  /** How long one picture may take once the process is there. @default 30,000 */
  convertMs?: number | undefined;
}

export function createPictureConverter({
  maxPixels,
  entry = new URL("./picture-process.js", import.meta.url),
  convertMs: answerMs = 30_000,
}: PictureConverterOptions): PictureConverter {
  const asked = createAskedProcess<PictureOrder, PictureAnswer>({ entry, answerMs });
  return {
    async convert(bytes) {
      const answer = await asked.ask({ bytes, maxPixels });
      if (answer === "busy") return undefined;
      if (typeof answer === "string") {
        throw new RetouchError("RUNTIME_FAILED", `The image could not be converted (${answer}).`);
      }
      if (answer.kind === "failed") throw new RetouchError("RUNTIME_FAILED", answer.reason);
      if (answer.kind === "converted") return answer.bytes;
      const { code, kind, values } = answer.record;
      throw new RetouchError(code, { kind, values });
    },
    close: asked.close,
  };
}
