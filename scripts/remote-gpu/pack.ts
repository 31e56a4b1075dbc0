/**
 * Gathers what a machine with a GPU and no network lacks for the GPU benchmark, and splits it into parts: node, the
 * programs, onnxruntime-node with the CUDA provider, sharp, the shipped checkpoint and the wheels of diffusers.
 * Usage: node scripts/run-ts.mjs scripts/remote-gpu/pack.ts [--wheel FILE] [--folder FOLDER] [--rehearsal]
 * A rehearsal is run here and downloads nothing: it leaves out the provider and the wheels.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/index.ts";
import { inRepository, ROOT } from "../../tools/paths.ts";
import { findPython } from "../../tools/python.ts";
import { installProvider } from "../cuda.mjs";
import { bundlePrograms } from "./programs.ts";

interface PackOptions {
  /** The provider's wheel, downloaded where it is undefined. */
  wheel: string | undefined;
  /** Where the bundle is gathered and its parts are left. */
  folder: string;
  isRehearsal: boolean;
}

const LIBRARIES = "node_modules/onnxruntime-node/bin/napi-v6/linux/x64";

/** The packages that `names` need, themselves included, that are in node_modules. */
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
      continue; // It is built for another system, so it was not installed.
    }
    found.add(name);
    wanted.push(...Object.keys({ ...needs.dependencies, ...needs.optionalDependencies }));
  }
  return found;
}

async function pack({ wheel, folder, isRehearsal }: PackOptions): Promise<void> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("The bundle must be made on Linux on x64, as the machine with the GPU is.");
  }
  const bundle = path.join(folder, "bundle");
  await rm(bundle, { recursive: true, force: true });
  await bundlePrograms(bundle);
  // What downloads at installation is not needed: the files are here.
  const unneeded = new Set(["onnxruntime-node/script", "onnxruntime-node/bin"]);
  for (const name of packagesBelow(["onnxruntime-common", "sharp"])) await copyPackage(bundle, name);
  await copyPackage(bundle, "onnxruntime-node", (file) => !unneeded.has(file));
  await cp(inRepository(LIBRARIES), path.join(bundle, LIBRARIES), { recursive: true });
  if (!isRehearsal) await installProvider({ file: wheel, folder: path.join(bundle, LIBRARIES), say });
  await mkdir(path.join(bundle, "bin"));
  await cp(process.execPath, path.join(bundle, "bin", "node"));
  await cp(inRepository("checkpoints", "tiny"), path.join(bundle, "checkpoint"), { recursive: true });
  await cp(inRepository("examples", "bluebird.png"), path.join(bundle, "picture.png"));
  const python = findPython();
  const inFolder = (name: string): string => inRepository("scripts", "remote-gpu", name);
  if (!isRehearsal) {
    execFileSync(python, [inFolder("wheels.py")], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
    await cp(inRepository(".cache", "gpu", "wheels"), path.join(bundle, "wheels"), { recursive: true });
  }
  say("Compressing, which takes minutes");
  const parts = path.join(folder, "parts");
  // What is not carried anywhere need not be small.
  const level = isRehearsal ? ["1"] : [];
  execFileSync(python, [inFolder("bundle.py"), "pack", bundle, parts, ...level], { stdio: "inherit" });
  await rm(bundle, { recursive: true, force: true });
  execFileSync(python, [inFolder("plan.py"), "bench", "--parts", parts], { cwd: ROOT, stdio: "inherit" });
}

async function copyPackage(
  bundle: string,
  name: string,
  isWanted?: (file: string) => boolean,
): Promise<void> {
  const modules = path.join(ROOT, "node_modules");
  await cp(path.join(modules, name), path.join(bundle, "node_modules", name), {
    recursive: true,
    dereference: true,
    ...(isWanted && { filter: (from: string) => isWanted(path.relative(modules, from)) }),
  });
}

function say(line: string): void {
  process.stderr.write(`pack: ${line}\n`);
}

try {
  const { values } = parseArgs({
    options: {
      wheel: { type: "string" },
      folder: { type: "string", default: inRepository(".cache", "gpu", "bench") },
      rehearsal: { type: "boolean", default: false },
    },
  });
  await pack({ wheel: values.wheel, folder: path.resolve(values.folder), isRehearsal: values.rehearsal });
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
