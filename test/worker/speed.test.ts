import { describe, expect, it } from "vitest";
import { estimateMs } from "../../src/engine/estimate.ts";
import { estimateJobMs } from "../../src/jobs/estimate.ts";
import type { JobImage } from "../../src/jobs/job.ts";
import { averageSpeed, defaultLimitMs, measureSpeed, speedAfter } from "../../src/worker/speed.ts";
import { resultOf } from "../support/jobs.ts";
import { editOf } from "./samples.ts";

const native = { nativeArea: 128 * 128, grid: 16 };

describe("measureSpeed", () => {
  it.each([
    {
      size: { width: 1024, height: 1024 },
      images: [undefined],
      numSteps: 28,
      guidance: 2,
      isNegativeUsed: false,
    },
    {
      size: { width: 64, height: 128 },
      images: [
        { width: 64, height: 64 },
        { width: 32, height: 32 },
      ],
      numSteps: 3,
      guidance: 4,
      isNegativeUsed: true,
    },
  ])("is what estimates the same edit as it was: %o", (edit) => {
    const speed = measureSpeed({ ...native, attentionShare: 0.2 }, { totalMs: 3000, denoiseMs: 2400 }, edit);
    expect(speed).toMatchObject({ ...native, fixedMs: 600 });
    expect(estimateMs(speed, edit)).toBeCloseTo(3000);
  });
});

describe("the speed after an edit", () => {
  const known = { ...native, secondPass: "guidance", isSmallKept: true, fixedMs: 600, stepMs: 50 } as const;
  const side = { width: 128, height: 128 };
  const result = { ...resultOf(), size: side, numSteps: 4, guidance: 4 };
  const timing = { totalMs: 1400, denoiseMs: 800, images: [side] };

  it("stays where the edit took as long as was estimated, with its passes and images", () => {
    // Four steps of two passes, each 100 ms.
    expect(speedAfter({ ...known, stepMs: 100 }, result, timing).stepMs).toBeCloseTo(100);
    // With three images, those steps are twice as long.
    expect(speedAfter(known, result, { ...timing, images: [side, side, side] }).stepMs).toBeCloseTo(50);
    const small = { width: 64, height: 64 };
    // And a half longer with four that have a quarter of its pixels.
    const seen = { ...timing, images: [side, small, small, small, small] };
    expect(speedAfter({ ...known, stepMs: 200 / 3 }, result, seen).stepMs).toBeCloseTo(200 / 3);
  });

  it("counts the steps that this attempt has taken, if any", () => {
    expect(speedAfter({ ...known, stepMs: 200 }, result, { ...timing, numSteps: 2 }).stepMs).toBeCloseTo(200);
    expect(speedAfter(known, result, { ...timing, numSteps: 0 })).toBe(known);
  });
});

describe("several results", () => {
  const side = { width: 128, height: 128 };
  const speed = { ...native, fixedMs: 600, stepMs: 100 };
  const edit = { size: side, images: [side], numSteps: 4, guidance: 2, isNegativeUsed: false };

  it("take as long as so many edits, at most", () => {
    expect(estimateMs(speed, { ...edit, numImages: 3 })).toBe(3 * estimateMs(speed, edit));
  });

  it("have a time limit of so many edits", () => {
    const job = editOf({ kind: "stored", key: "inputs/a.bin", size: side }, { size: side, numSteps: 50 });
    expect(defaultLimitMs(undefined, { ...job, numImages: 3 })).toBe(3 * defaultLimitMs(undefined, job));
    const slow = { ...speed, stepMs: 60_000 };
    expect(defaultLimitMs(slow, { ...job, numImages: 2 })).toBe(2 * defaultLimitMs(slow, job));
  });

  it("tell how long a step takes, and leave the rest as it is known", () => {
    const one = { image: resultOf().image, seed: 7 };
    const result = { ...resultOf(), size: side, numSteps: 4, images: [one, one] };
    const after = speedAfter({ ...speed, stepMs: 50 }, result, {
      totalMs: 900,
      denoiseMs: 800,
      images: [side],
    });
    // Eight steps of 100 ms.
    expect(after.stepMs).toBeCloseTo(50 + 0.3 * 50);
    expect(after.fixedMs).toBe(600);
  });
});

describe("several images that are stitched", () => {
  const side = { width: 128, height: 128 };
  const speed = { ...native, fixedMs: 600, stepMs: 100 };
  const image = (size?: { width: number; height: number }): JobImage => ({
    kind: "stored",
    key: "inputs/a.bin",
    size,
  });
  const timeOf = (images: JobImage[], imageLayout: "index" | "stitch"): number =>
    estimateJobMs(speed, { ...editOf(image(side), { size: side, numSteps: 4 }), images, imageLayout });

  it("take as long as one image, and as streams as long as so many", () => {
    const one = timeOf([image(side)], "stitch");
    expect(timeOf([image(side), image(side)], "index")).toBeCloseTo(600 + 1.5 * (one - 600));
    // Twice as wide as high, and of the native area in whole tokens: 181 x 91.
    expect(timeOf([image(side), image(side)], "stitch")).toBeCloseTo(
      600 + 400 * ((192 * 96 + 128 ** 2) / (2 * 128 ** 2)),
    );
  });

  it("count as the largest where their sizes are not known, or cannot be stitched", () => {
    const one = timeOf([image(side)], "stitch");
    expect(timeOf([image(side), image()], "stitch")).toBe(one);
    expect(timeOf([image(side), image({ width: 9000, height: 100 })], "stitch")).toBe(one);
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

  it("counts images by what their headers say, and as native where that is not known", () => {
    const slow = { nativeArea: 2 ** 20, grid: 16, isSmallKept: true, fixedMs: 0, stepMs: MINUTE_MS };
    const of = (...images: JobImage[]) =>
      defaultLimitMs(slow, { ...edit, images, size: { width: 1024, height: 1024 } }) / (4 * 28 * MINUTE_MS);
    const stored = (side?: number): JobImage => ({
      kind: "stored",
      key: "inputs/picture.bin",
      size: side === undefined ? undefined : { width: side, height: side / 2 },
    });
    expect(of(stored())).toBe(1);
    expect(of(stored(), { kind: "url", url: "https://example.com/a.png" })).toBe(1.5);
    expect(of(stored(), stored(512))).toBe(1 + 1 / 16);
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
