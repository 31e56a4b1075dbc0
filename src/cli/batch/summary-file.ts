/** Where the summary of a batch is: in its output folder, always whole, and never in the place of somebody else's file. */
import { lstat } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../../errors.ts";
import { nameStagedFile, stageFile } from "../../files/write-once.ts";
import { JOURNAL_FOLDER, SUMMARY } from "./output-name.ts";
import { type SummaryRow, summaryText } from "./summary.ts";

/** Time between two writings while the batch runs: a killed one leaves a summary that is at most so old. */
const EVERY_MS = 10_000;

/**
 * @param root the output folder
 * @param options.shown the folder in sentences
 * @param options.mayReplace whether a file of that name is the batch's own
 * @throws RetouchError INVALID_PARAMETER if it is not
 */
export async function summaryFile(
  root: string,
  { shown: folder, mayReplace }: { shown: string; mayReplace: boolean },
) {
  const file = path.join(root, SUMMARY);
  const shown = path.join(folder, SUMMARY);
  const isThere = await lstat(file).then(
    () => true,
    () => false,
  );
  if (isThere && !mayReplace) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `${shown} already exists, and was not made by a batch; --overwrite replaces it.`,
    );
  }
  const staged = path.join(root, JOURNAL_FOLDER, `${SUMMARY}.tmp`);
  let last = performance.now();
  async function write(rows: readonly SummaryRow[]): Promise<void> {
    await stageFile(staged, Buffer.from(summaryText(rows)));
    await nameStagedFile(staged, file, { isReplacing: true });
    last = performance.now();
  }
  return {
    /** As the user knows it. */
    shown,
    /** @throws RetouchError OUTPUT_UNWRITABLE */
    write,
    /** Writes unless it has just been written. */
    async writeSometimes(rows: readonly SummaryRow[]): Promise<void> {
      if (performance.now() - last > EVERY_MS) await write(rows);
    },
  };
}
