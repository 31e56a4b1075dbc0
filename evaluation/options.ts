/** What is measured: the command line, and the settings of each part. */
import { parseArgs } from "node:util";
import { messageOf } from "../src/index.ts";
import { inRepository } from "../tools/paths.ts";

/** Each can be measured alone. */
export const PARTS = ["autoencoder", "scenes", "shuffled", "guidance", "steps", "drift"] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  checkpoint: string;
  set: string;
  out: string;
  parts: readonly Part[];
  /** How many scenes; all where it is absent. */
  limit?: number | undefined;
  isJson: boolean;
  /** Whether to forget what was measured before. */
  isRestarted: boolean;
}

export interface Plan {
  /** For every edit whose part does not say otherwise. */
  numSteps: number;
  guidance: number;
  /** The guidances that are compared on the probe scenes; below, the numbers of steps. */
  guidances: readonly number[];
  steps: readonly number[];
  /** Pairs of guidances between which margin and change should rise. */
  rises: readonly (readonly [number, number])[];
  /** A pair of guidances between which the kept decibels should hardly fall. */
  keptOver: readonly [number, number];
}

export const PLAN: Plan = {
  numSteps: 28,
  guidance: 2,
  guidances: [0, 2, 5, 10],
  steps: [4, 8, 28, 50],
  rises: [
    [0, 2],
    [2, 5],
  ],
  keptOver: [5, 10],
};

/** An invalid command line; the message is a sentence for the user. */
export class UsageError extends Error {}

export const USAGE = `Usage: npm run eval [-- OPTIONS]

Edits the held-out scenes of evaluation/set and reports how well the instructions are followed. What was measured is
kept: after an interruption the same command goes on.

  --json            one JSON document on standard output instead of tables
  --only A,B        parts: ${PARTS.join(", ")} (default all)
  --limit N         so many scenes, spread over the kinds, and as much less of the rest
  --checkpoint DIR  checkpoint folder (default checkpoints/tiny)
  --set DIR         the scenes (default evaluation/set)
  --out DIR         where progress, report and pictures go (default out/evaluation)
  --restart         forget what was measured in --out
`;

/** @throws UsageError */
export function parseOptions(args: readonly string[], isJson = false): Options | "help" {
  const values = parse(args);
  if (values.help) return "help";
  return {
    checkpoint: values.checkpoint,
    set: values.set,
    out: values.out,
    parts: parseParts(values.only),
    limit: parseLimit(values.limit),
    isJson: isJson || values.json,
    isRestarted: values.restart,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        checkpoint: { type: "string", default: inRepository("checkpoints", "tiny") },
        set: { type: "string", default: inRepository("evaluation", "set") },
        out: { type: "string", default: inRepository("out", "evaluation") },
        only: { type: "string" },
        limit: { type: "string" },
        json: { type: "boolean", default: false },
        restart: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    // The first sentence is enough; the rest is about positional arguments, of which there are none.
    throw new UsageError(`${messageOf(error).split(". ")[0]!.replace(/\.$/, "")}. --help lists the options.`);
  }
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new UsageError(`--limit must be a whole number above 0, not ${text}.`);
  }
  return limit;
}

function parseParts(text: string | undefined): readonly Part[] {
  if (text === undefined) return PARTS;
  const names = text.split(",");
  for (const name of names) {
    if (!(PARTS as readonly string[]).includes(name)) {
      throw new UsageError(`--only knows ${PARTS.join(", ")}, not ${name}.`);
    }
  }
  return PARTS.filter((name) => names.includes(name));
}
