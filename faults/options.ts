/** The command line of the suite of faults. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run test:faults -- [OPTIONS]

Starts the service in rounds, harms it under load, and looks at what is left of every job. Fails if anything was lost.

  --rounds N    how many (default 30)
  --seed N      of the first round; the next rounds count on (default: drawn, and printed)
  --fault NAME  only this fault; may be given several times (default all)
  --parallel N  rounds at the same time (default as many as there are cores)
  --minutes N   no round begins later (default 60)
  --write       writes the table into docs/reliability.md
  --list        prints the faults, and which of them cannot be tried here
  --help        prints this
`;

export interface FaultOptions {
  rounds: number;
  seed: number;
  faults: readonly string[] | undefined;
  parallel: number;
  minutes: number;
  isWritten: boolean;
  isList: boolean;
}

const MAX_SEED = 2 ** 31;

/** @throws Error with a sentence for the user */
export function parseOptions(args: readonly string[], names: readonly string[]): FaultOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "30" },
      seed: { type: "string" },
      fault: { type: "string", multiple: true },
      parallel: { type: "string", default: String(availableParallelism()) },
      minutes: { type: "string", default: "60" },
      write: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  for (const name of values.fault ?? []) {
    if (!names.includes(name)) throw new Error(`There is no fault ${name}; there are ${names.join(", ")}.`);
  }
  const whole = (name: "rounds" | "seed" | "parallel" | "minutes", max: number): number => {
    const text = values[name]!;
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > max || (value === 0 && name !== "seed")) {
      throw new Error(`--${name} is a whole number up to ${max}, not ${text}.`);
    }
    return value;
  };
  return {
    rounds: whole("rounds", 100_000),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : whole("seed", MAX_SEED),
    faults: values.fault,
    parallel: whole("parallel", 64),
    minutes: whole("minutes", 24 * 60),
    isWritten: values.write,
    isList: values.list,
  };
}
