/** Programs run where nothing can be reached, to see what they would have looked up and which files they leave. */
import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface Caged {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Names that the resolver was asked for. */
  lookUps: string[];
  /** How often an address was to be reached that is not this machine's. */
  attempts: number;
  /** Everything below the user's folder and the one for temporary files, and what lies directly in the working folder. */
  files: string[];
}

export interface CageOptions {
  /** Variables beside PATH, HOME and TMPDIR; nothing of this process's environment gets in. */
  env?: Record<string, string> | undefined;
  /** @default an empty folder */
  cwd?: string | undefined;
}

/** Root needs no user of its own; anybody else becomes root of a namespace, where the system allows it. */
const WAYS = [["-mn"], ["-rmn"]];
const way = WAYS.find((flags) => spawnSync("unshare", [...flags, "true"]).status === 0);
export const cageMissing =
  process.platform !== "linux"
    ? "another operating system: only Linux has namespaces"
    : way === undefined
      ? "making a network namespace needs root, or user namespaces"
      : undefined;

const MAIN = fileURLToPath(new URL("./cage-main.mjs", import.meta.url));

/** Runs a program in an empty user's folder, and waits for its end. */
export async function inCage(command: readonly string[], options: CageOptions = {}): Promise<Caged> {
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), "retouch-test-"));
  try {
    const [home, temporary, work] = ["home", "tmp", "work"].map((name) => path.join(folder, name));
    for (const place of [home!, temporary!, work!]) await mkdir(place);
    const env = { PATH: process.env["PATH"], HOME: home, TMPDIR: temporary, ...options.env };
    const order = JSON.stringify({ cwd: options.cwd ?? work, env, command });
    const { stdout } = await promisify(execFile)("unshare", [...way!, process.execPath, MAIN, order], {
      maxBuffer: 2 ** 26,
    });
    const files: string[] = [];
    for (const name of ["home", "tmp", "work"]) {
      const below = await readdir(path.join(folder, name), { recursive: name !== "work" });
      files.push(...below.map((file) => `${name}/${file}`).toSorted());
    }
    return { ...(JSON.parse(stdout) as Omit<Caged, "files">), files };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
