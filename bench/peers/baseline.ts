/** The revision that this build is held against, cloned from this repository and built on first use in `.cache`. */
import { execFileSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { inRepository } from "../../tools/paths.ts";

/** Before the work on speed that these figures are about. */
export const BASELINE_REVISION = "c7b9aa8a3ff46a46806b0e93ed907045418b4571";

/** @returns its folder @throws Error where the history lacks it, or it cannot be installed */
export function buildBaseline(say: (sentence: string) => void): string {
  const folder = inRepository(".cache", `baseline-${BASELINE_REVISION.slice(0, 7)}`);
  if (existsSync(path.join(folder, "dist", "index.js"))) return folder;
  say(`building ${BASELINE_REVISION.slice(0, 7)}, the first time`);
  // It gets its name when it is complete.
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  const run = (command: string, args: readonly string[], cwd = partial): void => {
    execFileSync(command, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  };
  run(
    "git",
    ["clone", "--quiet", "--shared", "--no-checkout", inRepository("."), partial],
    inRepository("."),
  );
  run("git", ["checkout", "--quiet", "--detach", BASELINE_REVISION]);
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
  run("npm", ["run", "build"]);
  renameSync(partial, folder);
  return folder;
}
