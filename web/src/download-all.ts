/** Results in one file, each under the name that it has when it is downloaded by itself. */
import { zipSync } from "fflate";
import type { EditRecord } from "./history-store.ts";

/** How long the browser may take to read the file. */
const READ_MS = 60_000;

/** @throws if the browser has not enough memory for all of them */
export async function downloadAll(records: readonly EditRecord[]): Promise<void> {
  const files: Record<string, Uint8Array> = {};
  for (const record of records) {
    for (const { bytes, seed } of resultsOf(record)) {
      const name = nameOf(seed, record);
      // Two edits may have one seed.
      const taken = Object.keys(files).filter((one) => one.startsWith(name.stem)).length;
      const file = taken === 0 ? name.stem : `${name.stem}-${taken + 1}`;
      files[`${file}.${name.extension}`] = new Uint8Array(await bytes.arrayBuffer());
    }
  }
  // Images are compressed already.
  const zip = zipSync(files, { level: 0 });
  const address = URL.createObjectURL(
    new Blob([zip as Uint8Array<ArrayBuffer>], { type: "application/zip" }),
  );
  const link = document.createElement("a");
  link.href = address;
  link.download = "retouch.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), READ_MS);
}

function resultsOf({ result, results, output, parameters }: EditRecord): { bytes: Blob; seed: number }[] {
  if (results) return [...results];
  return result ? [{ bytes: result, seed: output?.seed ?? parameters.seed }] : [];
}

/** The name of a result's file. */
export function nameOf(
  seed: number | string,
  { parameters: { output_format: format } }: EditRecord,
): { stem: string; extension: string } {
  return { stem: `retouch-${seed}`, extension: format === "jpeg" ? "jpg" : format };
}
