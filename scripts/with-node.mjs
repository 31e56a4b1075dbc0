// Runs a command under another release of Node, its child processes included.
// Usage: node scripts/with-node.mjs 20|22|24 COMMAND [ARGUMENTS]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { fetchNode, NODE_RELEASES } from "./nodes.mjs";

const [line, command, ...rest] = process.argv.slice(2);
if (line === undefined || command === undefined)
  throw new Error("Usage: node scripts/with-node.mjs 20|22|24 COMMAND [ARGUMENTS]");

const commands = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));
const folders = [path.dirname(fetchNode(line)), commands, process.env.PATH];
const { status, signal, error } = spawnSync(command, rest, {
  stdio: "inherit",
  env: { ...process.env, PATH: folders.join(path.delimiter), EXPECTED_NODE: `v${NODE_RELEASES[line]}` },
});
if (error) throw error;
if (signal) process.kill(process.pid, signal);
process.exitCode = status ?? 1;
