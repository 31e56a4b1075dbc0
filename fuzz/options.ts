/** The command line of the fuzzer. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export interface Options {
  seed: number;
  /** For each parser. */
  inputs: number;
  /** Names of parsers; undefined for all. */
  only: readonly string[] | undefined;
  replay: { name: string; seed: number; index: number } | undefined;
  /** A fault that is put back. */
  fault: string | undefined;
  /** Parsers that are fed at the same time. */
  processes: number;
  /** Where the result is written as JSON. */
  jsonFile: string | undefined;
}

/** Times the number of parsers, this is a little more than a million. */
const INPUTS = 25_000;

export const USAGE = `Usage: npm run test:fuzz -- [OPTIONS]

Feeds every parser of outside bytes with made-up inputs. Ends with 1 if one of them gets another end than a value or a
refusal by name, takes more than a second, or too much memory.

  --inputs N               for each parser (default ${INPUTS})
  --seed N                 what the inputs depend on (default: the time)
  --only A,B               parsers by name; --list names them
  --replay NAME:SEED:INDEX shows one input, and feeds it
  --with-fault NAME        puts a mended fault back, and stops at the first input that finds it; --list names them
  --processes N            parsers at the same time (default: one a core)
  --json FILE              also writes the result as JSON
  --list                   parsers and faults
`;

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[]): Options | "help" | "list" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      inputs: { type: "string" },
      seed: { type: "string" },
      only: { type: "string" },
      replay: { type: "string" },
      "with-fault": { type: "string" },
      processes: { type: "string" },
      json: { type: "string" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  if (values.list) return "list";
  return {
    seed: countOf("seed", values.seed, Math.floor(Date.now() / 1000)),
    inputs: countOf("inputs", values.inputs, INPUTS),
    only: values.only?.split(","),
    replay: values.replay === undefined ? undefined : replayOf(values.replay),
    fault: values["with-fault"],
    processes: countOf("processes", values.processes, availableParallelism()),
    jsonFile: values.json,
  };
}

function countOf(flag: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`--${flag} must be a whole number above 0, not ${text}.`);
  return Number(text);
}

function replayOf(text: string): NonNullable<Options["replay"]> {
  const [, name, seed, index] = /^([a-z0-9-]+):(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`--replay must be NAME:SEED:INDEX, not ${text}.`);
  return { name, seed: Number(seed), index: Number(index) };
}
