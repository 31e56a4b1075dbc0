import { describe, expect, it } from "vitest";
import { type EstimatedEdit, estimateMs } from "../../src/engine/estimate.ts";
import { attentionShareOf } from "../../src/engine/workload.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { planKlein } from "../../src/pipelines/flux2-klein/components.ts";
import { PUBLISHED_KLEIN_CONFIGS, PUBLISHED_KLEIN_PLAN } from "../../src/pipelines/flux2-klein/published.ts";

const speed = { fixedMs: 500, stepMs: 100, nativeArea: 128 * 128, grid: 16 };
const edit: EstimatedEdit = {
  size: { width: 1024, height: 1024 },
  images: [undefined],
  numSteps: 28,
  guidance: 2,
  isNegativeUsed: false,
};

describe("estimateMs", () => {
  it("takes a size above the native one as native, since that is what the network draws", () => {
    expect(estimateMs(speed, edit)).toBe(500 + 28 * 100);
    expect(estimateMs(speed, { ...edit, size: { width: 128, height: 128 } })).toBe(500 + 28 * 100);
  });

  it("counts the tokens of a smaller result, and an image of unknown size as native", () => {
    expect(estimateMs(speed, { ...edit, size: { width: 64, height: 128 } })).toBe(500 + 28 * 75);
  });

  it("counts whole tokens", () => {
    const odd = estimateMs(speed, { ...edit, size: { width: 65, height: 127 } });
    expect(odd).toBe(estimateMs(speed, { ...edit, size: { width: 80, height: 128 } }));
  });
});

describe("the images of an estimate", () => {
  const small = { ...speed, isSmallKept: true };
  const of = (...images: EstimatedEdit["images"]) => ({ ...edit, images });

  it("are as many as there are", () => {
    expect(estimateMs(speed, of())).toBe(500 + 28 * 50);
    expect(estimateMs(speed, of(undefined, undefined, undefined))).toBe(500 + 28 * 200);
  });

  it("are seen at their own sizes by a model that enlarges none", () => {
    const half = { width: 64, height: 128 };
    // The first one keeps its shape, too.
    expect(estimateMs(small, of(half))).toBe(500 + 28 * 75);
    expect(estimateMs(small, of(half, { width: 32, height: 32 }))).toBe(500 + 28 * (75 + 50 / 16));
    expect(estimateMs(small, of({ width: 4000, height: 4000 }))).toBe(500 + 28 * 100);
    // One that does enlarges it to its native area.
    expect(estimateMs(speed, of(half))).toBeGreaterThan(500 + 28 * 95);
  });

  it("share the result's canvas where they have its shape", () => {
    const square = { ...of({ width: 64, height: 64 }), size: { width: 64, height: 64 } };
    expect(estimateMs(small, square)).toBe(500 + 28 * 25);
  });

  it("attend to each other, which grows with the square of them", () => {
    const attending = { ...speed, attentionShare: 0.3 };
    expect(estimateMs(attending, edit)).toBe(500 + 28 * 100);
    const tokens = 2.5;
    const four = estimateMs(attending, of(undefined, undefined, undefined, undefined));
    expect(four).toBeCloseTo(500 + 28 * 100 * (0.7 * tokens + 0.3 * tokens ** 2));
  });
});

describe("the second pass of an estimate", () => {
  const once = 500 + 28 * 100;
  const twice = 500 + 2 * 28 * 100;
  it.each([
    [undefined, {}, once],
    [undefined, { isNegativeUsed: true }, twice],
    ["guidance", {}, twice],
    ["guidance", { guidance: 1, isNegativeUsed: true }, once],
    ["never", { isNegativeUsed: true }, once],
  ] as const)("where it is taken for %s: %j", (secondPass, changes, expected) => {
    expect(estimateMs({ ...speed, secondPass }, { ...edit, ...changes })).toBe(expected);
  });

  it("is that of the model", () => {
    const undistilled = planKlein({ ...PUBLISHED_KLEIN_CONFIGS, isDistilled: false });
    expect([PUBLISHED_PLAN, PUBLISHED_KLEIN_PLAN, undistilled].map(({ secondPass }) => secondPass)).toEqual([
      undefined,
      "never",
      "guidance",
    ]);
  });
});

it("attention's share is that of its operations", () => {
  // 28 steps of 165.5 TFLOP, of which attention takes 57 blocks of 4 * 8,704^2 * 3,072.
  expect(attentionShareOf(PUBLISHED_PLAN)).toBeCloseTo((57 * 4 * 8704 ** 2 * 3072) / 165.5e12, 2);
  // 4 steps of 76.7 TFLOP, with 25 blocks.
  expect(attentionShareOf(PUBLISHED_KLEIN_PLAN)).toBeCloseTo((25 * 4 * 8704 ** 2 * 3072) / 76.7e12, 1);
});
