/** A small file system that can be filled: a tmpfs, which takes the rights of root. Linux only. */
import { execFile } from "node:child_process";
import { chmod, mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Disk {
  /** Where its files lie. */
  folder: string;
  /** Takes all the room that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  clear(): Promise<void>;
  unmount(): Promise<void>;
}

const CHUNK = Buffer.alloc(1024 * 1024, 1);
const BLOCK = 4096;

/** Why no file system can be mounted here; undefined where one can. */
export const diskMissing: string | undefined = await (async () => {
  if (process.platform !== "linux") return "another operating system: this one has no tmpfs";
  if (process.geteuid?.() !== 0) return "mounting a small file system takes the rights of root";
  return undefined;
})();

const mounted = new Set<string>();

/** @throws Error where the system refuses */
export async function mountDisk(folder: string, bytes: number): Promise<Disk> {
  await mkdir(folder, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0755`, "retouch-faults", folder]);
  mounted.add(folder);
  const ballast = path.join(folder, "ballast");
  return {
    folder,
    async fill() {
      const file = await open(ballast, "a");
      try {
        await chmod(ballast, 0o644);
        for (const chunk of [CHUNK, CHUNK.subarray(0, BLOCK)]) {
          for (;;) {
            const { bytesWritten } = await file.write(chunk);
            if (bytesWritten < chunk.length) break;
          }
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      } finally {
        await file.close();
      }
    },
    clear: () => rm(ballast, { force: true }),
    async unmount() {
      if (!mounted.delete(folder)) return;
      // Lazily: a program that is just being killed may still hold a file.
      await run("umount", ["--lazy", folder]);
    },
  };
}
