// Compiles src/ to dist/, adds the CommonJS door dist/cjs/, and bundles web/ to dist/web/ when a source is newer than the
// last build. Node 20 does not run TypeScript, so every command of a checkout goes through here first; a published
// package has no src/ and skips it.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = path.join(root, "dist");
const modules = path.join(root, "node_modules");

/** What is built from which sources, and the file that tells when. */
const PARTS = [
  {
    sources: ["src", "scripts/build.mjs", "scripts/bundle.mjs", "tsconfig.json", "tsconfig.build.json"],
    stamp: path.join(dist, "index.js"),
    program: [path.join(modules, "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"],
    finish() {
      writeCommonJs();
      run([path.join(root, "scripts", "bundle.mjs")]);
    },
  },
  {
    sources: ["web"],
    stamp: path.join(dist, "web", "index.html"),
    program: [
      path.join(modules, "vite", "bin", "vite.js"),
      "build",
      "--config",
      "web/vite.config.ts",
      "--logLevel",
      "error",
    ],
  },
];

function newest(sources) {
  const files = sources.flatMap((source) => {
    const at = path.join(root, source);
    if (statSync(at).isFile()) return [at];
    return readdirSync(at, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  });
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

/** The declarations that `file` needs, itself first: what a program's compiler reads of this package. */
function declarationsFrom(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, specifier] of readFileSync(file, "utf8").matchAll(
    /(?:\bfrom |\bimport\()"(\.[^"]+)\.[jt]s"/g,
  )) {
    declarationsFrom(path.join(path.dirname(file), `${specifier}.d.ts`), found);
  }
  return found;
}

/**
 * Writes what `require("retouch")` gets. The code is the same modules, so that a program with both has one engine and one
 * `RetouchError`; the declarations are copies, because compilers before TypeScript 5.8 refuse those of an ES module here.
 */
function writeCommonJs() {
  const folder = path.join(dist, "cjs");
  for (const file of declarationsFrom(path.join(dist, "index.d.ts"))) {
    const copy = path.join(folder, path.relative(dist, file));
    mkdirSync(path.dirname(copy), { recursive: true });
    copyFileSync(file, copy);
  }
  writeFileSync(path.join(folder, "package.json"), '{ "type": "commonjs" }\n');
  writeFileSync(path.join(folder, "index.js"), 'module.exports = require("../index.js");\n');
}

function run(program) {
  const done = spawnSync(process.execPath, program, { cwd: root, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`The sources do not compile:\n${done.stdout}${done.stderr}`);
}

/** Brings dist/ up to date; throws with the compiler's output when the sources do not compile. */
export function build({ force = false } = {}) {
  if (!existsSync(path.join(root, "src"))) return;
  if (force) rmSync(dist, { recursive: true, force: true });
  for (const { sources, stamp, program, finish } of PARTS) {
    if (existsSync(stamp) && statSync(stamp).mtimeMs >= newest(sources)) continue;
    if (!existsSync(program[0])) throw new Error("The checkout has no compiler yet: run `npm ci` first.");
    run(program);
    finish?.();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build({ force: process.argv.includes("--force") });
