/** What came of the edits with acceleration, put together. */
import { medianOf } from "../../tools/statistics.ts";

/** One edit with one promise. */
export interface Run {
  /** To the picture of all steps in float32; null if they are equal. */
  psnr: number | null;
  /** What the result said; null if it said nothing. */
  estimatedPsnr: number | null;
  computedSteps: number;
  /** Time beside that of the edit with every step computed, in seconds and in seconds of the processor. */
  ratio: number;
  cpuRatio: number;
}

export interface Edit {
  /** What was measured: checkpoint and arithmetic. */
  key: string;
  id: number;
  kind: string;
  /** By what was promised. */
  runs: Record<string, Run>;
}

export interface Summary {
  minPsnr: number;
  edits: number;
  /** Of the edits, whose picture is at least as similar as promised. */
  keptShare: number;
  /** Of the edits, whose picture is at least as similar as the result said. */
  estimateKeptShare: number;
  leastPsnr: number;
  medianPsnr: number;
  meanComputedSteps: number;
  mostComputedSteps: number;
  /** Medians over the edits. */
  ratio: number;
  cpuRatio: number;
}

export function summaryOf(edits: readonly Edit[], minPsnr: number): Summary {
  const runs = edits.map((edit) => edit.runs[String(minPsnr)]!);
  const share = (isKept: (run: Run) => boolean): number => runs.filter(isKept).length / runs.length;
  const decibels = runs.map(({ psnr }) => psnr ?? Infinity);
  const steps = runs.map(({ computedSteps }) => computedSteps);
  return {
    minPsnr,
    edits: runs.length,
    keptShare: share(({ psnr }) => (psnr ?? Infinity) >= minPsnr),
    estimateKeptShare: share(({ psnr, estimatedPsnr }) => (psnr ?? Infinity) >= (estimatedPsnr ?? 0)),
    leastPsnr: Math.min(...decibels),
    medianPsnr: medianOf(decibels),
    meanComputedSteps: steps.reduce((sum, count) => sum + count, 0) / steps.length,
    mostComputedSteps: Math.max(...steps),
    ratio: medianOf(runs.map(({ ratio }) => ratio)),
    cpuRatio: medianOf(runs.map(({ cpuRatio }) => cpuRatio)),
  };
}

export function tableOf(summaries: readonly Summary[]): string {
  const rows = summaries.map((summary) =>
    [
      `${summary.minPsnr} dB`,
      `${(100 * summary.keptShare).toFixed(1)} %`,
      `${(100 * summary.estimateKeptShare).toFixed(1)} %`,
      `${summary.leastPsnr.toFixed(1)} dB`,
      `${summary.medianPsnr.toFixed(1)} dB`,
      summary.meanComputedSteps.toFixed(1),
      String(summary.mostComputedSteps),
      `${summary.ratio.toFixed(2)}x`,
      `${summary.cpuRatio.toFixed(2)}x`,
    ].join(" | "),
  );
  const head = [
    "min_psnr",
    "kept",
    "estimate kept",
    "least",
    "median",
    "steps (mean)",
    "most",
    "time",
    "CPU time",
  ];
  return `${[head.join(" | "), head.map(() => "---").join(" | "), ...rows].map((row) => `| ${row} |`).join("\n")}\n`;
}
