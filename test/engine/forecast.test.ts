import path from "node:path";
import { describe, expect, it } from "vitest";
import { convertedBytes, forecast, parametersOf, readNetworkSizes } from "../../src/engine/forecast.ts";
import { WEIGHTS_KINDS } from "../../src/engine/memory-plan.ts";
import { PUBLISHED_SIZES } from "../../src/pipelines/flux1-kontext/published.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const GB = 1e9;
const speed = { fp32: 100e9, int8: 200e9 };

describe("a forecast", () => {
  it("says how an edit with the published model fits into 24 GB", () => {
    const of = (kind: (typeof WEIGHTS_KINDS)[number]) =>
      forecast(PUBLISHED_SIZES, kind, 512, { limitBytes: 24 * GB, speed });
    expect(of("fp32")).toMatchObject({ isFitting: false, isResident: false });
    expect(of("int8")).toMatchObject({ isFitting: true, isResident: false, mappedBytes: 0 });
    expect(of("int4")).toMatchObject({ isFitting: true, isResident: true });
    expect(of("bf16").mappedBytes).toBeGreaterThan(17 * GB);
    expect(forecast(PUBLISHED_SIZES, "bf16", 512, { limitBytes: 16 * GB, speed }).isCached).toBe(false);
  });

  it("takes attention at the speed of float32 whatever the weights are", () => {
    const seconds = (kind: "fp32" | "int8") =>
      forecast(PUBLISHED_SIZES, kind, 1024, { limitBytes: 24 * GB, speed }).seconds;
    // 28 steps, 57 blocks, 8,704 tokens, 3,072 channels.
    const attention = (28 * 57 * 4 * 8704 ** 2 * 3072) / speed.fp32;
    expect(seconds("int8")).toBeCloseTo((seconds("fp32") - attention) / 2 + attention, 3);
  });

  it("counts the files of converted weights, modulation at 8 bits at least", () => {
    expect(convertedBytes(PUBLISHED_SIZES, "int8") / GB).toBeCloseTo(17.3, 1);
    expect(convertedBytes(PUBLISHED_SIZES, "int4") / GB).toBeCloseTo(10.7, 1);
    expect(parametersOf(PUBLISHED_SIZES).clip).toBe(123_060_480);
  });

  it("is made of a checkpoint's sizes, none of it loaded, and refuses one that does not fit its weights", async () => {
    const sizes = await readNetworkSizes(path.join(fixtures, "checkpoints", "plain"));
    expect(sizes).toMatchObject({ t5Length: 24, flux: { numDoubleBlocks: 2, numHeads: 2 } });
    await expect(readNetworkSizes(path.join(fixtures, "nowhere"))).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", /does not exist/),
    );
  });
});
