/** What follows from the measurements: the share of the machine's peak, and the goals. */
import type { Comparison } from "./compare.ts";
import type { GemmPeak } from "./gemm-peak.ts";
import { atLeast, atMost, type Goal } from "../tools/goals.ts";
import type { Variant } from "./sides/diffusers.ts";
import { rounded } from "../tools/statistics.ts";

/** A variant that could not run has an error instead of numbers. */
export type VariantReport = { variant: Variant; description: string } & (Comparison | { error: string });

export interface DenoiseReport {
  flopsPerStep: number;
  /** Billions of floating point operations per second in the loop. */
  gflops: number;
  /** The same for the fastest large matrix product of either runtime. */
  peakGflops: GemmPeak;
  /** `gflops` over the higher of the two peaks. */
  gemmShare: number;
}

/** @returns null where no comparison ran */
export function describeDenoise(
  reports: readonly VariantReport[],
  flopsPerStep: number,
  peakGflops: GemmPeak,
): DenoiseReport | null {
  const measured = reports.find((report) => "retouch" in report);
  if (!measured) return null;
  const gflops = flopsPerStep / measured.retouch.secondsPerStep.median / 1e9;
  const gemmShare = rounded(gflops / Math.max(peakGflops.onnxruntime, peakGflops.torch));
  return { flopsPerStep, gflops: rounded(gflops), peakGflops, gemmShare };
}

/** Compares what was measured with the project's aims for an idle machine. */
export function holdAgainstGoals(
  reports: readonly VariantReport[],
  coldStartSeconds: number,
  gemmShare: number | null,
): Goal[] {
  // Only eager float32 counts: Retouch computes in float32, and eager is what a user of diffusers gets.
  const found = reports.find(({ variant }) => variant === "fp32");
  const eager = found && "retouch" in found ? found : undefined;
  return [
    // Equal images have no decibels.
    atLeast("decibels between the results in float32", eager ? (eager.psnr ?? Infinity) : null, 50),
    atLeast("speed of an edit over diffusers in eager float32", eager?.speedup.edit ?? null, 1.3),
    atMost("peak memory over diffusers in eager float32", eager?.memoryRatio ?? null, 0.6),
    atMost("seconds from a cold start to the first step", coldStartSeconds, 2),
    atLeast("share of the peak of matrix products while denoising", gemmShare, 0.75),
  ];
}
