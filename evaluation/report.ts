/** What follows from the measurements: means, tests and goals. */
import { atLeast, atMost, type Goal } from "../tools/goals.ts";
import { rounded } from "../tools/statistics.ts";
import type { Judgement } from "./measures.ts";
import type { Plan } from "./options.ts";
import { NOTHING } from "./set.ts";
import { countOf, groupsOf, meanOf, type PairedTest, testRise } from "./statistics.ts";
import type { DriftMeasurement, EditMeasurement } from "./tasks.ts";

/** A measured scene. */
export interface Judged<Measured extends Judgement = EditMeasurement> {
  id: number;
  kind: string;
  measured: Measured;
}

/** Means over scenes; null where there are no values. */
export interface Summary {
  count: number;
  /** The share of scenes whose instruction was followed. */
  followed: number | null;
  /** Decibels, and for how many scenes: an edit of the whole image keeps nothing, and one of nothing changes nothing. */
  kept: number | null;
  keptCount: number;
  changed: number | null;
  changedCount: number;
  /** At 32x32, of 255. */
  margin: number | null;
}

export interface GuidanceReport extends Summary {
  guidance: number;
  /** Mean absolute difference to the source where the edit changes it, of 255. */
  change: number | null;
}

export interface StepsReport extends Summary {
  steps: number;
  /** Per edit. */
  seconds: number | null;
}

export interface GuidanceTest extends PairedTest {
  measure: "margin" | "change";
  from: number;
  to: number;
}

export interface DriftReport {
  /** How many edits in a row. */
  edits: number;
  count: number;
  decibels: number | null;
  kept: number | null;
  keptCount: number;
  distance: number | null;
}

/** What was measured; a part that was not asked for is absent. */
export interface Report {
  overall?: Summary;
  kinds?: Record<string, Summary>;
  baselines: {
    /** `others` are the kinds that ask for something. */
    nothing?: { count: number; followed: number | null; others: number | null };
    shuffled?: Summary;
  };
  autoencoder?: { count: number; decibels: number | null };
  guidance?: GuidanceReport[];
  guidanceTests?: GuidanceTest[];
  steps?: StepsReport[];
  drift?: DriftReport[];
}

export function summarize(judged: readonly Judged<Judgement>[]): Summary {
  const all = judged.map(({ measured }) => measured);
  return {
    count: all.length,
    followed: meanOf(all.map(({ isFollowed }) => Number(isFollowed))),
    kept: meanOf(all.map(({ kept }) => kept)),
    keptCount: countOf(all.map(({ kept }) => kept)),
    changed: meanOf(all.map(({ changed }) => changed)),
    changedCount: countOf(all.map(({ changed }) => changed)),
    margin: meanOf(all.map(({ margin }) => margin)),
  };
}

export function summarizeKinds(judged: readonly Judged<Judgement>[]): Record<string, Summary> {
  const kinds = [...groupsOf(judged, ({ kind }) => kind)].map(([kind, group]) => [kind, summarize(group)]);
  return Object.fromEntries(kinds) as Record<string, Summary>;
}

export function summarizeNothing(judged: readonly Judged<Judgement>[]) {
  const others = judged.filter(({ kind }) => kind !== NOTHING);
  const { count, followed } = summarize(judged);
  return { count, followed, others: summarize(others).followed };
}

export function summarizeGuidance(guidance: number, judged: readonly Judged<Judgement>[]): GuidanceReport {
  return { guidance, ...summarize(judged), change: meanOf(judged.map(({ measured }) => measured.change)) };
}

export function summarizeSteps(steps: number, judged: readonly Judged[]): StepsReport {
  return { steps, ...summarize(judged), seconds: meanOf(judged.map(({ measured }) => measured.seconds)) };
}

/** @param judgedAt the same scenes in the same order at each guidance */
export function testGuidance(
  rises: Plan["rises"],
  judgedAt: (guidance: number) => readonly Judged<Judgement>[],
): GuidanceTest[] {
  return (["margin", "change"] as const).flatMap((measure) =>
    rises.map(([from, to]) => {
      const second = judgedAt(to);
      const pairs = judgedAt(from).map(({ measured }, at) => [
        measured[measure],
        second[at]!.measured[measure],
      ]);
      const whole = pairs.filter((pair): pair is [number, number] => pair.every((value) => value !== null));
      const { count, meanDifference, p } = testRise(
        whole.map(([before]) => before),
        whole.map(([, after]) => after),
      );
      return { measure, from, to, count, meanDifference: roundedOrNull(meanDifference), p: roundedOrNull(p) };
    }),
  );
}

export function summarizeDrift(edits: number, measured: readonly DriftMeasurement[]): DriftReport {
  return {
    edits,
    count: measured.length,
    decibels: meanOf(measured.map(({ decibels }) => decibels)),
    kept: meanOf(measured.map(({ kept }) => kept)),
    keptCount: countOf(measured.map(({ kept }) => kept)),
    distance: meanOf(measured.map(({ distance }) => distance)),
  };
}

/** What the project aims at, of a checkpoint that is trained on a CPU and of one that is trained on a GPU. */
export function holdAgainstGoals(report: Report, { keptOver: [before, after] }: Plan): Goal[] {
  const { overall, baselines, autoencoder, guidance, guidanceTests } = report;
  const keptAt = (value: number): number | null =>
    guidance?.find(({ guidance }) => guidance === value)?.kept ?? null;
  const [keptBefore, keptAfter] = [keptAt(before), keptAt(after)];
  const keptLoss = keptBefore === null || keptAfter === null ? null : rounded(keptBefore - keptAfter);
  const followed = overall?.followed ?? null;
  const kept = overall?.kept ?? null;
  return [
    atLeast("share followed, trained on a CPU", followed, 0.8),
    atLeast("share followed, trained on a GPU", followed, 0.95),
    atLeast("decibels kept, trained on a CPU", kept, 27),
    atLeast("decibels kept, trained on a GPU", kept, 30),
    atLeast("decibels of the autoencoder", autoencoder?.decibels ?? null, 32),
    atMost(
      "share followed by doing nothing where something is asked for",
      baselines.nothing?.others ?? null,
      0,
    ),
    atMost("share followed with shuffled instructions", baselines.shuffled?.followed ?? null, 0.2),
    ...(guidanceTests ?? []).map(({ measure, from, to, p }) =>
      atMost(`p that ${measure} does not rise from guidance ${from} to ${to}`, p, 0.01),
    ),
    atMost(`decibels kept that guidance ${after} loses over ${before}`, keptLoss, 3),
  ];
}

const roundedOrNull = (value: number | null): number | null => (value === null ? null : rounded(value));
