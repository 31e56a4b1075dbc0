/** Python for measurements. */
import { execFileSync } from "node:child_process";
import { inRepository } from "./paths.ts";

/** The interpreter of the repository's virtual environment, which is made if it is missing. */
export function findPython(): string {
  const script = inRepository("scripts", "python.mjs");
  const args = [script, "-c", "import sys; print(sys.executable)"];
  const printed = execFileSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return printed.trim().split("\n").at(-1)!;
}
