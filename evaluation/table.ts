/** The report as tables. */
import type { Evaluation } from "./evaluate.ts";
import type { Summary } from "./report.ts";

/** A title, and the cell of a row below it. */
type Column<Row> = readonly [string, (row: Row) => string];

const NONE = "-";
const fixed = (value: number | null, digits: number): string => value?.toFixed(digits) ?? NONE;
const decibels = (value: number | null): string => fixed(value, 1);
const percent = (share: number | null): string => (share === null ? NONE : `${(100 * share).toFixed(1)} %`);

const QUALITY: readonly Column<Summary>[] = [
  ["scenes", ({ count }) => String(count)],
  ["followed", ({ followed }) => percent(followed)],
  ["kept dB", ({ kept }) => decibels(kept)],
  ["changed dB", ({ changed }) => decibels(changed)],
  ["margin", ({ margin }) => fixed(margin, 2)],
];

export function renderTables(evaluation: Evaluation): string {
  const { guidance, guidanceTests, steps, drift, goals } = evaluation;
  const sections = [
    titleOf(evaluation),
    kindsOf(evaluation),
    linesOf(evaluation),
    table(guidance, [
      ["guidance", (row) => String(row.guidance)],
      ...QUALITY,
      ["change", ({ change }) => fixed(change, 1)],
    ]),
    table(guidanceTests, [
      ["rises with guidance", ({ measure }) => measure],
      ["from", ({ from }) => String(from)],
      ["to", ({ to }) => String(to)],
      ["pairs", ({ count }) => String(count)],
      ["by", ({ meanDifference }) => fixed(meanDifference, 2)],
      ["p", ({ p }) => p?.toPrecision(2) ?? NONE],
    ]),
    table(steps, [
      ["steps", (row) => String(row.steps)],
      ...QUALITY,
      ["seconds", ({ seconds }) => fixed(seconds, 2)],
    ]),
    table(drift, [
      ["edits in a row", ({ edits }) => String(edits)],
      ["chains", ({ count }) => String(count)],
      ["dB to the truth", (row) => decibels(row.decibels)],
      ["kept dB", ({ kept }) => decibels(kept)],
      ["distance", ({ distance }) => fixed(distance, 1)],
    ]),
    table(goals, [
      ["goal", ({ goal }) => goal],
      ["value", ({ value }) => value?.toString() ?? NONE],
      ["wanted", ({ wanted }) => wanted],
      ["met", ({ isMet }) => (isMet === null ? NONE : isMet ? "yes" : "no")],
    ]),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function titleOf({ checkpoint, set, settings }: Evaluation): string {
  const name = `${checkpoint.folder} (${checkpoint.digest.slice(0, 12)})`;
  return `${name}, ${set.scenes} scenes, ${settings.numSteps} steps, guidance ${settings.guidance}`;
}

function kindsOf({ kinds, overall }: Evaluation): string {
  if (!kinds || !overall) return "";
  const rows = [...Object.entries(kinds), ["all", overall] as const];
  const columns = QUALITY.map(([title, cellOf]): Column<(typeof rows)[number]> => {
    return [title, ([, summary]) => cellOf(summary)];
  });
  return table(rows, [["kind", ([kind]) => kind], ...columns]);
}

function linesOf({ baselines: { nothing, shuffled }, autoencoder }: Evaluation): string {
  const lines: string[] = [];
  if (nothing) {
    const others = `${percent(nothing.others)} where something is asked for`;
    lines.push(`doing nothing          ${percent(nothing.followed)} followed, ${others}`);
  }
  if (shuffled) lines.push(`shuffled instructions  ${percent(shuffled.followed)} followed`);
  if (autoencoder) lines.push(`autoencoder alone      ${decibels(autoencoder.decibels)} dB`);
  return lines.join("\n");
}

/** Columns as wide as their widest cell, the first aligned left, the others right. Empty where nothing was measured. */
function table<Row>(rows: readonly Row[] | undefined, columns: readonly Column<Row>[]): string {
  if (!rows) return "";
  const padded = columns.map(([title, cellOf], at) => {
    const cells = [title, ...rows.map(cellOf)];
    const width = Math.max(...cells.map((cell) => cell.length));
    return cells.map((cell) => (at === 0 ? cell.padEnd(width) : cell.padStart(width)));
  });
  return padded[0]!.map((_, line) => padded.map((column) => column[line]!).join("  ")).join("\n");
}
