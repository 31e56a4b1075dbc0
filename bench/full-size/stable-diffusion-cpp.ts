/**
 * stable-diffusion.cpp from the sources in its Python package, fetched and built on first use into `.cache`.
 * Needs pip, cmake and a C++ compiler. Its own library is built with its own settings (Release, for this processor);
 * `flux_step.cpp` is linked to it.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { messageOf } from "../../src/index.ts";
import { inRepository } from "../../tools/paths.ts";

/** The version to compare with. */
export const PACKAGE = "stable_diffusion_cpp_python";
export const PACKAGE_VERSION = "0.4.7";

/** It changes the layout of its structures, so it must be set as its own build sets it. */
const NAME_LENGTH = "-DGGML_MAX_NAME=128";

/** The program `flux_step`, or why there is none: a machine may have no compiler, and the rest still counts. */
export function tryBuildFluxStep(python: string, say: (sentence: string) => void): string | Error {
  say("building stable-diffusion.cpp, the first time");
  try {
    return buildFluxStep(python);
  } catch (error) {
    say(`  failed: ${messageOf(error)}`);
    return new Error(messageOf(error));
  }
}

/** Builds what is not built yet. @returns the program `flux_step` */
function buildFluxStep(python: string): string {
  const folder = inRepository(".cache", `${PACKAGE}-${PACKAGE_VERSION}`);
  const program = path.join(folder, "flux_step");
  const cpp = inRepository("bench", "full-size", "flux_step.cpp");
  if (existsSync(program) && statSync(program).mtimeMs > statSync(cpp).mtimeMs) return program;
  mkdirSync(folder, { recursive: true });
  const source = path.join(folder, `${PACKAGE}-${PACKAGE_VERSION}`, "vendor", "stable-diffusion.cpp");
  if (!existsSync(source)) fetchSource(python, folder);
  const build = path.join(folder, "build");
  const includes = ["src", "include", "ggml/include", "thirdparty"].map(
    (part) => `-I${path.join(source, part)}`,
  );
  const libraries = [
    path.join(build, "libstable-diffusion.a"),
    ...["ggml", "ggml-cpu", "ggml-base"].map((name) => path.join(build, "ggml", "src", `lib${name}.a`)),
  ];
  // Its build has this repository's commit in it, so it would be made anew after each.
  if (!libraries.every((library) => existsSync(library))) {
    const settings = ["-DCMAKE_BUILD_TYPE=Release", "-DSD_BUILD_EXAMPLES=OFF", "-DSD_BUILD_SHARED_LIBS=OFF"];
    run("cmake", ["-S", source, "-B", build, ...settings]);
    run("cmake", ["--build", build, "--parallel", "2"]);
  }
  const group = ["-Wl,--start-group", ...libraries, "-Wl,--end-group"];
  const options = ["-std=c++17", "-O2", NAME_LENGTH, ...includes];
  run("c++", [...options, cpp, "-o", program, ...group, "-fopenmp", "-pthread", "-ldl"]);
  return program;
}

function fetchSource(python: string, folder: string): void {
  const wanted = `${PACKAGE}==${PACKAGE_VERSION}`;
  const options = ["--no-deps", "--no-binary", PACKAGE, "--quiet", "--dest", folder];
  run(python, ["-m", "pip", "download", ...options, wanted]);
  const archive = path.join(folder, `${PACKAGE}-${PACKAGE_VERSION}.tar.gz`);
  run("tar", ["-xzf", archive, "-C", folder]);
  rmSync(archive);
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], maxBuffer: 2 ** 28 });
}
