import path from "node:path";
import { describe, expect, it } from "vitest";
import { convertedBytes, forecast, parametersOf, readModelPlan } from "../../src/engine/forecast.ts";
import { WEIGHTS_KINDS } from "../../src/engine/component.ts";
import { planKlein } from "../../src/pipelines/flux2-klein/components.ts";
import { PUBLISHED_KLEIN_CONFIGS, PUBLISHED_KLEIN_PLAN } from "../../src/pipelines/flux2-klein/published.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const GB = 1e9;
const speed = { fp32: 100e9, int8: 200e9 };

describe("a forecast", () => {
  it("says how an edit with the published model fits into 24 GB", () => {
    const of = (kind: (typeof WEIGHTS_KINDS)[number]) =>
      forecast(PUBLISHED_PLAN, kind, 512, { limitBytes: 24 * GB, speed });
    expect(of("fp32")).toMatchObject({ isFitting: false, isResident: false });
    expect(of("int8")).toMatchObject({ isFitting: true, isResident: false, mappedBytes: 0 });
    expect(of("int4")).toMatchObject({ isFitting: true, isResident: true });
    expect(of("bf16").mappedBytes).toBeGreaterThan(17 * GB);
    expect(forecast(PUBLISHED_PLAN, "bf16", 512, { limitBytes: 16 * GB, speed }).isCached).toBe(false);
  });

  it("takes attention at the speed of float32 whatever the weights are", () => {
    const seconds = (kind: "fp32" | "int8", int8 = speed.int8) =>
      forecast(PUBLISHED_PLAN, kind, 1024, { limitBytes: 24 * GB, speed: { ...speed, int8 } }).seconds;
    // 28 steps, 57 blocks, 8,704 tokens, 3,072 channels.
    const attention = (28 * 57 * 4 * 8704 ** 2 * 3072) / speed.fp32;
    // What is left where 8 bits take no time: CLIP, which is float32, and the attention of the other networks.
    const left = seconds("int8", Infinity);
    expect(left).toBeGreaterThan(attention);
    expect(left).toBeLessThan(1.005 * attention);
    expect(seconds("int8")).toBeCloseTo((seconds("fp32") - left) / 2 + left, 3);
  });

  it("counts the files of converted weights, modulation at 8 bits at least", () => {
    expect(convertedBytes(PUBLISHED_PLAN, "int8") / GB).toBeCloseTo(17.3, 1);
    expect(convertedBytes(PUBLISHED_PLAN, "int4") / GB).toBeCloseTo(10.7, 1);
    expect(parametersOf(PUBLISHED_PLAN)["text_encoder"]).toBe(123_060_480);
  });

  it("counts the passes, steps and images of the model", () => {
    const seconds = (changes: object) =>
      forecast(planKlein({ ...PUBLISHED_KLEIN_CONFIGS, ...changes }), "fp32", 512, {
        limitBytes: 24 * GB,
        speed,
      }).seconds;
    // Four steps of a 3.88 billion weights' transformer over 512 tokens of text, 1,024 of the target and as many of the
    // image: two operations a weight and token, most of the time that an edit takes.
    const steps = (4 * 2 * 3.88e9 * 2560) / speed.fp32;
    expect(seconds({}) / steps).toBeGreaterThan(0.9);
    expect(seconds({}) / steps).toBeLessThan(1.3);
    // Fifty steps of two passes, and the text of the second.
    expect(seconds({ isDistilled: false }) / seconds({})).toBeGreaterThan(20);
    expect(seconds({ isDistilled: false }) / seconds({})).toBeLessThan(25);
    // The image passes once an edit.
    expect(seconds({ areReferencesKept: true })).toBeLessThan(0.85 * seconds({}));
  });

  it("counts weights that two networks read once", () => {
    const kept = planKlein({ ...PUBLISHED_KLEIN_CONFIGS, areReferencesKept: true });
    expect(parametersOf(kept)).toEqual(parametersOf(PUBLISHED_KLEIN_PLAN));
    expect(convertedBytes(kept, "int8")).toBe(convertedBytes(PUBLISHED_KLEIN_PLAN, "int8"));
    // Both halves of the autoencoder read the statistics of its latents: twice 128 numbers.
    expect(parametersOf(PUBLISHED_KLEIN_PLAN)["vae"]).toBe(84_046_371);
  });

  it("is made of a checkpoint's sizes, none of it loaded, and refuses one that does not fit its weights", async () => {
    const plan = await readModelPlan(path.join(fixtures, "checkpoints", "plain"));
    expect(plan.native).toEqual({ area: 128 ** 2, grid: 16 });
    expect(plan.components.map(({ name }) => name)).toEqual(
      PUBLISHED_PLAN.components.map(({ name }) => name),
    );
    await expect(readModelPlan(path.join(fixtures, "nowhere"))).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", /does not exist/),
    );
  });
});
