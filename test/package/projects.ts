/** Empty projects into which the packed package is installed, under the releases of Node and npm that users have. */
import { execFile, execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { fetchNode, fetchPackage, type NodeLine } from "../../scripts/nodes.mjs";
import { root } from "../support/fixtures.ts";

const run = promisify(execFile);
const cache = path.join(root, "node_modules", ".cache", "packages", "npm");

/** The npm of this machine, and the last one of the line that Node 20 and 22 bring. */
const npmFolder = (npm: "10" | "this"): string =>
  npm === "10"
    ? fetchPackage("npm", "10.9.9")
    : path.dirname(path.dirname(realpathSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim())));

/** npm's settings of whoever runs the tests stay, but for those that this repository or `npm test` has added. */
const ownEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) || /^npm_config_(?:registry|.*proxy|cafile)$/i.test(name),
  ),
);

/** Installs from npm's cache, and gets into it what it lacks. */
export const FILLING = { npm_config_prefer_offline: "true" };
/** Installs from npm's cache alone. */
export const OFFLINE = { npm_config_offline: "true" };

export interface Project {
  folder: string;
  /** The `node` that everything in the project runs with. */
  node: string;
  /** What a shell in the project prints, both streams; throws with it when the command fails. */
  shell(command: string, settings?: Record<string, string>): Promise<string>;
  run(file: string, parameters: readonly string[]): Promise<{ stdout: string; stderr: string }>;
  /** Starts the installed command. */
  start(parameters: readonly string[], settings: Record<string, string>): ChildProcess;
  /** One entry for each call of CUDA's compiler. */
  nvccCalls(): string[];
  remove(): Promise<void>;
}

/** An empty project with `tarball` in it; `nvcc`, `node`, `npm` and `npx` are the first on its path. */
export async function createProject(line: NodeLine, npm: "10" | "this", tarball: string): Promise<Project> {
  const base = await mkdtemp(path.join(tmpdir(), "retouch-package-"));
  const folder = path.join(base, "project");
  const commands = path.join(base, "commands");
  const calls = path.join(base, "calls");
  for (const each of [folder, commands, calls]) await mkdir(each);
  const node = fetchNode(line);
  const script = (name: string, text: string): void => {
    writeFileSync(path.join(commands, name), `#!/bin/sh\n${text}\n`);
    chmodSync(path.join(commands, name), 0o755);
  };
  script(
    "nvcc",
    `mktemp "${calls}/XXXXXX" >/dev/null; echo "Cuda compilation tools, release 12.4, V12.4.131"`,
  );
  script("npm", `exec "${node}" "${npmFolder(npm)}/bin/npm-cli.js" "$@"`);
  script("npx", `exec "${node}" "${npmFolder(npm)}/bin/npx-cli.js" "$@"`);
  await copyFile(tarball, path.join(folder, path.basename(tarball)));

  const env = {
    ...ownEnvironment,
    PATH: [commands, path.dirname(node), process.env["PATH"]].join(path.delimiter),
    npm_config_cache: cache,
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
  };
  const maxBuffer = 2 ** 26;
  return {
    folder,
    node,
    shell: async (command, settings = {}) => {
      const { stdout } = await run("sh", ["-c", `(${command}) 2>&1`], {
        cwd: folder,
        env: { ...env, ...settings },
        maxBuffer,
      });
      return stdout;
    },
    run: (file, parameters) => run(file, parameters, { cwd: folder, env, maxBuffer }),
    start: (parameters, settings) =>
      spawn(path.join(folder, "node_modules", ".bin", "retouch"), parameters, {
        cwd: folder,
        env: { ...env, ...settings },
        stdio: ["ignore", "ignore", "pipe"],
      }),
    nvccCalls: () => readdirSync(calls),
    remove: () => rm(base, { recursive: true, force: true }),
  };
}

/** Packs the build as `npm pack` does by itself. */
export async function pack(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-pack-"));
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: root });
  return path.join(folder, stdout.trim());
}

/**
 * Gets into npm's cache the descriptions of packages that this machine's npm asks for, where they are not there yet.
 * @returns why nothing can be installed here, if that is so
 */
export async function describePackages(tarball: string, line: string): Promise<string | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "another operating system: the releases of Node are fetched for Linux on x64";
  mkdirSync(cache, { recursive: true });
  try {
    const project = await createProject(24, "this", tarball);
    await project.shell(`${line} --package-lock-only`, FILLING);
    await project.remove();
    return undefined;
  } catch (error) {
    const { stdout = "", message } = error as Error & { stdout?: string };
    if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH/.test(stdout + message))
      throw error;
    return "the registry of npm cannot be reached";
  }
}
