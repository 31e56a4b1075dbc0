/** The comparison with other programs as the tables of `docs/benchmarks.md`. */
import type { Goal } from "../../tools/goals.ts";
import type { Summary } from "../../tools/statistics.ts";
import type { BlocksReport, Peaks } from "./blocks.ts";
import type { ProductsReport, WayReport } from "./products.ts";
import { BASELINE } from "./own-sides.ts";
import { diffusersNames, fastestOf, isError, type Parts, reportOf, sideOf } from "./report.ts";
import { type EditSideReport, type EditSides, ratioOf } from "./turns.ts";

export function tablesOf({ parts, goals }: { parts: Parts; goals: readonly Goal[] }): string {
  const documented = reportOf(parts, "documented")?.sides;
  const native = reportOf(parts, "native")?.sides;
  const cold = reportOf(parts, "cold")?.seconds;
  const blocks = reportOf(parts, "blocks");
  const products = reportOf(parts, "products");
  const fastest = fastestOf(native, diffusersNames);
  return [
    ...(documented
      ? editTable("the documented request", "before", documented, sideOf(documented, BASELINE))
      : []),
    ...(native ? editTable("128\\*128", "the fastest diffusers", native, fastest?.side) : []),
    ...(cold ? coldTable(cold) : []),
    ...(blocks ? [...blockTable(blocks), ...peakTable(blocks.peaks)] : []),
    ...(products ? productTable(products) : []),
    ...failures(parts),
    ...goalTable(goals),
  ].join("\n");
}

const row = (...cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const header = (first: string, ...others: readonly string[]): string[] => [
  row(first, ...others),
  row("---", ...others.map(() => "---:")),
];

/** @param other what the times are set beside, and its name in the head of a column */
function editTable(
  title: string,
  otherName: string,
  sides: EditSides,
  other: EditSideReport | undefined,
): string[] {
  const rows = Object.entries(sides).map(([name, side]) =>
    "error" in side
      ? row(name, "failed", "", "", "", "", "")
      : row(
          name,
          spread(side.seconds),
          other ? `${ratioOf(side.seconds, other.seconds).toFixed(2)}x` : "",
          side.secondsPerStep ? (1000 * side.secondsPerStep.median).toFixed(1) : "",
          side.startSeconds.toFixed(1),
          megabytes(side.peakBytes),
          side.psnr === null ? "" : `${side.psnr.toFixed(0)} dB`,
        ),
  );
  const columns = ["an edit, s", `${otherName} over it`, "a step, ms", "start, s", "peak", "agreement"];
  return [...header(title, ...columns), ...rows, ""];
}

function coldTable(seconds: Readonly<Record<string, Summary>>): string[] {
  const rows = Object.entries(seconds).map(([name, taken]) => row(name, spread(taken)));
  return [...header("the command, from its start", "first step, s"), ...rows, ""];
}

function blockTable({ sides, tokens }: BlocksReport): string[] {
  const rows = Object.entries(sides).map(([name, side]) =>
    "error" in side
      ? row(name, "failed", "", "", "")
      : row(
          name,
          spread(side.seconds),
          side.gflops.toFixed(0),
          megabytes(side.peakBytes),
          side.agreement?.decibels == null ? "" : `${side.agreement.decibels.toFixed(1)} dB`,
        ),
  );
  return [
    ...header(`a double and a single block, ${tokens} tokens`, "s", "GFLOP/s", "peak", "agreement"),
    ...rows,
    "",
  ];
}

const PEAKS: { readonly [Name in keyof Peaks]: string } = {
  gemm: "onnxruntime, float32",
  torchFp32: "PyTorch, float32",
  torchBf16: "PyTorch, bfloat16",
  matmulInteger: "onnxruntime, MatMulInteger U8S8",
};

function peakTable(peaks: Peaks): string[] {
  const rows = Object.entries(PEAKS).map(([name, title]) => {
    const peak = peaks[name as keyof Peaks];
    return row(title, "error" in peak ? "failed" : `${peak.max.toFixed(0)}`);
  });
  return [...header("the machine's best product of squares", "GFLOP/s"), ...rows, ""];
}

function productTable(products: ProductsReport): string[] {
  const shapes = Object.keys(products);
  const ways = Object.keys(products[shapes[0]!] ?? {});
  const cell = ({ gflops, speedup, decibels }: WayReport): string =>
    `${gflops.toFixed(0)} (${speedup.toFixed(2)}x)${decibels === null ? "" : `, ${decibels.toFixed(1)} dB`}`;
  const rows = ways.map((way) => row(way, ...shapes.map((shape) => cell(products[shape]![way]!))));
  return [...header("one thread, GFLOP/s", ...shapes), ...rows, ""];
}

function failures(parts: Parts): string[] {
  const failed = Object.entries(parts).flatMap(([part, { report }]) =>
    isError(report) ? [`- ${part} could not run: ${report.error.split("\n")[0]}`] : [],
  );
  return failed.length === 0 ? [] : [...failed, ""];
}

function goalTable(goals: readonly Goal[]): string[] {
  const rows = goals.map(({ goal, value, wanted, isMet }) =>
    row(
      goal,
      value === null ? "not measured" : value.toFixed(2),
      wanted,
      isMet === null ? "" : isMet ? "yes" : "**no**",
    ),
  );
  return [row("goal", "measured", "wanted", "met"), row("---", "---:", "---", "---"), ...rows, ""];
}

/** The median with the least and the most. */
const spread = ({ median, min, max }: Summary): string =>
  `${digits(median)} (${digits(min)} to ${digits(max)})`;
const digits = (seconds: number): string => seconds.toFixed(seconds < 10 ? 2 : 1);
const megabytes = (bytes: number | null): string => (bytes === null ? "?" : `${(bytes / 1e6).toFixed(0)} MB`);
