/** A disk that is soon full. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./temporary.ts";

/** A file system of some megabytes, or why there is none. */
export async function smallDisk(megabytes: number): Promise<string | { refused: string }> {
  const folder = path.join(await temporaryFolder(), "disk");
  mkdirSync(folder);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    return { refused: `a small disk cannot be mounted here: ${(error as Error).message.trim()}` };
  }
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  return folder;
}
