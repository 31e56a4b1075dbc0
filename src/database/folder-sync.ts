/** Makes files outlast a power cut, for what is written outside of PostgreSQL. */
import fs from "node:fs";
import path from "node:path";

/** Files that are synced at the same time; Node has four threads for it. */
const AT_ONCE = 16;
/** What systems answer that cannot sync a folder. */
const NO_FOLDER_SYNC = new Set(["EACCES", "EBADF", "EINVAL", "EISDIR", "EPERM"]);

/** Syncs every file and folder in `folder`, and itself. */
export async function syncTree(folder: string): Promise<void> {
  const folders = [folder];
  const files: string[] = [];
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isDirectory()) folders.push(file);
    else if (entry.isFile()) files.push(file);
  }
  const work = files.values();
  // All iterate over the same files.
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const file of work) await syncFile(file);
    }),
  );
  for (const each of folders) syncFolder(each);
}

async function syncFile(file: string): Promise<void> {
  const descriptor = fs.openSync(file, "r+");
  try {
    await new Promise<void>((resolve, reject) =>
      fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error))),
    );
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Makes the names in `folder` last, where the system can. */
export function syncFolder(folder: string): void {
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(folder, "r");
    fs.fsyncSync(descriptor);
  } catch (error) {
    if (!isUnable(error)) throw error;
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** Whether an error says that this system cannot sync a folder; PostgreSQL ignores it, too. */
export function isUnable(error: unknown): boolean {
  return NO_FOLDER_SYNC.has((error as NodeJS.ErrnoException).code ?? "");
}
