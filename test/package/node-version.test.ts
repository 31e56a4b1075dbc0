/** `npm run test:node24` shows something only if all that it starts runs on Node 24. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { NODE_RELEASES } from "../../scripts/nodes.mjs";
import { root } from "../support/fixtures.ts";

const run = promisify(execFile);

it("runs the tests on the release that scripts/with-node.mjs was asked for", async () => {
  const expected = process.env["EXPECTED_NODE"] ?? process.version;
  expect(process.version).toBe(expected);
  // Processes that the service and the tests start, by the path of this one and by name.
  for (const node of [process.execPath, "node"])
    expect((await run(node, ["--version"])).stdout.trim(), node).toBe(expected);
});

it("runs a command and its children on another release, and ends as the command does", async ({ skip }) => {
  if (process.platform !== "linux" || process.arch !== "x64")
    skip("another operating system: the releases of Node are fetched for Linux on x64");
  const script = path.join(root, "scripts", "with-node.mjs");
  const child =
    "console.log(process.version); console.log(String(child_process.execSync(`node --version`))); process.exit(3)";
  const failed = run(process.execPath, [script, "24", "node", "-e", child]);
  await expect(failed).rejects.toMatchObject({
    code: 3,
    stdout: `v${NODE_RELEASES[24]}\nv${NODE_RELEASES[24]}\n\n`,
  });
  await expect(run(process.execPath, [script, "21", "node", "--version"])).rejects.toThrow("20, 22, 24");
});
