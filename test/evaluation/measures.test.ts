import { describe, expect, it } from "vitest";
import {
  type Answers,
  areaAverage,
  changeMask,
  changeOf,
  decibelsOf,
  distanceOf,
  judge,
  outside,
  reducePicture,
  union,
} from "../../evaluation/measures.ts";

describe("measures of two images", () => {
  const pixels = (...values: number[][]) => ({
    width: values.length,
    height: 1,
    data: Uint8Array.from(values.flat()),
  });

  it("takes the mean of the absolute differences", () => {
    expect(distanceOf([0, 10, 20], [1, 7, 20])).toBeCloseTo(4 / 3, 12);
    expect(distanceOf(new Uint8Array([5, 5]), [5, 5])).toBe(0);
  });

  it("gives decibels of the mean square, and 60 to equal pictures", () => {
    const black = pixels([0, 0, 0], [0, 0, 0]);
    // One channel of six by 255: the mean square is 255^2 / 6.
    expect(decibelsOf(black, pixels([255, 0, 0], [0, 0, 0]))).toBeCloseTo(10 * Math.log10(6), 12);
    expect(decibelsOf(black, pixels([51, 51, 51], [51, 51, 51]))).toBeCloseTo(20 * Math.log10(5), 12);
    expect(decibelsOf(black, black)).toBe(60);
  });

  it("marks a pixel where any channel differs by more than 12", () => {
    const source = pixels([100, 100, 100], [100, 100, 100], [100, 100, 100]);
    const truth = pixels([112, 88, 100], [100, 113, 100], [100, 100, 87]);
    const mask = changeMask(source, truth);
    expect([...mask]).toEqual([0, 1, 1]);
    expect([...outside(mask)]).toEqual([1, 0, 0]);
    expect([...union(mask, Uint8Array.of(1, 0, 1))]).toEqual([1, 1, 1]);
  });

  it("measures the marked pixels alone, and none where none is marked", () => {
    const a = pixels([0, 0, 0], [10, 20, 30]);
    const b = pixels([255, 255, 255], [11, 18, 30]);
    const second = Uint8Array.of(0, 1);
    expect(changeOf(a, b, second)).toBe(1);
    expect(decibelsOf(a, b, second)).toBeCloseTo(10 * Math.log10(255 ** 2 / (5 / 3)), 12);
    expect(decibelsOf(a, b, Uint8Array.of(0, 0))).toBeNull();
    expect(changeOf(a, b, Uint8Array.of(0, 0))).toBeNull();
  });
});

describe("the judgement of a result", () => {
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
});

describe("an image that is reduced", () => {
  /** One number a pixel, in all three channels. */
  const gray = (width: number, height: number, values: readonly number[]) => ({
    width,
    height,
    data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
  });
  const line = gray(5, 1, [0, 100, 200, 30, 60]);
  const red = (values: Float64Array): number[] => [...values].filter((_, at) => at % 3 === 0);

  it("counts a pixel at the edge by the part that is inside", () => {
    // 2.5 pixels each: 0 + 100 + half of 200; half of 200 + 30 + 60.
    expect(red(areaAverage(line, 2, 1))).toEqual([80, 76]);
    const thirds = red(areaAverage(line, 3, 1));
    expect(thirds[0]).toBeCloseTo((0 + 100 * (2 / 3)) / (5 / 3), 12);
    expect(thirds[1]).toBeCloseTo((100 / 3 + 200 + 30 / 3) / (5 / 3), 12);
  });

  it("takes whole pixels by their mean, and one pixel as it is", () => {
    expect(red(areaAverage(gray(4, 2, [1, 3, 5, 7, 5, 7, 9, 11]), 2, 1))).toEqual([4, 8]);
    expect(red(areaAverage(line, 5, 1))).toEqual([0, 100, 200, 30, 60]);
  });

  it("keeps the mean of the whole, and a picture that has the size", () => {
    const data = Uint8Array.from({ length: 48 * 85 * 3 }, (_, at) => (at * 101) % 256);
    const picture = { width: 48, height: 85, data };
    const meanOf = (values: ArrayLike<number>): number =>
      Array.from(values).reduce((sum, v) => sum + v, 0) / values.length;
    expect(meanOf(areaAverage(picture, 32, 32))).toBeCloseTo(meanOf(data), 9);
    expect(reducePicture(picture, 48, 85)).toBe(picture);
  });
});
