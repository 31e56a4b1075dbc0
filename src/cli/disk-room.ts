/** Whether results fit on the disk that they are written to, before any of them is drawn. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { failure, RetouchError } from "../errors.ts";
import { freeBytesFor } from "../files/free-bytes.ts";
import { uprightSize } from "../images/upright-size.ts";
import { fileBytesOf, noRoomText, type ResultFiles, type Size } from "../index.ts";
import { sizeText } from "../machine/size-text.ts";
import { STDOUT } from "./output.ts";

/** How an image's header has it; undefined where it cannot be read, of which the edit tells. */
export const sizeOfImage = (image: Uint8Array | undefined): Promise<Size | undefined> =>
  image === undefined ? Promise.resolve(undefined) : uprightSize(image).catch(() => undefined);

/**
 * @param output where the results are written; standard output and devices have no disk
 * @param image the first one of the edit
 * @throws RetouchError DISK_FULL
 */
export async function checkDiskRoom(
  output: string,
  wanted: ResultFiles,
  image: Uint8Array | undefined,
): Promise<void> {
  if (output === STDOUT || !(await isOnDisk(output))) return;
  const size = await sizeOfImage(image);
  if (image !== undefined && size === undefined) return;
  const free = await bytesLeft(path.dirname(output));
  const bytes = fileBytesOf(wanted, size);
  if (bytes > free) throw full(`${noRoomText(wanted, size, bytes)}: ${leftText(free)}.`);
}

/**
 * The same for all edits of a batch; like a server, it counts only what is large.
 * @param bytes what the results take beyond what every edit may
 * @throws RetouchError DISK_FULL
 */
export async function checkDiskRoomForAll(folder: string, count: number, bytes: number): Promise<void> {
  if (bytes === 0) return;
  const free = await bytesLeft(folder);
  if (bytes <= free) return;
  const what = count === 1 ? "the result that is left takes" : `the ${count} results that are left take`;
  throw full(`${what} about ${sizeText(bytes)}, for which there is no room: ${leftText(free)}.`);
}

/** A system that cannot tell refuses nobody: if nothing can be written, the write itself fails. */
const bytesLeft = (folder: string): Promise<number> => freeBytesFor(folder).catch(() => Infinity);

async function isOnDisk(output: string): Promise<boolean> {
  const found = await stat(output).catch(() => undefined);
  return found === undefined || found.isFile();
}

const leftText = (free: number): string => `its disk has ${sizeText(free)} left`;

const full = (sentence: string): RetouchError =>
  new RetouchError("DISK_FULL", failure("about", { field: "output", sentence }));
