// Compiles src/ to dist/ when a source is newer than the last build. Node 20 does not run TypeScript, so
// every command of a checkout goes through here first; a published package has no src/ and skips it.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = path.join(root, "dist", "index.js");

function newestSource() {
  const files = readdirSync(path.join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  files.push(path.join(root, "tsconfig.json"), path.join(root, "tsconfig.build.json"));
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

/** Brings dist/ up to date; throws with the compiler's output when the sources do not compile. */
export function build({ force = false } = {}) {
  if (!existsSync(path.join(root, "src"))) return;
  if (!force && existsSync(stamp) && statSync(stamp).mtimeMs >= newestSource()) return;
  if (force) rmSync(path.join(root, "dist"), { recursive: true, force: true });
  const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc");
  if (!existsSync(compiler)) throw new Error("The checkout has no compiler yet: run `npm ci` first.");
  const done = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
    cwd: root,
    encoding: "utf8",
  });
  if (done.status !== 0) throw new Error(`The sources do not compile:\n${done.stdout}${done.stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build({ force: process.argv.includes("--force") });
