// Compiles src/ to dist/ and bundles web/ to dist/web/ when a source is newer than the last build. Node 20 does not run
// TypeScript, so every command of a checkout goes through here first; a published package has no src/ and skips it.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = path.join(root, "node_modules");

/** What is built from which sources, and the file that tells when. */
const PARTS = [
  {
    sources: ["src", "tsconfig.json", "tsconfig.build.json"],
    stamp: path.join(root, "dist", "index.js"),
    program: [path.join(modules, "typescript", "bin", "tsc"), "-p", "tsconfig.build.json"],
  },
  {
    sources: ["web"],
    stamp: path.join(root, "dist", "web", "index.html"),
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

/** Brings dist/ up to date; throws with the compiler's output when the sources do not compile. */
export function build({ force = false } = {}) {
  if (!existsSync(path.join(root, "src"))) return;
  if (force) rmSync(path.join(root, "dist"), { recursive: true, force: true });
  for (const { sources, stamp, program } of PARTS) {
    if (existsSync(stamp) && statSync(stamp).mtimeMs >= newest(sources)) continue;
    if (!existsSync(program[0])) throw new Error("The checkout has no compiler yet: run `npm ci` first.");
    const done = spawnSync(process.execPath, program, { cwd: root, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`The sources do not compile:\n${done.stdout}${done.stderr}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build({ force: process.argv.includes("--force") });
