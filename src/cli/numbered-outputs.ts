/** Several results of one edit as files: NAME-1.png, NAME-2.png and so on, all of them or none, over no other file. */
import { rm } from "node:fs/promises";
import path from "node:path";
import { invalid } from "../errors.ts";
import { type FileIdentity, identityOf, isSame, writeNewFile } from "../files/write-new.ts";
import { systemErrorCode } from "../files/system-error.ts";
import { checkWritable, RetouchError } from "../index.ts";
import { STDOUT } from "./output.ts";

/**
 * The files of so many results: the one that was named, or several by its name; none where none was named.
 * @throws RetouchError INVALID_PARAMETER for several on standard output
 */
export function outputsOf(output: string | undefined, count: number): string[] {
  if (output === undefined) return [];
  return count === 1 ? [output] : numberedOutputs(output, count);
}

/** @throws RetouchError INVALID_PARAMETER for standard output, which takes one image */
export function numberedOutputs(output: string, count: number): string[] {
  if (output === STDOUT) {
    const reason = "standard output takes only one image";
    throw invalid("forbidden", { field: "numImages", given: count, reason });
  }
  const { dir, name, ext } = path.parse(output);
  return Array.from({ length: count }, (_, index) => path.join(dir, `${name}-${index + 1}${ext}`));
}

/**
 * Checks the destinations before the work begins.
 * @throws RetouchError OUTPUT_UNWRITABLE, also for a name that is taken
 */
export async function checkNumberedOutputs(outputs: readonly string[]): Promise<void> {
  for (const output of outputs) {
    await checkWritable(output);
    if (await isTaken(output)) throw taken(output);
  }
}

/** @throws RetouchError OUTPUT_UNWRITABLE; then none of them is there */
export async function writeNumberedOutputs(
  outputs: readonly string[],
  images: readonly Uint8Array[],
): Promise<void> {
  const written: { output: string; identity: FileIdentity }[] = [];
  try {
    for (const [index, output] of outputs.entries()) {
      const identity = await writeNewFile(output, images[index]!);
      if (identity === undefined) throw taken(output);
      written.push({ output, identity });
    }
  } catch (error) {
    for (const { output, identity } of written) await removeOwn(output, identity).catch(() => {});
    throw error;
  }
}

/** Unless it is another file by now. */
async function removeOwn(output: string, identity: FileIdentity): Promise<void> {
  const found = await identityOf(output);
  if (found !== undefined && isSame(found, identity)) await rm(output, { force: true });
}

async function isTaken(output: string): Promise<boolean> {
  try {
    return (await identityOf(output)) !== undefined;
  } catch (error) {
    if (systemErrorCode(error) === "ENOTDIR") return false;
    throw error;
  }
}

const taken = (output: string): RetouchError =>
  new RetouchError(
    "OUTPUT_UNWRITABLE",
    `${output} already exists, and several results never replace a file; choose another name with -o.`,
  );
