// `npm run test:reference`: compares the committed fixtures with what the reference gives; `--fuzz SEED N` compares drawn
// checkpoints and edits instead (`--fuzz --help`).
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import path from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [path.join("scripts", script), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

const args = process.argv.slice(2);
if (args[0] === "--fuzz") {
  run("run-ts.mjs", path.join("scripts", "reference", "drawn", "run.ts"), ...args.slice(1));
} else {
  run("python.mjs", path.join("scripts", "reference", "compare.py"), ...args);
  run("python.mjs", path.join("scripts", "reference", "check_card.py"));
}
