/** What putting an edit of 24 megapixels together takes in a process of its own. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { inRepository } from "../../tools/paths.ts";

it("an edit of 24 megapixels takes less than a gigabyte", { timeout: 300_000 }, async ({ skip }) => {
  skip(process.platform !== "linux", "another operating system: only Linux tells a process's peak memory");
  const program = inRepository("test", "support", "preserve-memory.ts");
  const run = [inRepository("scripts", "run-ts.mjs"), program, "6000", "4000"];
  const { stdout } = await promisify(execFile)(process.execPath, run);
  const { peakBytes } = JSON.parse(stdout) as { peakBytes: number };
  // More than the picture and its result: otherwise nothing was measured.
  expect(peakBytes).toBeGreaterThan(2 * 72e6);
  expect(peakBytes).toBeLessThan(1e9);
});
