/** Where the operators of a network ran, read from the runtime's own profile. */

/** The providers by the names that the runtime gives them, and what the table calls them. */
const PLACES = { CPUExecutionProvider: "CPU", WebGpuExecutionProvider: "GPU" } as const;
export type Place = (typeof PLACES)[keyof typeof PLACES];

/** One network of a checkpoint, as one kind of weights and one choice of adapters build it. */
export interface Placement {
  checkpoint: string;
  network: string;
  weights: string;
  isAdaptable: boolean;
  /** How many of its nodes ran where, by operator. */
  operators: Readonly<Record<string, Partial<Record<Place, number>>>>;
  /** The largest 2-norm of the difference between an output and the CPU's, over the 2-norm of the CPU's. */
  difference: number;
}

interface ProfileEvent {
  cat?: string;
  name: string;
  args?: { op_name?: string; provider?: string };
}

/** Counts the nodes in a profile of one run. @throws Error for a provider that the table has no name for */
export function readProfile(text: string): Placement["operators"] {
  const operators: Record<string, Partial<Record<Place, number>>> = {};
  for (const { cat, name, args = {} } of JSON.parse(text) as ProfileEvent[]) {
    const { op_name: operator, provider } = args;
    if (cat !== "Node" || !name.endsWith("_kernel_time") || operator === undefined) continue;
    const place = PLACES[provider as keyof typeof PLACES];
    if (place === undefined) throw new Error(`The profile has ${name} on an unknown provider, ${provider}.`);
    const counts = (operators[operator] ??= {});
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return operators;
}

/** The networks in the order in which an edit needs them, those of both families. */
const NETWORKS = ["clip", "t5", "qwen3", "encoder", "modulation", "references", "transformer", "decoder"];

/** Operators by the networks that have them, as a table in Markdown. */
export function tableOf(placements: readonly Placement[]): string {
  const operators = [...new Set(placements.flatMap(({ operators }) => Object.keys(operators)))].toSorted();
  const rows = operators.map((operator) => {
    const cells = NETWORKS.map((network) => {
      const found = placements.filter((placement) => placement.network === network);
      return placesOf(found.map((placement) => placement.operators[operator] ?? {}));
    });
    return [`\`${operator}\``].concat(cells);
  });
  return aligned([["operator", ...NETWORKS.map((network) => `\`${network}\``)], ...rows]);
}

/** Where all of them ran: `GPU`, `CPU`, `GPU, CPU`, or nothing. */
function placesOf(counts: readonly Partial<Record<Place, number>>[]): string {
  return Object.values(PLACES)
    .filter((place) => counts.some((count) => place in count))
    .toReversed()
    .join(", ");
}

/** As the formatter aligns it. */
function aligned([head, ...rows]: readonly (readonly string[])[]): string {
  const widths = head!.map((_, column) => Math.max(3, ...[head!, ...rows].map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(head!), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

const [BEGIN, END] = ["<!-- npm run placement -->", "<!-- /npm run placement -->"];
const BETWEEN = new RegExp(`(?<=${BEGIN}\n\n).*(?=\n\n${END})`, "s");

/** The table in the page. @throws Error if the page has no place for it */
export function tableIn(page: string): string {
  const found = BETWEEN.exec(page)?.[0];
  if (found === undefined) throw new Error(`The page has no ${BEGIN}.`);
  return found;
}

/** The page with another table. @throws Error if the page has none */
export const withTable = (page: string, table: string): string => page.replace(tableIn(page), () => table);
