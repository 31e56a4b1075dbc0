import { describe, expect, it } from "vitest";
import { guidanceNotices, isGuided } from "../../../src/pipelines/flux2-klein/guidance.ts";
import { referenceIds, targetIds, textIds } from "../../../src/pipelines/flux2-klein/positions.ts";
import { flux2Klein, flux2KleinKV } from "../../../src/pipelines/flux2-klein/pipeline.ts";
import { empiricalShift } from "../../../src/pipelines/flux2-klein/time-shift.ts";
import { planesToTokens, tokensToPlanes } from "../../../src/pipelines/shared/packing.ts";
import { Config } from "../../../src/weights/config.ts";

describe("positions", () => {
  it("of the target are at time 0, by row and column", () => {
    expect([...targetIds({ width: 4, height: 4 })]).toEqual(
      [
        [0, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 1, 1, 0],
      ].flat(),
    );
  });

  it("of references are ten apart in time", () => {
    expect([...referenceIds({ width: 2, height: 4 }, 0)]).toEqual([10, 0, 0, 0, 10, 1, 0, 0]);
    expect([...referenceIds({ width: 2, height: 2 }, 3)]).toEqual([40, 0, 0, 0]);
  });

  it("of a text are its tokens' numbers", () => {
    expect([...textIds(3)]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
  });
});

describe("planes", () => {
  it("are tokens of one number each, and back", () => {
    const planes = Float32Array.of(1, 2, 3, 10, 20, 30);
    expect([...planesToTokens(planes, 2)]).toEqual([1, 10, 2, 20, 3, 30]);
    expect(tokensToPlanes(planesToTokens(planes, 2), 2)).toEqual(planes);
  });
});

describe("the time shift", () => {
  // `compute_empirical_mu` of diffusers 0.42.1.
  it.each([
    [1, 1, 1.966706305839619],
    [1, 4, 1.9439444408772126],
    [1, 50, 1.5949291781203159],
    [256, 1, 1.9879993152056084],
    [256, 4, 1.965567161408539],
    [256, 50, 1.6216074698534737],
    [4096, 1, 2.3086469856581564],
    [4096, 4, 2.291179894115571],
    [4096, 50, 2.0233511571292637],
    [4300, 1, 2.3256813931509472],
    [4300, 4, 2.3084780705406316],
    [4300, 50, 2.0446937905157894],
    [4301, 1, 1.18469693],
    [4301, 4, 1.18469693],
    [4301, 50, 1.18469693],
    [8192, 1, 1.8433265],
    [8192, 4, 1.8433265],
    [8192, 50, 1.8433265],
  ])("of %i tokens in %i steps is %d", (numTokens, numSteps, mu) => {
    expect(empiricalShift(numTokens, numSteps)).toBeCloseTo(mu, 12);
  });
});

describe("the defaults of a checkpoint", () => {
  const index = (fields: object): Config => new Config("model_index.json", { ...fields });

  it("are four steps without guidance where it was distilled, and the reference's elsewhere", () => {
    expect(flux2Klein.defaultsOf(index({ is_distilled: true }))).toEqual({
      numSteps: 4,
      guidance: 1,
      isGuided: false,
    });
    expect(flux2Klein.defaultsOf(index({}))).toEqual({ numSteps: 50, guidance: 4 });
    // That class has neither guidance nor the field.
    expect(flux2KleinKV.defaultsOf(index({}))).toEqual({ numSteps: 4, guidance: 1, isGuided: false });
  });
});

describe("guidance", () => {
  const request = { guidance: 4, negativePrompt: "", trueCfgScale: 2 };

  it("needs a model that was not distilled, and more than 1", () => {
    expect(isGuided({ isDistilled: false }, { guidance: 1.1 })).toBe(true);
    expect(isGuided({ isDistilled: false }, { guidance: 1 })).toBe(false);
    expect(isGuided({ isDistilled: true }, { guidance: 4 })).toBe(false);
  });

  it("says what has no effect", () => {
    const count = (isDistilled: boolean, changes: object, hasEmbeds = false): number =>
      guidanceNotices({ isDistilled }, { ...request, ...changes }, hasEmbeds).length;
    expect(count(true, {})).toBe(1);
    expect(count(true, { guidance: 1 })).toBe(0);
    expect(count(true, { guidance: 1, isEmptyNegativeUsed: true })).toBe(1);
    expect(count(true, { negativePrompt: "a hat" })).toBe(2);
    expect(count(true, { guidance: 0.5 }, true)).toBe(1);
    expect(count(false, { negativePrompt: "a hat" })).toBe(0);
    expect(count(false, { negativePrompt: "a hat", guidance: 1 })).toBe(1);
    expect(count(false, { trueCfgScale: 3 })).toBe(1);
  });
});
