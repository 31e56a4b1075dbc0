/** What each network takes in a process of its own, beside what the memory plan says. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it, type TestContext } from "vitest";
import { inRepository } from "../../tools/paths.ts";

type Question = readonly [checkpoint: string, network: string, kind: string, side: number];
type Measured = Record<"plannedBytes" | "measuredBytes", number>;

/** What one network is planned to take, and what it takes in a process of its own. */
async function measure({ skip }: Pick<TestContext, "skip">, ...question: Question): Promise<Measured> {
  skip(process.platform !== "linux", "another operating system: only Linux tells a process's peak memory");
  const script = inRepository("bench", "network-memory.ts");
  const run = [inRepository("scripts", "run-ts.mjs"), script, ...question.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, run);
  return JSON.parse(stdout) as Measured;
}

function expectNear({ plannedBytes, measuredBytes }: Measured): void {
  expect(measuredBytes / plannedBytes).toBeGreaterThan(0.8);
  expect(measuredBytes / plannedBytes).toBeLessThan(1.3);
}

describe("what is planned for a network", () => {
  it.for([
    ["tiny", "transformer", "fp32", 384],
    // Seven times the tokens: were attention not linear in memory, its scores would take 49 times as much.
    ["tiny", "transformer", "fp32", 1024],
    ["wide", "transformer", "fp32", 384],
    ["wide", "transformer", "bf16", 384],
    ["wide", "transformer", "int8", 384],
    ["wide", "transformer", "int4", 384],
    ["wide", "t5", "fp32", 384],
    ["wide", "t5", "int8", 384],
    ["wide", "t5", "int4", 384],
    ["wide", "encoder", "fp32", 384],
    ["wide", "decoder", "fp32", 384],
  ] as const)(
    "is near what it takes: %s %s, %s, %i pixels",
    { timeout: 300_000 },
    async ([checkpoint, network, kind, side], context) => {
      expectNear(await measure(context, checkpoint, network, kind, side));
    },
  );

  // The runtime would widen the one when it is loaded, into memory of the process, but not the other.
  it(
    "is near what it takes, and the same for both kinds of 16 bits: they stay in their file",
    { timeout: 300_000 },
    async (context) => {
      const [fp16, bf16] = [
        await measure(context, "wide", "t5", "fp16", 384),
        await measure(context, "wide", "t5", "bf16", 384),
      ];
      for (const measured of [fp16, bf16]) expectNear(measured);
      expect(fp16.plannedBytes).toBe(bf16.plannedBytes);
      expect(fp16.measuredBytes / bf16.measuredBytes).toBeLessThan(1.08);
    },
  );
});
