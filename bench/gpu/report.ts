/** What the stages found, in one document. */
import { rounded, summarize, type Summary } from "../../tools/statistics.ts";
import type { Traffic } from "../../src/runtime/session.ts";
import type { Agreement } from "../full-size/agreement.ts";
import type { ParitySide } from "./parity.ts";

/** The times of one way to compute a step; `seconds` leaves the first run out. */
export interface Timed {
  name: string;
  seconds: readonly number[];
  loadSeconds?: number | undefined;
  /** The most GPU memory in use meanwhile; null where it is not known. */
  gpuBytes: number | null;
  /** Agreement with PyTorch in float32. */
  agreement: Agreement | null;
  /** What travels to the device and back in a step; PyTorch's is not counted. */
  bytesPerStep?: Traffic | undefined;
}
export type Side = Timed | { name: string; error: string };

/** What the stages left in the folder of results. */
export interface Found {
  /** The device that Retouch computed on. */
  device: string;
  /** That of PyTorch; null for the processor. */
  gpu: string | null;
  /** TFLOP/s of PyTorch's fastest square product in bfloat16. */
  peakTflops: number;
  peakSide: number;
  flopsPerStep: number;
  sides: Side[];
}

export interface Report {
  device: string;
  gpu: string | null;
  peak: { what: string; tflops: number };
  teraflopsPerStep: number;
  parity: ParitySide[] | null;
  sides: (
    | { name: string; error: string }
    | (Omit<Timed, "seconds"> & {
        secondsPerStep: Summary;
        /** The documented request's 28 steps, at the median. */
        secondsPerEdit: number;
        tflops: number;
        peakShare: number;
      })
  )[];
  /** How many times as fast Retouch's fastest type is as PyTorch in bfloat16; null where either has no time. */
  speedup: number | null;
}

const STEPS = 28;

export function reportOf(found: Found, parity: ParitySide[] | null): Report {
  const { device, gpu, peakTflops, peakSide, flopsPerStep } = found;
  const sides = found.sides.map((side) => {
    if ("error" in side) return side;
    const { seconds, ...rest } = side;
    const secondsPerStep = summarize(seconds);
    const tflops = flopsPerStep / secondsPerStep.median / 1e12;
    return {
      ...rest,
      secondsPerStep,
      secondsPerEdit: rounded(STEPS * secondsPerStep.median),
      tflops: rounded(tflops),
      peakShare: rounded(tflops / peakTflops),
    };
  });
  const medians = (start: string): number[] =>
    sides.flatMap((side) =>
      "secondsPerStep" in side && side.name.startsWith(start) ? [side.secondsPerStep.median] : [],
    );
  const [ours, theirs] = [Math.min(...medians("Retouch")), Math.min(...medians("PyTorch"))];
  return {
    device,
    gpu,
    peak: {
      what: `the fastest of several bfloat16 products of ${peakSide}*${peakSide} matrices by PyTorch on ${gpu === null ? "the processor" : "this GPU"}`,
      tflops: rounded(peakTflops),
    },
    teraflopsPerStep: rounded(flopsPerStep / 1e12),
    parity,
    sides,
    speedup: Number.isFinite(theirs / ours) ? rounded(theirs / ours) : null,
  };
}
