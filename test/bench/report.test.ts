import { expect, it } from "vitest";
import type { Comparison } from "../../bench/compare.ts";
import { describeDenoise, holdAgainstGoals, type VariantReport } from "../../bench/report.ts";
import { summarize } from "../../tools/statistics.ts";

const side = {
  seconds: summarize([1]),
  secondsPerStep: summarize([0.02]),
  startSeconds: 1,
  loadSeconds: 0.5,
  peakBytes: null,
};
const comparison: Comparison = {
  retouch: side,
  diffusers: side,
  speedup: { edit: 1.5, denoise: 1.4 },
  memoryRatio: 0.7,
  psnr: null,
};
const failed: VariantReport = { variant: "compiled", description: "", error: "no compiler" };
const eager: VariantReport = { variant: "fp32", description: "", ...comparison };
const peak = { onnxruntime: 200, torch: 250 };

it("gives the loop's share of the higher peak", () => {
  // 4 GFLOP in 20 ms are 200 GFLOP/s.
  const denoise = describeDenoise([failed, eager], 4e9, peak);
  expect(denoise).toEqual({ flopsPerStep: 4e9, gflops: 200, peakGflops: peak, gemmShare: 0.8 });
});

it("judges the goals by eager float32", () => {
  const goals = holdAgainstGoals([failed, eager], 1.9, 0.8);
  expect(goals.map(({ isMet }) => isMet)).toEqual([true, true, false, true, true]);
});

it("leaves a goal open that was not measured", () => {
  expect(describeDenoise([failed], 4e9, peak)).toBeNull();
  const goals = holdAgainstGoals([failed], 2.1, null);
  expect(goals.map(({ isMet }) => isMet)).toEqual([null, null, null, false, null]);
});
