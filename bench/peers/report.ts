/** What follows from the comparison with other programs: the goals. */
import { atLeast, atMost, type Goal } from "../../tools/goals.ts";
import { rounded, type Summary } from "../../tools/statistics.ts";
import { VARIANTS } from "../sides/diffusers.ts";
import { BLOCK_SIDES, type BlocksReport } from "./blocks.ts";
import { COLD, type ColdReport, type EditsReport } from "./edits.ts";
import type { Clock, Part } from "./options.ts";
import type { ProductsReport } from "./products.ts";
import { BASELINE, EVERY_STEP, sideName } from "./own-sides.ts";
import { type EditSideReport, type EditSides, ratioOf } from "./turns.ts";

export interface PartReports {
  documented: EditsReport;
  native: EditsReport;
  cold: ColdReport;
  blocks: BlocksReport;
  products: ProductsReport;
}

/** A part as it was measured; one that could not run says why. */
export interface PartRecord<Report> {
  date: string;
  revision: string | null;
  settings: { runs: number; threads: number; clock: Clock };
  /** Processes that wanted a core in the last minute. */
  loadAverage: { before: number; after: number };
  report: Report | { error: string };
}
export type Parts = { [P in Part]?: PartRecord<PartReports[P]> };

export function reportOf<P extends Part>(parts: Parts, part: P): PartReports[P] | undefined {
  const report = parts[part]?.report;
  return report === undefined || isError(report) ? undefined : (report as PartReports[P]);
}

export const isError = (report: object): report is { error: string } => "error" in report;

/** @returns undefined for a side that did not run */
export function sideOf(sides: EditSides | undefined, name: string): EditSideReport | undefined {
  const side = sides?.[name];
  return side === undefined || "error" in side ? undefined : side;
}

export interface Named {
  name: string;
  side: EditSideReport;
}

/** The fastest of the sides with these names, by its median. */
export function fastestOf(sides: EditSides | undefined, names: readonly string[]): Named | undefined {
  const found = names.flatMap((name) => {
    const side = sideOf(sides, name);
    return side ? [{ name, side }] : [];
  });
  return found.toSorted((a, b) => a.side.seconds.median - b.side.seconds.median)[0];
}

export const ownNames = EVERY_STEP.map(sideName);
export const diffusersNames = Object.values(VARIANTS).map(({ description }) => `diffusers (${description})`);

export function goalsOf(parts: Parts): Goal[] {
  return [documentedGoal(parts), nativeGoal(parts), coldGoal(parts), ...blockGoals(parts)];
}

/** How often as fast one side is as another in the same round; null where either did not run. */
const speedup = (ours: Named | undefined, theirs: EditSideReport | undefined): number | null =>
  ours && theirs ? ratioOf(ours.side.seconds, theirs.seconds) : null;

function documentedGoal(parts: Parts): Goal {
  const sides = reportOf(parts, "documented")?.sides;
  const value = speedup(fastestOf(sides, ownNames), sideOf(sides, BASELINE));
  return atLeast("documented request, every step: speed over the revision before", value, 1.6);
}

function nativeGoal(parts: Parts): Goal {
  const sides = reportOf(parts, "native")?.sides;
  const value = speedup(fastestOf(sides, ownNames), fastestOf(sides, diffusersNames)?.side);
  return atLeast("native size: speed over the fastest diffusers", value, 1.5);
}

function coldGoal(parts: Parts): Goal {
  const seconds = reportOf(parts, "cold")?.seconds;
  const value = seconds ? ratioOf(seconds[BASELINE]!, seconds[COLD]!) : null;
  return atMost("first step of the command: time over that of the revision before", value, 0.6);
}

function blockGoals(parts: Parts): Goal[] {
  const report = reportOf(parts, "blocks");
  const over = (name: string): number | null => {
    const [ours, theirs] = [blockSeconds(report, BLOCK_SIDES.int8), blockSeconds(report, name)];
    return ours && theirs ? ratioOf(ours, theirs) : null;
  };
  return [
    atLeast("full width at int8: speed over stable-diffusion.cpp q8_0", over(BLOCK_SIDES.q8), 1.3),
    atLeast("full width at int8: speed over stable-diffusion.cpp q4_0", over(BLOCK_SIDES.q4), 1.3),
    atLeast("full width at int8: speed over PyTorch bf16", over(BLOCK_SIDES.torchBf16), 0.9),
    atLeast("full width at int8: share of the best MatMulInteger", peakShareOf(report), 0.6),
  ];
}

function blockSeconds(report: BlocksReport | undefined, name: string): Summary | undefined {
  const side = report?.sides[name];
  return side === undefined || "error" in side ? undefined : side.seconds;
}

/** Operations per second of both blocks in 8 bits over those of the best product of bytes in any round. */
export function peakShareOf(report: BlocksReport | undefined): number | null {
  const side = report?.sides[BLOCK_SIDES.int8];
  if (!report || side === undefined || "error" in side) return null;
  return rounded(side.gflops / report.peaks.matmulInteger.max);
}
