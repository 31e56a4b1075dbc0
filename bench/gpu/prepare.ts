/**
 * Bundles the benchmark's programs and runs them here, or gathers what has to be carried to a machine with a GPU and no
 * network: node, the programs, onnxruntime-node with the CUDA provider, sharp, the shipped checkpoint and the wheels of
 * diffusers. Usage: see bench/gpu.sh.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import * as esbuild from "esbuild";
import { installProvider } from "../../scripts/cuda.mjs";
import { messageOf } from "../../src/index.ts";
import { inRepository, ROOT } from "../../tools/paths.ts";
import { findPython } from "../sides/diffusers.ts";

const CACHE = inRepository(".cache", "gpu", "bench");
const PICTURE = inRepository("examples", "bluebird.png");
const CHECKPOINT = inRepository("checkpoints", "tiny");
/** What is no part of the bundle, because it brings machine code. */
const NATIVE = ["onnxruntime-node", "sharp"];
const LIBRARIES = "node_modules/onnxruntime-node/bin/napi-v6/linux/x64";

/** One file a program, with everything of src/ in it. */
async function bundle(folder: string): Promise<void> {
  await esbuild.build({
    entryPoints: [
      inRepository("bench", "gpu", "run.ts"),
      inRepository("bench", "full-size", "step-process.ts"),
    ],
    entryNames: "[name]",
    outdir: path.join(folder, "bundle"),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: NATIVE,
    sourcemap: "inline",
    logLevel: "warning",
    absWorkingDir: ROOT,
    // Packages of another module system ask for what is built in.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  // Where the version of this package is read from.
  await cp(inRepository("package.json"), path.join(folder, "package.json"));
}

/** Everything on this machine: `args` are those of run.ts. */
async function runHere(args: readonly string[]): Promise<void> {
  const home = path.join(CACHE, "here");
  await bundle(home);
  const isFolderGiven = args.includes("--folder");
  const folder = isFolderGiven ? undefined : await mkdtemp(path.join(tmpdir(), "retouch-gpu-"));
  try {
    const own = ["--repository", ROOT, "--checkpoint", CHECKPOINT, "--picture", PICTURE];
    const places = [...own, "--python", findPython(), ...(folder === undefined ? [] : ["--folder", folder])];
    const program = path.join(home, "bundle", "run.mjs");
    const done = spawnSync(process.execPath, [program, ...places, ...args], { stdio: "inherit" });
    process.exitCode = done.status ?? 1;
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** The packages that `names` need, themselves included, as they lie in node_modules. */
function packagesBelow(names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const wanted = [...names];
  while (wanted.length > 0) {
    const name = wanted.pop()!;
    const manifest = path.join(ROOT, "node_modules", name, "package.json");
    if (found.has(name)) continue;
    let needs: { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string> };
    try {
      needs = createRequire(import.meta.url)(manifest) as typeof needs;
    } catch {
      continue; // Built for another system, so it was not installed.
    }
    found.add(name);
    wanted.push(...Object.keys({ ...needs.dependencies, ...needs.optionalDependencies }));
  }
  return found;
}

async function gather({ wheel }: { wheel: string | undefined }): Promise<void> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("What is carried must be gathered on Linux on x64, as the machine with the GPU is.");
  }
  const cargo = path.join(CACHE, "cargo");
  await rm(cargo, { recursive: true, force: true });
  await bundle(cargo);
  // What downloads at installation is not needed: the files are here.
  const unneeded = new Set(["onnxruntime-node/script", "onnxruntime-node/bin"]);
  for (const name of packagesBelow(["onnxruntime-common", "sharp"])) await copyPackage(cargo, name);
  await copyPackage(cargo, "onnxruntime-node", (file) => !unneeded.has(file));
  await cp(inRepository(LIBRARIES), path.join(cargo, LIBRARIES), { recursive: true });
  await installProvider({ file: wheel, folder: path.join(cargo, LIBRARIES), say });
  await mkdir(path.join(cargo, "bin"));
  await cp(process.execPath, path.join(cargo, "bin", "node"));
  await cp(CHECKPOINT, path.join(cargo, "checkpoint"), { recursive: true });
  await cp(PICTURE, path.join(cargo, "picture.png"));
  const python = findPython();
  execFileSync(python, ["-m", "training.gpu", "prepare"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  await cp(inRepository(".cache", "gpu", "wheels"), path.join(cargo, "wheels"), { recursive: true });
  say("Compressing, which takes minutes");
  const script = inRepository("bench", "gpu", "cargo.py");
  execFileSync(python, [script, "pack", cargo, path.join(CACHE, "parts")], { stdio: "inherit" });
  await rm(cargo, { recursive: true, force: true });
  execFileSync(python, [inRepository("bench", "gpu", "plan.py"), "--plan"], { cwd: ROOT, stdio: "inherit" });
}

async function copyPackage(cargo: string, name: string, isWanted?: (file: string) => boolean): Promise<void> {
  const modules = path.join(ROOT, "node_modules");
  await cp(path.join(modules, name), path.join(cargo, "node_modules", name), {
    recursive: true,
    dereference: true,
    ...(isWanted && { filter: (from: string) => isWanted(path.relative(modules, from)) }),
  });
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

const [command, ...rest] = process.argv.slice(2);
try {
  if (command === "gather") {
    const { values } = parseArgs({ args: rest, options: { wheel: { type: "string" } } });
    await gather({ wheel: values.wheel });
  } else {
    await runHere(rest);
  }
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
