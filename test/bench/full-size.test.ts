/** The whole of `bench:12b` on a narrow network, but for stable-diffusion.cpp, which needs a compiler and ten minutes. */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { Goal } from "../../tools/goals.ts";
import { inRepository } from "../../tools/paths.ts";
import { withoutPython } from "../../tools/python.ts";
import { agreementOf, spreadOf } from "../../bench/full-size/agreement.ts";
import { parseOptions } from "../../bench/full-size/options.ts";
import { type KindReport, tableOf } from "../../bench/full-size/report.ts";
import { temporaryFolder } from "../support/temporary.ts";

interface Report {
  settings: { numHeads: number; target: number; reference: number; text: number };
  kinds: Record<"int8" | "int4", KindReport>;
  goals: Goal[];
}

it("evaluates a step, agrees with PyTorch and cleans up", async ({ skip }) => {
  skip(withoutPython("reference") !== undefined, withoutPython("reference"));
  const folder = await temporaryFolder();
  const script = inRepository("scripts", "run-ts.mjs");
  const args = ["--small", "--no-cpp", "--runs", "1", "--threads", "1", "--folder", folder];
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    inRepository("bench", "full-size.ts"),
    ...args,
  ]);
  const report = JSON.parse(stdout) as Report;
  expect(report.settings).toMatchObject({ numHeads: 2, target: 16, reference: 16, text: 24 });
  expect(Object.keys(report.kinds)).toEqual(["int8", "int4"]);
  for (const { text, step, blocks, sides } of Object.values(report.kinds)) {
    expect(text.promptEmbeds).toMatchObject({ isFinite: true });
    expect(text.promptEmbeds.standardDeviation).toBeGreaterThan(0.1);
    expect(step.velocity.isFinite).toBe(true);
    for (const { float32, quantized } of [blocks.double, blocks.single]) {
      expect(float32.maxError).toBeLessThan(1e-4);
      expect(quantized.decibels).toBeGreaterThan(28);
      // Inputs of 8 bits: equal numbers would mean that something else was compared.
      expect(quantized.decibels).toBeLessThan(60);
    }
    expect(Object.keys(sides)).toEqual([
      "Retouch, in few bits",
      "Retouch, float32",
      "PyTorch (diffusers), float32",
      "PyTorch (diffusers), bfloat16",
      expect.stringMatching(/^stable-diffusion\.cpp, q[48]_0$/) as string,
    ]);
    for (const side of Object.values(sides).slice(0, 4)) {
      expect(side).toMatchObject({
        seconds: expect.any(Number) as number,
        gflops: expect.any(Number) as number,
      });
    }
  }
  expect(report.goals.filter(({ value }) => value === null)).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
  expect(tableOf(report.kinds)).toContain("| one step | int8 | int4 |");
}, 300_000);

it("refuses weights that it does not know", () => {
  expect(() => parseOptions(["--weights", "int8,fp8"])).toThrow("--weights knows int8 and int4, not fp8.");
  expect(parseOptions(["--weights", "int4"])).toMatchObject({ kinds: ["int4"], config: { numHeads: 24 } });
});

it("measures agreement by the largest error and by power", () => {
  const reference = Float32Array.of(0, 4, -2, 0);
  expect(agreementOf(Float32Array.of(0, 4, -2, 0.2), reference)).toEqual({ maxError: 0.05, decibels: 26.99 });
  expect(agreementOf(reference, reference)).toEqual({ maxError: 0, decibels: null });
  expect(agreementOf(Float32Array.of(0, NaN, -2, 0), reference).maxError).toBeNaN();
  expect(spreadOf(Float32Array.of(1, 3))).toEqual({ isFinite: true, standardDeviation: 1 });
  expect(spreadOf(Float32Array.of(1, Infinity)).isFinite).toBe(false);
});
