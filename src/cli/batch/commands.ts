/** `retouch batch`, and `retouch edit` with a folder for its results. */
import type { createEngine } from "../../index.ts";
import { invalid } from "../../errors.ts";
import { chooseFormat } from "../output.ts";
import { type EditFlags, requestParameters } from "../edit.ts";
import { COMMAND, JOB_LINE, wordedBy } from "../surfaces.ts";
import { entriesOfFile, entriesOfImages } from "./collect.ts";
import { type BatchFlags, runBatch } from "./run.ts";

interface Dependencies {
  open?: typeof createEngine | undefined;
}

/** Makes the edits of a file of JSON lines. @throws as {@link runBatch} */
export function runBatchFile(
  file: string,
  flags: BatchFlags,
  signal: AbortSignal,
  { open }: Dependencies = {},
): Promise<void> {
  return wordedBy(COMMAND, () =>
    runBatch({ flags, signal, open, surface: JOB_LINE, collect: (context) => entriesOfFile(file, context) }),
  );
}

/** Edits each image by itself, and each picture of the folders among them. @throws as {@link runBatch} */
export function runEditEach(
  images: readonly string[],
  prompt: string,
  flags: EditFlags & { output: string },
  signal: AbortSignal,
  { open }: Dependencies = {},
): Promise<void> {
  return wordedBy(COMMAND, () => {
    const format = chooseFormat(undefined, flags.format);
    const { numImages = 1, ...parameters } = requestParameters(prompt, format, flags);
    if (flags.maskOut !== undefined) {
      const reason = "it names one file, and a folder gets a result for each image";
      throw invalid("forbidden", { field: "isMaskWanted", given: flags.maskOut, reason });
    }
    if (flags.receipt !== undefined) {
      const reason = "it names one file, and each result has its receipt in itself";
      throw invalid("forbidden", { field: "receipt", given: flags.receipt, reason });
    }
    const { image: others = [], mask } = flags;
    const each = { parameters, numImages, others, pictures: mask === undefined ? {} : { mask } };
    return runBatch({
      flags,
      signal,
      open,
      surface: COMMAND,
      collect: (context) => entriesOfImages(images, each, context),
    });
  });
}
