import { describe, expect, it } from "vitest";
import { estimateMs } from "../../src/kontext/estimate.ts";
import { averageSpeed, measureSpeed } from "../../src/worker/speed.ts";

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
