/** `npm run test:faults`: what survives when programs, networks, disks and clocks fail. */
import { readFile, writeFile } from "node:fs/promises";
import { messageOf } from "../src/index.ts";
import { describeMachine, gitRevision } from "../tools/machine.ts";
import { inRepository } from "../tools/paths.ts";
import { FAULTS, missingFor } from "./kinds.ts";
import { parseOptions, USAGE } from "./options.ts";
import { describeRound, putBetweenMarkers, renderTable } from "./report.ts";
import { runSuite } from "./suite.ts";

const DOCUMENT = inRepository("docs", "reliability.md");

async function main(signal: AbortSignal): Promise<void> {
  const options = parseOptions(
    process.argv.slice(2),
    FAULTS.map(({ name }) => name),
  );
  if (options === "help") return void process.stdout.write(USAGE);
  const { faults, seed, rounds, parallel, minutes } = options;
  const asked = FAULTS.filter(({ name }) => faults?.includes(name) ?? true);
  const missing = new Map<string, string>();
  for (const kind of asked) {
    const reason = missingFor(kind);
    if (reason === undefined) continue;
    missing.set(kind.name, reason);
    console.log(`not tried: ${kind.name}: ${reason}`);
  }
  const kinds = asked.filter(({ name }) => !missing.has(name));
  if (options.isList) {
    for (const { name, what } of kinds) console.log(`${name}: ${what}`);
    return;
  }
  if (kinds.length === 0) throw new Error("No fault can be tried here.");
  console.log(`${rounds} rounds, ${parallel} at a time, seed ${seed}`);
  const started = performance.now();
  const results = await runSuite({
    kinds,
    rounds,
    seed,
    parallel,
    limitMs: minutes * 60_000,
    signal,
    onResult: (result) => console.log(describeRound(result)),
  });
  const { cpu, logicalCores: cores } = describeMachine();
  const took = `${Math.ceil((performance.now() - started) / 60_000)} minutes, ${parallel} at a time`;
  const machine = `${cores} cores (${cpu}), Node ${process.version}, revision ${gitRevision()?.slice(0, 7) ?? "unknown"}, ${took}`;
  const table = renderTable({ kinds: asked, results, missing, seed, machine });
  console.log(`\n${table}`);
  if (options.isWritten) {
    await writeFile(DOCUMENT, putBetweenMarkers(await readFile(DOCUMENT, "utf8"), table));
  }
  const lost = results.filter(({ problems }) => problems.length > 0).length;
  if (lost > 0) throw new Error(`${lost} of ${results.length} rounds lost something.`);
  if (results.length < rounds) throw new Error(`Only ${results.length} of ${rounds} rounds were played.`);
}

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => {
    console.error("Interrupted: everything is ended.");
    interruption.abort(new Error("It was interrupted."));
  });
}
try {
  await main(interruption.signal);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
