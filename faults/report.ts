/** What the rounds gave, as the table of docs/reliability.md. */
import type { FaultKind } from "./kinds/kind.ts";
import type { RoundResult } from "./round.ts";

export const BEGIN = "<!-- faults: begin; written by npm run test:faults -- --write -->";
export const END = "<!-- faults: end -->";

export interface ReportOptions {
  kinds: readonly FaultKind[];
  results: readonly RoundResult[];
  /** Faults that could not be tried, and why. */
  missing: ReadonlyMap<string, string>;
  seed: number;
  /** Where and with what it was measured. */
  machine: string;
}

export function renderTable({ kinds, results, missing, seed, machine }: ReportOptions): string {
  const rows = kinds.map(({ name, what }) => {
    const own = results.filter(({ kind }) => kind === name);
    const reason = missing.get(name);
    return [
      `\`${name}\``,
      what,
      reason === undefined ? String(own.length) : `not tried: ${reason}`,
      String(sum(own.map(({ acknowledged }) => acknowledged))),
      String(sum(own.map(({ answers }) => (answers["503"] ?? 0) + (answers["507"] ?? 0)))),
      String(sum(own.map(({ answers }) => answers["none"] ?? 0))),
      String(own.filter(({ problems }) => problems.length > 0).length),
    ];
  });
  const total = [
    "all",
    "",
    String(results.length),
    ...[3, 4, 5, 6].map((column) => String(sum(rows.map((row) => Number(row[column]))))),
  ];
  const header = [
    "fault",
    "what happens",
    "rounds",
    "acknowledged jobs",
    "answers of 503 and 507",
    "calls without an answer",
    "rounds with a loss",
  ];
  return [
    `${results.length} rounds from seed ${seed}; ${machine}.`,
    "",
    table(header, [...rows, total]),
  ].join("\n");
}

/** As prettier writes it: names to the left, counts to the right. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, at) =>
    Math.max(3, ...[header, ...rows].map((row) => row[at]!.length), name.length),
  );
  const isCount = (at: number): boolean => at >= 3;
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (isCount(at) ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, at) => (isCount(at) ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}

/** @returns the document with the table between its markers @throws Error where it has none */
export function putBetweenMarkers(document: string, text: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error("The document has no place for the table.");
  return `${document.slice(0, begin)}${BEGIN}\n\n${text}\n\n${document.slice(end)}`;
}

/** One line for the end of a round. */
export function describeRound({
  kind,
  seed,
  shape,
  problems,
  acknowledged,
  seconds,
  folder,
}: RoundResult): string {
  const where = `${shape.kind}, ${shape.servers} + ${shape.workers}`;
  const head = `${problems.length === 0 ? "ok  " : "LOST"} ${kind} (${where}), seed ${seed}: ${acknowledged} jobs, ${seconds.toFixed(0)} s`;
  if (problems.length === 0) return head;
  const counts = new Map<string, string[]>();
  for (const { what, detail } of problems) counts.set(what, [...(counts.get(what) ?? []), detail]);
  const lines = [...counts].map(([what, details]) => `       ${details.length} x ${what}: ${details[0]}`);
  return [head, ...lines, `       --fault ${kind} --seed ${seed} --rounds 1; logs in ${folder}`].join("\n");
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
