import { describe, expect, it } from "vitest";
import { estimateMs } from "../../src/engine/estimate.ts";
import { averageSpeed, defaultLimitMs, measureSpeed } from "../../src/worker/speed.ts";
import { editOf } from "./samples.ts";

const native = { nativeArea: 128 * 128, grid: 16 };

describe("measureSpeed", () => {
  it.each([
    { size: { width: 1024, height: 1024 }, numSteps: 28, isNegativeUsed: false },
    { size: { width: 64, height: 128 }, numSteps: 3, isNegativeUsed: true },
  ])("is what estimates the same edit as it was: %o", (edit) => {
    const speed = measureSpeed(native, { totalMs: 3000, denoiseMs: 2400 }, edit);
    expect(speed).toMatchObject({ ...native, fixedMs: 600 });
    expect(estimateMs(speed, edit)).toBeCloseTo(3000);
  });
});

describe("averageSpeed", () => {
  it("moves three tenths of the way to the latest edit", () => {
    const known = { ...native, fixedMs: 100, stepMs: 10 };
    expect(averageSpeed(known, { ...native, fixedMs: 200, stepMs: 20 })).toEqual({
      ...native,
      fixedMs: 130,
      stepMs: 13,
    });
  });
});

describe("the time that an edit may take where nobody said so", () => {
  const edit = editOf({ kind: "stored", key: "inputs/picture.bin" }, { numSteps: 28 });
  const MINUTE_MS = 60_000;

  it("is ten minutes, as published, where edits take seconds or nothing was measured", () => {
    const speed = { ...native, fixedMs: 100, stepMs: 20 };
    expect([defaultLimitMs(speed, edit), defaultLimitMs(undefined, edit)]).toEqual([600_000, 600_000]);
  });

  it("is four times what the edit takes on a slow machine, its second passes included, and at most 7 days", () => {
    // As measured with the published sizes on two cores: 155 minutes at 512*512.
    const published = { nativeArea: 2 ** 20, grid: 16, fixedMs: 15 * MINUTE_MS, stepMs: 8 * MINUTE_MS };
    const large = { ...edit, size: { width: 1024, height: 1024 } };
    expect(defaultLimitMs(published, large)).toBe(4 * (15 + 28 * 8) * MINUTE_MS);
    expect(defaultLimitMs(published, { ...large, negativePrompt: "stars" })).toBe(
      4 * (15 + 56 * 8) * MINUTE_MS,
    );
    expect(defaultLimitMs({ ...published, stepMs: 10 ** 9 }, large)).toBe(7 * 24 * 60 * MINUTE_MS);
  });
});
