/** The short form of `npm run test:faults`: one round of each of these, always the same ones. */
import { beforeAll, describe, expect, it } from "vitest";
import { FAULTS, missingFor } from "../../faults/kinds.ts";
import { describeRound } from "../../faults/report.ts";
import type { RoundResult } from "../../faults/round.ts";
import { runSuite } from "../../faults/suite.ts";

const SEED = 2026;
/** Those that end soonest, of every sort. */
const NAMES = [
  "kill-server",
  "kill-engine",
  "kill-database",
  "pause-worker",
  "silent-database",
  "cut-storage",
  "disk-full",
  "clock-forward",
  "rolling-restart",
];
const PARALLEL = 4;
const LIMIT_MS = 5 * 60_000;

const chosen = NAMES.map((name) => FAULTS.find((kind) => kind.name === name)!);
const kinds = chosen.filter((kind) => missingFor(kind) === undefined);

describe("nothing acknowledged is lost", () => {
  let results: RoundResult[] = [];
  beforeAll(async () => {
    console.log(`Rounds of npm run test:faults from seed ${SEED}`);
    results = await runSuite({
      kinds,
      rounds: kinds.length,
      seed: SEED,
      parallel: PARALLEL,
      limitMs: LIMIT_MS,
      signal: new AbortController().signal,
      onResult: (result) => console.log(describeRound(result)),
    });
  }, 2 * LIMIT_MS);

  it.for(chosen)("$name", (kind, { skip }) => {
    const missing = missingFor(kind);
    if (missing !== undefined) skip(missing);
    const { problems, acknowledged } = results.find((result) => result.kind === kind.name)!;
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(0);
  });
});
