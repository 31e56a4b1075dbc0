/** The command line of the service's benchmark. */
import { parseArgs } from "node:util";

/** Each can be measured alone. */
export const PARTS = ["delay", "documented", "throughput", "event-loop", "start", "idle"] as const;
export type PartName = (typeof PARTS)[number];

export const USAGE = `Usage: npm run bench:api -- [PARTS]

Starts the service, calls it as clients do, and prints one JSON document on standard output.

  PARTS             of ${PARTS.join(", ")} (default all)
  --against FOLDER  another checkout, built, beside this one by turns, in place of the parts
  --help            prints this
`;

export interface ApiOptions {
  parts: readonly PartName[];
  /** Folder of the other checkout. */
  against?: string | undefined;
}

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): ApiOptions | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: "boolean", default: false }, against: { type: "string" } },
    allowPositionals: true,
  });
  if (values.help) return "help";
  if (values.against !== undefined && positionals.length > 0) {
    throw new Error("--against measures what it measures; name no parts beside it.");
  }
  for (const name of positionals) {
    if (!(PARTS as readonly string[]).includes(name)) {
      throw new Error(`There is no part ${name}; there are ${PARTS.join(", ")}.`);
    }
  }
  const parts = positionals.length === 0 ? PARTS : PARTS.filter((name) => positionals.includes(name));
  return { parts, against: values.against };
}
