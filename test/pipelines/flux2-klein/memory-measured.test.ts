/** What klein's transformer and Qwen3 take in a process of their own, beside what the memory plan says. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { inRepository } from "../../../tools/paths.ts";

interface Measured {
  plannedBytes: number;
  measuredBytes: number;
  /** The planned part that only the run takes. */
  workingBytes: number;
}

async function measure(question: readonly (string | number)[]): Promise<Measured> {
  const program = inRepository("test", "support", "klein-memory.ts");
  const run = [inRepository("scripts", "run-ts.mjs"), program, ...question.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, run);
  return JSON.parse(stdout) as Measured;
}

describe("what is planned for a network of klein", () => {
  it.for([
    ["transformer", "fp32", 384, 512],
    // Four times the images' tokens: were attention not linear in memory, its scores would take 16 times as much.
    ["transformer", "fp32", 768, 512],
    ["transformer", "bf16", 384, 512],
    ["transformer", "int8", 384, 512],
    ["transformer", "int4", 384, 512],
    ["cached", "fp32", 768, 512],
    ["references", "fp32", 768, 512],
    ["qwen3", "fp32", 384, 512],
    // Longer than any text, where the run takes as much as the weights.
    ["qwen3", "fp32", 384, 1536],
    ["qwen3", "bf16", 384, 512],
    ["qwen3", "int8", 384, 512],
    ["qwen3", "int4", 384, 512],
  ] as const)(
    "is near what it takes: %s, %s, images of %i pixels, texts of %i tokens",
    { timeout: 300_000 },
    async (question, { skip }) => {
      skip(
        process.platform !== "linux",
        "another operating system: only Linux tells a process's peak memory",
      );
      const { plannedBytes, measuredBytes } = await measure(question);
      expect(measuredBytes / plannedBytes).toBeGreaterThan(0.75);
      expect(measuredBytes / plannedBytes).toBeLessThan(1.3);
    },
  );
});
