/** The whole of `bench:precision`, on few edits. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { inRepository } from "../../tools/paths.ts";
import type { Goal } from "../../tools/goals.ts";

/** Some ten engines, one after the other, beside other long tests. */
const TIMEOUT_MS = 5 * 60_000;

it("tells kinds of weights apart, and meets its goals", { timeout: TIMEOUT_MS }, async () => {
  const script = inRepository("scripts", "run-ts.mjs");
  const args = [script, inRepository("bench", "precision.ts"), "--small"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const report = JSON.parse(stdout) as Record<"tiny" | "wide", Report> & { goals: Goal[] };
  for (const { kinds, weights } of [report.tiny, report.wide]) {
    expect(kinds.map(({ kind, accuracyLevel }) => `${kind} ${accuracyLevel}`)).toEqual([
      "fp16 null",
      "bf16 null",
      "int8 1",
      "int8 4",
      "int4 1",
      "int4 4",
    ]);
    const least = (kind: string): number =>
      Math.min(...kinds.filter((one) => one.kind === kind).map(({ decibels }) => decibels.least ?? Infinity));
    expect(least("int8")).toBeGreaterThan(least("int4"));
    const errorOf = (kind: string): number =>
      weights.find((one) => one.kind === kind && one.network === "transformer")!.relativeError.median;
    expect(errorOf("int4") / errorOf("int8")).toBeGreaterThan(8);
  }
  expect(report.goals).toHaveLength(4);
  // Three pictures are few for a median of what the small network makes of 4 bits.
  const missed = report.goals.filter(({ isMet }) => !isMet).map(({ goal }) => goal);
  expect(missed.filter((goal) => !goal.endsWith("tiny, int4"))).toEqual([]);
});

interface Report {
  kinds: { kind: string; accuracyLevel: number | null; decibels: { least: number | null } }[];
  weights: { kind: string; network: string; relativeError: { median: number } }[];
}
