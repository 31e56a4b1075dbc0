/** `npm run test:fuzz`: feeds every parser of outside bytes with made-up inputs (docs/fuzzing.md). */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { compile } from "../tools/compile.mjs";
import { ROOT } from "../tools/paths.ts";
import { FAULTS } from "./faults.mjs";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { tableOf, violationsOf } from "./report.ts";
import { type Outcome, supervise, type Work } from "./supervise.ts";
import { TARGETS } from "./targets/index.ts";

const names = TARGETS.map(({ name }) => name);

function list(): string {
  const parsers = TARGETS.map(({ name, parser }) => `  ${name.padEnd(24)} ${parser}`);
  const faults = Object.entries(FAULTS).map(
    ([name, { target, what }]) => `  ${name.padEnd(24)} ${target}: ${what}`,
  );
  return `Parsers:\n${parsers.join("\n")}\nFaults:\n${faults.join("\n")}\n`;
}

function chosenNames({ only, replay, fault }: Options): readonly string[] {
  if (fault !== undefined && FAULTS[fault] === undefined) throw new Error(`There is no fault ${fault}.`);
  const chosen = only ?? (replay ? [replay.name] : fault ? [FAULTS[fault]!.target] : names);
  const unknown = chosen.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`There is no parser ${unknown}; --list names them.`);
  return chosen;
}

async function runAll(options: Options, signal: AbortSignal): Promise<Outcome[]> {
  const { replay, fault, inputs, processes } = options;
  const shared = {
    seed: replay?.seed ?? options.seed,
    from: replay?.index ?? 0,
    to: replay ? replay.index + 1 : inputs,
    isReplay: replay !== undefined,
    fault,
    stopsAtFirst: fault !== undefined,
    program: await compile(path.join(ROOT, "fuzz", "child.ts")),
    loader: pathToFileURL(path.join(ROOT, "fuzz", "load-fault.mjs")).href,
    signal,
    onInput: (input: string) => console.log(`input: ${input}`),
  } satisfies Omit<Work, "target" | "module">;
  const waiting = [...chosenNames(options)];
  const modules = new Map<string, string>();
  for (const { name, group } of TARGETS.filter(({ name: each }) => waiting.includes(each))) {
    const file = path.join(ROOT, "fuzz", "targets", `${group}.ts`);
    modules.set(name, pathToFileURL(await compile(file)).href);
  }
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
      const outcome = await supervise({ ...shared, target, module: modules.get(target)! });
      outcomes.push(outcome);
      const { name, seconds, violations } = outcome;
      console.error(
        `${name}: ${outcome.inputs} inputs, ${seconds.toFixed(1)} s, ${violations.length} faults`,
      );
    }
  };
  await Promise.all(Array.from({ length: processes }, lane));
  return outcomes.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help" || options === "list") {
    console.log(options === "help" ? USAGE : list());
    return 0;
  }
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort());
  process.once("SIGTERM", () => controller.abort());
  const startedAt = performance.now();
  const outcomes = await runAll(options, controller.signal);
  const seed = options.replay?.seed ?? options.seed;
  const seconds = (performance.now() - startedAt) / 1000;
  const hasViolation = outcomes.some(({ violations, isCut }) => violations.length > 0 || isCut);
  console.log(tableOf(outcomes));
  if (hasViolation) console.log(violationsOf(outcomes, seed));
  console.log(`Seed ${seed}, ${seconds.toFixed(0)} seconds, node ${process.version}.`);
  if (options.jsonFile) {
    writeFileSync(options.jsonFile, `${JSON.stringify({ seed, seconds, outcomes }, null, 2)}\n`);
  }
  return hasViolation ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
