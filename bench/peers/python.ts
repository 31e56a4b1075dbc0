/**
 * The Python of the other sides, in a virtual environment of the benchmark's own, with pinned packages. An environment of
 * the repository that has these very packages already stands in for it.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRepository } from "../../tools/paths.ts";

/** An environment, and the file that its packages come from. */
export interface Environment {
  folder: string;
  requirements: string;
}

export const OWN: Environment = {
  folder: inRepository(".cache", "peers-python"),
  requirements: inRepository("bench", "peers", "requirements.txt"),
};
/** `scripts/python.mjs` makes it. */
export const SHARED: Environment = {
  folder: inRepository(".venv"),
  requirements: inRepository("scripts", "requirements.txt"),
};

const STAMP = "requirements.sha256";

/** @returns the interpreter of an environment with the benchmark's packages, which is made if there is none */
export function preparePython(say: (sentence: string) => void, own = OWN, shared = SHARED): string {
  if (isWhole(own)) return interpreterOf(own);
  if (isWhole(shared) && hasAll(shared, own)) return interpreterOf(shared);
  say("setting up Python, the first time");
  install(own);
  return interpreterOf(own);
}

/** Whether an environment has the packages of its file as it is now. */
function isWhole({ folder, requirements }: Environment): boolean {
  const stamp = path.join(folder, STAMP);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === digestOf(requirements);
}

/** Whether every pinned package of the one is pinned to the same version in the other. */
export function hasAll(environment: Environment, wanted: Environment): boolean {
  const pins = new Set(pinsOf(environment.requirements));
  return pinsOf(wanted.requirements).every((pin) => pins.has(pin));
}

const pinsOf = (file: string): string[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));

const digestOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

const interpreterOf = ({ folder }: Environment): string =>
  path.join(folder, ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]));

function install(environment: Environment): void {
  const { folder, requirements } = environment;
  const python = interpreterOf(environment);
  mkdirSync(path.dirname(folder), { recursive: true });
  run(process.env["PYTHON"] ?? "python3", ["-m", "venv", folder]);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  // PyTorch goes first and alone: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
  for (const torch of pinsOf(requirements).filter((pin) => pin.startsWith("torch=="))) {
    run(python, [...pip, torch]);
  }
  run(python, [...pip, "-r", requirements]);
  writeFileSync(path.join(folder, STAMP), digestOf(requirements));
}

/** What pip says goes to standard error, like all progress. */
function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ["ignore", 2, 2] });
}
