/** The repository's own virtual environments, which scripts/python.mjs makes. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { inRepository } from "./paths.ts";

const IS_WINDOWS = process.platform === "win32";
/** Published clients and tools of the hub, apart from what fixtures, training and measurements need. */
const ENVIRONMENTS = {
  clients: { folder: ".venv-clients", maker: "npm run clients" },
  candidates: { folder: ".venv-candidates", maker: "npm run clients" },
  reference: { folder: ".venv", maker: "npm run test:reference" },
};
export type PythonEnvironment = keyof typeof ENVIRONMENTS;

/** Where a program of an environment lies, be it installed or not; the interpreter where none is named. */
export function pythonProgram(environment: PythonEnvironment, name = "python"): string {
  const { folder } = ENVIRONMENTS[environment];
  return inRepository(folder, IS_WINDOWS ? path.join("Scripts", `${name}.exe`) : path.join("bin", name));
}

/** Why an environment can't be used, or undefined if it can: one that is still being installed can't. */
export function withoutPython(environment: PythonEnvironment): string | undefined {
  const { folder, maker } = ENVIRONMENTS[environment];
  // scripts/python.mjs writes it last.
  const isWhole = existsSync(inRepository(folder, "requirements.sha256"));
  return isWhole ? undefined : `no whole ${folder} here; \`${maker}\` makes it`;
}

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
