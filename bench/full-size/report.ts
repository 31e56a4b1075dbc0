/** What the full-size benchmark reports, and what it should reach. */
import { atLeast, atMost, type Goal } from "../../tools/goals.ts";
import type { Agreement, Spread } from "./agreement.ts";
import type { Kind } from "./options.ts";
import type { StepAnswer } from "./step-process.ts";
import type { TextAnswer } from "./text-process.ts";

/** A time, and the operations per second that follow from it; both of the fastest run. */
export interface Speed {
  seconds: number;
  gflops: number;
}

/** One step of the whole network. */
export interface StepReport extends Omit<StepAnswer, "seconds">, Speed {
  /** Share of the machine's best product with such a matrix, at the network's width. */
  peakShare: number;
  velocity: Spread;
}

/** One text through T5. */
export interface TextReport extends TextAnswer {
  weightsBytes: number;
  writeSeconds: number;
}

/** A network with the first double block, the first single block, or both, beside PyTorch in float32. */
export interface BlockAgreements {
  float32: Agreement;
  quantized: Agreement;
}

/** The network with one block of each kind, on one side: embedders, modulation and output included. */
export type SideReport = (Speed & { peakBytes: number | null; agreement?: Agreement }) | { error: string };

export interface KindReport {
  weightsBytes: number;
  writeSeconds: number;
  peakGflops: number;
  text: TextReport;
  step: StepReport;
  blocks: { double: BlockAgreements; single: BlockAgreements };
  sides: Record<string, SideReport>;
}

const GIB = 2 ** 30;
const PEAK_BYTES = { int8: 16 * GIB, int4: 10 * GIB } as const;

export function goalsOf(kind: Kind, { text, step, blocks }: KindReport): Goal[] {
  const { standardDeviation, isFinite } = step.velocity;
  const goals = [
    atMost(`${kind}: peak memory of a text, bytes`, text.peakBytes, PEAK_BYTES[kind]),
    atMost(`${kind}: seconds to load T5`, text.loadSeconds, 60),
    atMost(`${kind}: peak memory of a step, bytes`, step.peakBytes, PEAK_BYTES[kind]),
    atMost(`${kind}: seconds to load`, step.modulation.loadSeconds + step.loadSeconds, 60),
    atLeast(`${kind}: standard deviation of the velocity`, isFinite ? standardDeviation : NaN, 0.1),
    atMost(`${kind}: standard deviation of the velocity`, isFinite ? standardDeviation : NaN, 10),
  ];
  for (const [name, { float32, quantized }] of Object.entries(blocks)) {
    goals.push(atMost(`first ${name} block in float32: largest error`, float32.maxError, 1e-3));
    if (kind !== "int8") continue;
    // Equal velocities have no decibels.
    goals.push(atLeast(`int8: first ${name} block, decibels`, quantized.decibels ?? Infinity, 30));
  }
  return goals;
}

/** The reports as the tables of `docs/benchmarks.md`. */
export function tableOf(kinds: Partial<Record<Kind, KindReport>>): string {
  const reports = Object.entries(kinds);
  const row = (name: string, cell: (report: KindReport) => string): string =>
    `| ${[name, ...reports.map(([, report]) => cell(report))].join(" | ")} |`;
  const header = (first: string): string[] => [
    `| ${[first, ...reports.map(([kind]) => kind)].join(" | ")} |`,
    `| --- | ${reports.map(() => "---:").join(" | ")} |`,
  ];
  const sides = new Set(reports.flatMap(([, report]) => Object.keys(report.sides)));
  return [
    ...header("one text through T5, 512 tokens"),
    row("weights, GB", ({ text }) => gigabytes(text.weightsBytes)),
    row("load, s", ({ text }) => text.loadSeconds.toFixed(1)),
    row("run, s", ({ text }) => text.seconds.toFixed(1)),
    row("peak memory, GB", ({ text }) => gigabytes(text.peakBytes)),
    "",
    ...header("one step"),
    row("weights, GB", ({ weightsBytes }) => gigabytes(weightsBytes)),
    row("load, s", ({ step }) => (step.modulation.loadSeconds + step.loadSeconds).toFixed(1)),
    row("peak memory, GB", ({ step }) => gigabytes(step.peakBytes)),
    row("of it private after the step, GB", ({ step }) => gigabytes(step.privateBytes)),
    row("a step, s", ({ step }) => step.seconds.toFixed(0)),
    row("GFLOP/s", ({ step }) => step.gflops.toFixed(0)),
    row("of the best product with such weights", ({ step }) => `${(100 * step.peakShare).toFixed(0)} %`),
    row("velocity's standard deviation", ({ step }) => step.velocity.standardDeviation.toFixed(2)),
    ...(["double", "single"] as const).flatMap((name) => [
      row(`first ${name} block, float32: error`, ({ blocks }) =>
        blocks[name].float32.maxError.toExponential(0),
      ),
      row(`first ${name} block, in few bits`, ({ blocks }) => `${blocks[name].quantized.decibels ?? "∞"} dB`),
    ]),
    "",
    ...header("one block of each kind, s (GFLOP/s)"),
    ...[...sides].map((side) => row(side, ({ sides: found }) => speedCell(found[side]))),
    "",
  ].join("\n");
}

function speedCell(side: SideReport | undefined): string {
  if (!side) return "";
  return "error" in side ? "failed" : `${side.seconds.toFixed(2)} (${side.gflops.toFixed(0)})`;
}

const gigabytes = (bytes: number | null): string => (bytes === null ? "?" : (bytes / 1e9).toFixed(1));
