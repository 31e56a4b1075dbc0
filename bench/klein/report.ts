/** What the parts of klein's benchmark report, and what they should reach. */
import { atLeast, atMost, type Goal } from "../../tools/goals.ts";
import type { Machine } from "../../tools/machine.ts";
import type { Kind } from "../full-size/options.ts";
import type { Agreement } from "../full-size/agreement.ts";
import { type BlockReport, type BlocksReport, ownSide } from "./blocks.ts";
import type { Run } from "./bench.ts";
import type { EditReport } from "./edits.ts";
import { MEMORY_AIMS, type Part } from "./options.ts";
import type { ProductsReport } from "./products.ts";

const EDIT_SECONDS = 360;
const LOAD_SECONDS = 20;
const SAVED_SECONDS = 20;
/** A step of the fastest other side over one of ours. */
const SPEEDUP = 1.3;

export type SideRun = Run | { error: string };

export interface PartReports {
  products: ProductsReport;
  blocks: BlocksReport;
  int8: EditReport;
  int4: EditReport;
  /** In bfloat16. */
  diffusers: Run;
  "cpp-int8": Record<string, SideRun>;
  "cpp-int4": Record<string, SideRun>;
}

/** When and on what a part ran; a part that could not run has an error instead of figures. */
export interface PartRecord<P extends Part = Part> {
  date: string;
  revision: string | null;
  /** Processes that wanted a core in the minute before. */
  loadAverage: number;
  report: PartReports[P] | { error: string };
}

export type Parts = { [P in Part]?: PartRecord<P> };

export function reportOf<P extends Part>(parts: Parts, name: P): PartReports[P] | undefined {
  const record = parts[name];
  return record === undefined || "error" in record.report ? undefined : (record.report as PartReports[P]);
}

export function goalsOf(parts: Parts, { instructionSets }: Pick<Machine, "instructionSets">): Goal[] {
  // The aims in seconds are for processors with AVX-512.
  const isTimed = instructionSets?.includes("avx512f") ?? false;
  const timed = (seconds: number | undefined): number | null => (isTimed ? (seconds ?? null) : null);
  const goals: Goal[] = [];
  for (const kind of ["int8", "int4"] as const) {
    const edit = reportOf(parts, kind);
    if (edit === undefined) continue;
    if (kind === "int8") goals.push(atMost("int8: seconds of an edit", timed(edit.seconds), EDIT_SECONDS));
    goals.push(atMost(`${kind}: peak memory, bytes`, edit.peakBytes, MEMORY_AIMS[kind]));
    for (const [name, seconds] of Object.entries(edit.loadSeconds)) {
      goals.push(atMost(`${kind}: seconds to load ${name}`, timed(seconds), LOAD_SECONDS));
    }
    const saved = timed(edit.seconds - edit.again.seconds);
    goals.push(atLeast(`${kind}: seconds that a second edit saves`, saved, SAVED_SECONDS));
    const fastest = fastestOther(parts, kind);
    const speedup = fastest === undefined ? undefined : fastest / edit.secondsPerStep;
    goals.push(atLeast(`${kind}: speed of a step over the fastest other side`, timed(speedup), SPEEDUP));
  }
  const blocks = reportOf(parts, "blocks");
  if (blocks === undefined) return goals;
  for (const name of ["double", "single", "text"] as const) {
    const [float32, int8] = [agreementIn(blocks[name], "float32"), agreementIn(blocks[name], "int8")];
    goals.push(atMost(`first ${name} block in float32: largest error`, float32.maxError, 1e-3));
    // Equal numbers have no decibels.
    goals.push(atLeast(`first ${name} block in int8: decibels`, int8.decibels ?? Infinity, 30));
  }
  return goals;
}

/** @throws Error where this side failed: without it there would be no report */
function agreementIn({ sides }: BlockReport, kind: "float32" | "int8" | "int4"): Agreement {
  const side = sides[ownSide(kind)]!;
  if ("error" in side) throw new Error(side.error);
  return side.agreement;
}

/** Seconds of a step of diffusers or of stable-diffusion.cpp with as many bits, whichever is faster. */
function fastestOther(parts: Parts, kind: Kind): number | undefined {
  const cpp = Object.values(reportOf(parts, `cpp-${kind}`) ?? {});
  const runs = [reportOf(parts, "diffusers"), ...cpp].flatMap((run) =>
    run === undefined || "error" in run ? [] : run.seconds,
  );
  return runs.length === 0 ? undefined : Math.min(...runs);
}

/** The parts as the tables of `docs/benchmarks.md`. */
export function tableOf(parts: Parts): string {
  return [...editTable(parts), ...sideTable(parts), ...blockTable(parts)].join("\n");
}

function editTable(parts: Parts): string[] {
  const edits = (["int8", "int4"] as const).map((kind) => reportOf(parts, kind));
  if (edits.every((edit) => edit === undefined)) return [];
  const row = (name: string, cell: (edit: EditReport) => string): string =>
    `| ${[name, ...edits.map((edit) => (edit ? cell(edit) : ""))].join(" | ")} |`;
  const networks = new Set(edits.flatMap((edit) => Object.keys(edit?.loadSeconds ?? {})));
  return [
    "| | int8 | int4 |",
    "| --- | ---: | ---: |",
    row("an edit, s", ({ seconds }) => seconds.toFixed(0)),
    row(
      "a step, s (GFLOP/s)",
      ({ secondsPerStep, gflops }) => `${secondsPerStep.toFixed(1)} (${gflops.toFixed(0)})`,
    ),
    row("a second edit, s", ({ again }) => again.seconds.toFixed(0)),
    row("peak memory, GB", ({ peakBytes }) => (peakBytes === null ? "?" : (peakBytes / 1e9).toFixed(1))),
    row("conversion, s", ({ convertSeconds }) => convertSeconds?.toFixed(0) ?? ""),
    ...[...networks].map((name) =>
      row(`load ${name}, s`, ({ loadSeconds }) => loadSeconds[name]!.toFixed(1)),
    ),
    "",
  ];
}

function sideTable(parts: Parts): string[] {
  const diffusers = reportOf(parts, "diffusers");
  const sides = {
    ...(diffusers && { "diffusers, bfloat16": diffusers }),
    ...reportOf(parts, "cpp-int8"),
    ...reportOf(parts, "cpp-int4"),
  };
  const rows = Object.entries(sides).map(([name, run]) =>
    "error" in run ? `| ${name} | failed |` : `| ${name} | ${Math.min(...run.seconds).toFixed(1)} |`,
  );
  return rows.length === 0 ? [] : ["| side | a step, s |", "| --- | ---: |", ...rows, ""];
}

function blockTable(parts: Parts): string[] {
  const blocks = reportOf(parts, "blocks");
  if (blocks === undefined) return [];
  const named = { "double block": blocks.double, "single block": blocks.single, "text layer": blocks.text };
  const decibels = (value: number | null): string => `${value?.toFixed(1) ?? "∞"} dB`;
  const rows = Object.entries(named).map(([name, block]) => {
    const [float32, int8, int4] = (["float32", "int8", "int4"] as const).map((kind) =>
      agreementIn(block, kind),
    ) as [Agreement, Agreement, Agreement];
    const cells = [float32.maxError.toExponential(0), decibels(int8.decibels), decibels(int4.decibels)];
    return `| first ${[name, ...cells].join(" | ")} |`;
  });
  const steps = Object.entries(blocks.secondsPerStep).map(
    ([side, seconds]) => `| ${side} | ${seconds.toFixed(1)} |`,
  );
  return [
    "| | float32: error | int8 | int4 |",
    "| --- | ---: | ---: | ---: |",
    ...rows,
    "",
    "| side | a step by its blocks, s |",
    "| --- | ---: |",
    ...steps,
    "",
  ];
}
