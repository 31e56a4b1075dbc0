/** The result for people. */
import type { Outcome } from "./supervise.ts";

const HEADINGS = [
  "parser",
  "inputs",
  "not refused",
  "seconds",
  "of the processor",
  "MiB held",
  "MiB peak",
  "violations",
];

export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ name, inputs, values, seconds, cpuSeconds, rssMiB, peakMiB, violations }) => [
    name,
    String(inputs),
    `${inputs === 0 ? 0 : Math.round((100 * values) / inputs)} %`,
    seconds.toFixed(1),
    cpuSeconds.toFixed(1),
    String(Math.round(rssMiB)),
    String(Math.round(peakMiB)),
    String(violations.reduce((sum, { count }) => sum + count, 0)),
  ]);
  const sum = (field: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + field(outcome), 0);
  const all = [
    "all",
    String(sum(({ inputs }) => inputs)),
    "",
    sum(({ seconds }) => seconds).toFixed(1),
    sum(({ cpuSeconds }) => cpuSeconds).toFixed(1),
    "",
    "",
    String(sum(({ violations }) => violations.reduce((total, { count }) => total + count, 0))),
  ];
  const lines = [HEADINGS, ...rows, all];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const written = lines.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))),
  );
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  const [head, ...rest] = written;
  return [head!, rule, ...rest].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

/** Each violation, with the command that feeds its input again. */
export function violationsOf(outcomes: readonly Outcome[], seed: number): string {
  return outcomes
    .flatMap(({ name, violations }) =>
      violations.map(
        ({ index, what, input, count }) =>
          `${name}: ${what}${count > 1 ? ` (${count} times)` : ""}\n` +
          `  input: ${input}\n` +
          `  npm run test:fuzz -- --replay ${name}:${seed}:${index}`,
      ),
    )
    .join("\n");
}
