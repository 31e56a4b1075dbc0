import { describe, expect, it } from "vitest";
import { createStepWatch, type Reading } from "../../src/jobs/clock-steps.ts";

const START = Date.parse("2026-11-30T00:00:00Z");

/** A reading whose answer was given in the middle of its waiting time. */
const reading = (at: number, { stepMs = 0, waitMs = 2 } = {}): Reading => ({
  databaseMs: START + at + stepMs,
  askedAt: at - waitMs / 2,
  answeredAt: at + waitMs / 2,
});

describe("two clocks that are compared", () => {
  it("say nothing at the first reading", () => {
    expect(createStepWatch()(reading(0))).toBeUndefined();
  });

  it("show no step while both go on, however slow an answer is", () => {
    const note = createStepWatch();
    note(reading(0));
    expect(note(reading(1000))).toEqual({ gapMs: 1000, stepMs: 0 });
    expect(note(reading(6000, { waitMs: 9000 }))).toEqual({ gapMs: 9499, stepMs: 0 });
    // Read at the end, or at the beginning, of a long wait.
    expect(note({ databaseMs: START + 20_000, askedAt: 12_000, answeredAt: 20_000 })?.stepMs).toBe(0);
    expect(note({ databaseMs: START + 21_000, askedAt: 21_000, answeredAt: 29_000 })?.stepMs).toBe(0);
  });

  it.each([-20_000, -1500, 1500, 9 * 24 * 60 * 60_000])("show a step of %i ms", (stepMs) => {
    const note = createStepWatch();
    note(reading(0));
    const change = note(reading(1000, { stepMs }));
    expect(change?.gapMs).toBe(1000);
    // Known within the two waiting times.
    expect(Math.abs(change!.stepMs)).toBeLessThanOrEqual(Math.abs(stepMs));
    expect(Math.abs(change!.stepMs - stepMs)).toBeLessThanOrEqual(4);
    expect(note(reading(2000, { stepMs }))).toEqual({ gapMs: 1000, stepMs: 0 });
  });

  it("show a gap, such as of a process that stood still", () => {
    const note = createStepWatch();
    note(reading(0));
    expect(note(reading(60_000))).toEqual({ gapMs: 60_000, stepMs: 0 });
  });

  it("show the sleep of a machine, in which a monotonic clock may stand still", () => {
    const note = createStepWatch();
    note(reading(0));
    expect(note(reading(1000, { stepMs: 8 * 60 * 60_000 }))?.stepMs).toBeCloseTo(8 * 60 * 60_000, -1);
  });
});
