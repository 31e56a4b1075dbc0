/** Where the tool's results go: into the root, overwriting nothing that this server did not write. */
import { lstat, rm } from "node:fs/promises";
import path from "node:path";
import { invalid } from "../errors.ts";
import { checkWritable, type ResultFiles, RetouchError, writeFileAtomically } from "../index.ts";
import { type FileIdentity, identityOf, isSame, replaceKnownFile, writeNewFile } from "../files/write-new.ts";
import { ifNothingThere } from "../files/system-error.ts";
import { unwritable } from "../files/write-atomically.ts";
import { checkDiskRoom } from "./disk-room.ts";
import { refuseSpecial, type RootFolder } from "./root-folder.ts";

export interface ToolOutput {
  /**
   * Checks a destination before the work begins.
   * @param isChosen whether a call named it; if not, a free name is found when it is taken
   * @throws RetouchError INVALID_PARAMETER, OUTPUT_UNWRITABLE
   */
  check(given: string, isChosen: boolean, field?: OutputField): Promise<void>;
  /** Checks that the results fit on the disk. @param image the first one of the edit @throws RetouchError DISK_FULL */
  checkRoom(given: string, wanted: ResultFiles, image: Uint8Array | undefined): Promise<void>;
  /** Writes a result. @returns its path @throws as `check` */
  write(given: string, isChosen: boolean, bytes: Uint8Array, field?: OutputField): Promise<string>;
  /** Writes several; if one fails, those that are new are removed again. @returns their paths @throws as `check` */
  writeAll(
    given: readonly string[],
    isChosen: boolean,
    images: readonly Uint8Array[],
    field?: OutputField,
  ): Promise<string[]>;
}

/** The argument that names a file to write. @default "output" */
type OutputField = "output" | "isMaskWanted";

/** @param options.isOverwriting whether a call may replace any file of the root */
export function createToolOutput(
  root: RootFolder,
  { isOverwriting }: { isOverwriting: boolean },
): ToolOutput {
  /** What this server wrote, as it was then, by real path. */
  const made = new Map<string, FileIdentity>();

  async function placeOf(given: string, field: OutputField): Promise<string> {
    if (given === "-") throw invalid("forbidden", { field, given: "-", reason: "it is this connection" });
    try {
      const file = await root.locate(field, given);
      const found = await lstat(file).catch(ifNothingThere);
      if (found !== undefined) refuseSpecial(field, found);
      // A name that ends in a slash means a folder, even if there is none.
      if (/[/\\]$/.test(given)) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
      return file;
    } catch (error) {
      throw error instanceof RetouchError ? error : unwritable(given, error);
    }
  }

  async function writeOwn(file: string, bytes: Uint8Array): Promise<boolean> {
    const known = made.get(file);
    const identity = await (known === undefined
      ? writeNewFile(file, bytes)
      : replaceKnownFile(file, known, bytes));
    if (identity !== undefined) made.set(file, identity);
    return identity !== undefined;
  }

  async function removeNew(file: string, before: FileIdentity | undefined): Promise<void> {
    const [found, known] = [await identityOf(file), made.get(file)];
    if (before !== undefined || found === undefined || known === undefined || !isSame(found, known)) return;
    made.delete(file);
    await rm(file, { force: true });
  }

  const output: ToolOutput = {
    async check(given, isChosen, field = "output") {
      const file = await placeOf(given, field);
      if (isChosen && !isOverwriting) {
        const [found, known] = [await identityOf(file).catch(ifNothingThere), made.get(file)];
        if (found !== undefined && !(known !== undefined && isSame(found, known))) throw taken(given, field);
      }
      await checkWritable(file);
    },
    async checkRoom(given, wanted, image) {
      await checkDiskRoom(await placeOf(given, "output"), wanted, image);
    },
    async write(given, isChosen, bytes, field = "output") {
      // Checked again, since the edit took time.
      const file = await placeOf(given, field);
      if (!isChosen) {
        for (const free of namesBeside(file)) {
          const identity = await writeNewFile(free, bytes);
          if (identity === undefined) continue;
          made.set(free, identity);
          return free;
        }
      }
      if (isOverwriting) await writeFileAtomically(file, bytes);
      else if (!(await writeOwn(file, bytes))) throw taken(given, field);
      return file;
    },
    async writeAll(given, isChosen, images, field = "output") {
      const written: { file: string; before: FileIdentity | undefined }[] = [];
      try {
        for (const [index, name] of given.entries()) {
          const before = isChosen
            ? await identityOf(await placeOf(name, field)).catch(ifNothingThere)
            : undefined;
          written.push({ file: await output.write(name, isChosen, images[index]!, field), before });
        }
      } catch (error) {
        for (const { file, before } of written) await removeNew(file, before).catch(() => {});
        throw error;
      }
      return written.map(({ file }) => file);
    },
  };
  return output;
}

/** Names to try (NAME.png, NAME-2.png and so on): a model that edits again wants to keep the last result. */
function* namesBeside(file: string): Generator<string> {
  const { dir, name, ext } = path.parse(file);
  yield file;
  for (let count = 2; ; count += 1) yield path.join(dir, `${name}-${count}${ext}`);
}

const taken = (given: string, field: OutputField): RetouchError => invalid("taken", { field, given });
