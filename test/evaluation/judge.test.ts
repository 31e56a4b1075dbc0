import { describe, expect, it } from "vitest";
import { type Answers, judge } from "../../evaluation/measures.ts";

/** A 32x32 picture of one gray. */
const plain = (value: number) => ({ width: 32, height: 32, data: new Uint8Array(32 * 32 * 3).fill(value) });
const tile = (value: number): Uint8Array => plain(value).data;

describe("an edit", () => {
  const answers: Answers = {
    isNothing: false,
    source: plain(100),
    truth: plain(140),
    candidates: [tile(180), tile(20)],
  };

  it("is followed where the result is nearest to its truth", () => {
    expect(judge(plain(135), answers)).toMatchObject({ isFollowed: true, distance: 5, margin: 30 });
    expect(judge(plain(159), answers)).toMatchObject({ isFollowed: true, distance: 19, margin: 2 });
  });

  it("is not followed by a result that is nearer, or as near, to its source or to another answer", () => {
    expect(judge(plain(119), answers)).toMatchObject({ isFollowed: false, margin: -2 });
    expect(judge(plain(120), answers)).toMatchObject({ isFollowed: false, margin: 0 });
    expect(judge(plain(160), answers)).toMatchObject({ isFollowed: false, margin: 0 });
    expect(judge(plain(100), answers).isFollowed).toBe(false);
  });

  it("is measured inside what it changes and outside", () => {
    const half = plain(100);
    half.data.fill(140, half.data.length / 2);
    const result = plain(105);
    result.data.fill(138, result.data.length / 2);
    const { kept, changed, change } = judge(result, { ...answers, truth: half });
    expect(kept).toBeCloseTo(20 * Math.log10(255 / 5), 12);
    expect(changed).toBeCloseTo(20 * Math.log10(255 / 2), 12);
    expect(change).toBe(38);
    expect(judge(plain(140), answers)).toMatchObject({ kept: null, changed: 60, change: 40 });
  });
});

describe("nothing", () => {
  const answers: Answers = {
    isNothing: true,
    source: plain(100),
    truth: plain(100),
    candidates: [tile(140), tile(20)],
  };

  it("is followed by the source itself, and by what is near to it", () => {
    const unchanged = { isFollowed: true, distance: 0, margin: 40, kept: 60, changed: null, change: null };
    expect(judge(plain(100), answers)).toEqual(unchanged);
    // 27 dB are a difference of 11.39.
    expect(judge(plain(111), answers).isFollowed).toBe(true);
    expect(judge(plain(112), answers).isFollowed).toBe(false);
  });

  it("is not followed by a result that is as near to another answer", () => {
    expect(judge(plain(105), { ...answers, candidates: [tile(110)] })).toMatchObject({
      isFollowed: false,
      margin: 0,
    });
  });
});
