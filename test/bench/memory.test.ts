import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { peakTreeBytes } from "../../bench/memory.ts";

const MEBIBYTE = 2 ** 20;
/** Starts itself once more, in the innermost process holds memory for a moment, and prints when it is free again. */
const program = `
  const [depth] = process.argv.slice(-1).map(Number);
  if (depth > 0) {
    const { spawn } = require("node:child_process");
    const args = ["-e", process.env.PROGRAM, String(depth - 1)];
    const child = spawn(process.execPath, args, { stdio: ["inherit", "inherit", "inherit"] });
  } else {
    require("node:buffer").Buffer.alloc(200 * ${MEBIBYTE}, 1);
    console.log("held");
    process.stdin.resume();
  }`;

it("sums the high-water marks of a process and its descendants", async ({ skip }) => {
  skip(process.platform !== "linux", "another operating system: only Linux tells a process's peak memory");
  const env = { ...process.env, PROGRAM: program };
  const child = spawn(process.execPath, ["-e", program, "1"], { env, stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const peak = peakTreeBytes(child.pid!)!;
  child.stdin.end();
  await once(child, "exit");
  // Two Node processes of some 40 MiB each, and what the inner one held.
  expect(peak).toBeGreaterThan(230 * MEBIBYTE);
  expect(peak).toBeLessThan(500 * MEBIBYTE);
});
