/** The command line of the comparison by drawn cases. */
import { parseArgs } from "node:util";
import type { Changes } from "./protocol.ts";

export interface Options {
  seed: number;
  /** Indices of the cases. */
  indices: readonly number[];
  changes: Changes;
  isShrinking: boolean;
  /** Whether every case gets a line. */
  isVerbose: boolean;
  jsonFile: string | undefined;
}

/** As `pipelines.py` lists them. */
const PIPELINES = ["kontext", "klein"];

export const USAGE = `Usage: npm run test:reference -- --fuzz SEED N [OPTIONS]

Draws N checkpoints and edits, and compares ours with the reference's. Prints a line for each case that misses, and the
figures at the end; ends with 1 if there is a silent miss, a crash, or too much is refused.

  --pipeline NAME       only cases of this pipeline, kontext or klein
  --only INDEX          one case of the seed; N may be left out
  --from INDEX          begins with this case
  --set FIELD=VALUE     gives a field of every case; VALUE is JSON, or else a text
  --unusual FIELD,...   leaves all other fields plain
  --shrink              sets back to plain whatever a miss does not need, and names what is left
  --verbose             prints a line for every case
  --json FILE           also writes all outcomes as JSON
`;

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      pipeline: { type: "string" },
      only: { type: "string" },
      from: { type: "string" },
      set: { type: "string", multiple: true, default: [] },
      unusual: { type: "string" },
      shrink: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const [seed, count] = positionals;
  const only = values.only === undefined ? undefined : countOf("--only", values.only);
  const from = only ?? countOf("--from", values.from ?? "0");
  const length = only === undefined ? countOf("N", count) : 1;
  const fixed = Object.fromEntries(values.set.map(fieldOf));
  return {
    seed: countOf("SEED", seed),
    indices: Array.from({ length }, (_, index) => from + index),
    changes: { fixed: { ...pipelineOf(values.pipeline), ...fixed }, unusual: values.unusual?.split(",") },
    isShrinking: values.shrink,
    isVerbose: values.verbose || only !== undefined,
    jsonFile: values.json,
  };
}

function pipelineOf(name: string | undefined): Record<string, string> {
  if (name === undefined) return {};
  if (!PIPELINES.includes(name)) throw new Error(`--pipeline must be ${PIPELINES.join(" or ")}, not ${name}.`);
  return { pipeline: name };
}

function countOf(name: string, text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text)) {
    throw new Error(`${name} must be a whole number${text === undefined ? "" : `, not ${text}`}.\n\n${USAGE}`);
  }
  return Number(text);
}

function fieldOf(text: string): [string, unknown] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new Error(`--set must be FIELD=VALUE, not ${text}.`);
  try {
    return [name, JSON.parse(value!) as unknown];
  } catch {
    return [name, value];
  }
}
