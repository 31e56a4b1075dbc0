import { describe, expect, it } from "vitest";
import { PLAN } from "../../evaluation/options.ts";
import {
  holdAgainstGoals,
  type Judged,
  type Report,
  summarize,
  summarizeDrift,
  summarizeGuidance,
  summarizeKinds,
  summarizeNothing,
  summarizeSteps,
  testGuidance,
} from "../../evaluation/report.ts";

const judged = (id: number, kind: string, isFollowed: boolean, fields: object = {}): Judged => ({
  id,
  kind,
  measured: {
    isFollowed,
    distance: 5,
    margin: 2,
    kept: 30,
    changed: 20,
    change: 40,
    seconds: 0.5,
    ...fields,
  },
});
const scenes = [
  judged(0, "style", true, { kept: null, changed: 16, margin: 4 }),
  judged(1, "place", true),
  judged(2, "place", false, { kept: 25, changed: 18, margin: -3 }),
  judged(3, "nothing", true, { changed: null, change: null, kept: 35 }),
];

describe("a summary", () => {
  it("takes means, and leaves out scenes that have no such pixels", () => {
    expect(summarize(scenes)).toEqual({
      count: 4,
      followed: 0.75,
      kept: 30,
      keptCount: 3,
      changed: 18,
      changedCount: 3,
      margin: 1.25,
    });
    expect(summarize([])).toMatchObject({ count: 0, followed: null, kept: null, margin: null });
  });

  it("is made for each kind", () => {
    const kinds = summarizeKinds(scenes);
    expect(Object.keys(kinds)).toEqual(["style", "place", "nothing"]);
    expect(kinds["place"]).toMatchObject({ count: 2, followed: 0.5, kept: 27.5, changed: 19 });
    expect(kinds["style"]).toMatchObject({ count: 1, kept: null, keptCount: 0 });
    expect(kinds["nothing"]).toMatchObject({ changed: null, changedCount: 0 });
  });

  it("tells doing nothing apart where nothing is asked for", () => {
    expect(summarizeNothing(scenes)).toEqual({ count: 4, followed: 0.75, others: 0.6667 });
  });

  it("has the change of a guidance and the seconds of a number of steps", () => {
    expect(summarizeGuidance(5, scenes)).toMatchObject({ guidance: 5, count: 4, change: 40 });
    expect(summarizeSteps(8, scenes)).toMatchObject({ steps: 8, count: 4, seconds: 0.5 });
  });

  it("has the drift after so many edits", () => {
    const measured = [
      { decibels: 30, kept: 33, distance: 4 },
      { decibels: 20, kept: null, distance: 8 },
    ];
    expect(summarizeDrift(2, measured)).toEqual({
      edits: 2,
      count: 2,
      decibels: 25,
      kept: 33,
      keptCount: 1,
      distance: 6,
    });
  });
});

it("tests each rise with the pairs that have both numbers", () => {
  const at: Record<number, Judged[]> = {
    0: [
      judged(0, "a", true, { margin: 1, change: 10 }),
      judged(1, "a", true, { margin: 2, change: null }),
      judged(2, "a", true, { margin: 3, change: 30 }),
    ],
    2: [
      judged(0, "a", true, { margin: 2.5, change: 11 }),
      judged(1, "a", true, { margin: 2, change: null }),
      judged(2, "a", true, { margin: 4.5, change: 31 }),
    ],
  };
  expect(testGuidance([[0, 2]], (guidance) => at[guidance]!)).toEqual([
    // Differences 1.5, 0, 1.5: t = 2 with 2 degrees of freedom.
    { measure: "margin", from: 0, to: 2, count: 3, meanDifference: 1, p: 0.09175 },
    { measure: "change", from: 0, to: 2, count: 2, meanDifference: 1, p: 0 },
  ]);
});

describe("the goals", () => {
  const summary = summarize(scenes);
  const report: Report = {
    overall: { ...summary, followed: 0.9, kept: 28 },
    baselines: { nothing: { count: 4, followed: 0.25, others: 0 }, shuffled: { ...summary, followed: 0.25 } },
    autoencoder: { count: 4, decibels: 33 },
    guidance: PLAN.guidances.map((guidance) => ({
      guidance,
      ...summary,
      kept: guidance === 10 ? 26 : 30,
      change: 1,
    })),
    guidanceTests: [{ measure: "margin", from: 0, to: 2, count: 3, meanDifference: 1, p: 0.01 }],
  };

  it("are held against what was measured", () => {
    const goals = holdAgainstGoals(report, PLAN);
    expect(goals.map(({ value, isMet }) => [value, isMet])).toEqual([
      [0.9, true],
      [0.9, false],
      [28, true],
      [28, false],
      [33, true],
      [0, true],
      [0.25, false],
      [0.01, true],
      [4, false],
    ]);
    expect(goals.at(-1)).toMatchObject({
      goal: "decibels kept that guidance 10 loses over 5",
      wanted: "at most 3",
    });
  });

  it("are left open where a part was not measured", () => {
    for (const { value, isMet } of holdAgainstGoals({ baselines: {} }, PLAN)) {
      expect([value, isMet]).toEqual([null, null]);
    }
  });
});
