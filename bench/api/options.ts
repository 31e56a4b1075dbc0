/** The command line of the service's benchmark. */
import { parseArgs } from "node:util";

/** Each can be measured alone. */
export const PARTS = ["delay", "documented", "throughput", "event-loop", "start"] as const;
export type PartName = (typeof PARTS)[number];

export const USAGE = `Usage: npm run bench:api -- [PARTS]

Starts the service, calls it as clients do, and prints one JSON document on standard output.

  PARTS   of ${PARTS.join(", ")} (default all)
  --help  prints this
`;

/** @throws Error with a sentence for the user */
export function parseParts(args: readonly string[]): readonly PartName[] | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.help) return "help";
  for (const name of positionals) {
    if (!(PARTS as readonly string[]).includes(name)) {
      throw new Error(`There is no part ${name}; there are ${PARTS.join(", ")}.`);
    }
  }
  return positionals.length === 0 ? PARTS : PARTS.filter((name) => positionals.includes(name));
}
