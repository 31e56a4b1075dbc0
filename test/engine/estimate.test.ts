import { describe, expect, it } from "vitest";
import { estimateMs } from "../../src/engine/estimate.ts";

const speed = { fixedMs: 500, stepMs: 100, nativeArea: 128 * 128, grid: 16 };
const edit = { size: { width: 1024, height: 1024 }, numSteps: 28, isNegativeUsed: false };

describe("estimateMs", () => {
  it("takes a size above the native one as native, since that is what the network draws", () => {
    expect(estimateMs(speed, edit)).toBe(500 + 28 * 100);
    expect(estimateMs(speed, { ...edit, size: { width: 128, height: 128 } })).toBe(500 + 28 * 100);
  });

  it("doubles the steps for a negative prompt", () => {
    expect(estimateMs(speed, { ...edit, isNegativeUsed: true })).toBe(500 + 2 * 28 * 100);
  });

  it("counts the tokens of a smaller target, and the reference as native", () => {
    expect(estimateMs(speed, { ...edit, size: { width: 64, height: 128 } })).toBe(500 + 28 * 75);
  });

  it("counts whole tokens", () => {
    const odd = estimateMs(speed, { ...edit, size: { width: 65, height: 127 } });
    expect(odd).toBe(estimateMs(speed, { ...edit, size: { width: 80, height: 128 } }));
  });
});
