import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { inRepository } from "../../tools/paths.ts";

interface Measured {
  tokens: number;
  extraBytes: number;
  scoreBytes: number;
}

async function measure(...tokens: number[]): Promise<Measured[]> {
  const script = inRepository("scripts", "run-ts.mjs");
  const args = [script, inRepository("bench", "attention-memory.ts"), ...tokens.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Measured);
}

it("keeps the memory of attention linear in the number of tokens", async ({ skip }) => {
  skip(process.platform !== "linux", "another operating system: only Linux tells a process's peak memory");
  const measured = await measure(2048, 4096, 8192);
  const [at2048, at4096, at8192] = measured.map(({ extraBytes }) => extraBytes) as [number, number, number];
  // Twice the tokens add twice as much when memory is linear, four times as much when it is quadratic.
  expect((at8192 - at4096) / (at4096 - at2048)).toBeLessThan(3);
  // No moment holds every head's scores, nor those of one of the four heads.
  expect(at8192).toBeLessThan(measured[2]!.scoreBytes / 8);
});
