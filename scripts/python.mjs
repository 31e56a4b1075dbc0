// Runs Python in one of the repository's own virtual environments, which it creates on first use.
// Training, the reference fixtures and the tests with Python clients need Python; editing and serving never do.
// Usage: node scripts/python.mjs [--clients|--candidates] ARGUMENTS-OF-PYTHON...
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Folder and requirements by option; those of training and fixtures without one. */
const ENVIRONMENTS = {
  "--clients": [".venv-clients", "clients.txt"],
  "--candidates": [".venv-candidates", "candidates.txt"],
};
const chosen = ENVIRONMENTS[process.argv[2]];
const [place, list] = chosen ?? [".venv", "requirements.txt"];
const folder = path.join(root, place);
const python = path.join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const requirements = path.join(root, "scripts", list);

/** Switches off the telemetry of the libraries that the Python programs load or might load. */
const QUIET = { ORT_DISABLE_TELEMETRY: "1", HF_HUB_DISABLE_TELEMETRY: "1", DO_NOT_TRACK: "1" };

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...QUIET } });
  if (done.error) throw new Error(`Cannot run ${command}: ${done.error.message}`);
  if (done.status !== 0) process.exit(done.status ?? 1);
}

function prepare() {
  const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const stamp = path.join(folder, "requirements.sha256");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  if (!existsSync(python)) run(process.env.PYTHON ?? "python3", ["-m", "venv", folder]);
  // PyTorch goes first and alone: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
  const torch = readFileSync(requirements, "utf8").match(/^torch==\S+/m)?.[0];
  if (torch) run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", torch]);
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  writeFileSync(stamp, wanted);
}

prepare();
run(python, process.argv.slice(chosen ? 3 : 2));
