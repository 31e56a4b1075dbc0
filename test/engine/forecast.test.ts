import path from "node:path";
import { describe, expect, it } from "vitest";
import { convertedBytes, forecast, parametersOf, readModelPlan } from "../../src/engine/forecast.ts";
import { WEIGHTS_KINDS } from "../../src/engine/component.ts";
import { squareEdit } from "../../src/engine/extent.ts";
import type { DeviceSpeed } from "../../src/runtime/device-speed.ts";
import { planKlein } from "../../src/pipelines/flux2-klein/components.ts";
import { PUBLISHED_KLEIN_CONFIGS, PUBLISHED_KLEIN_PLAN } from "../../src/pipelines/flux2-klein/published.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const GB = 1e9;
const speed: DeviceSpeed = {
  products: { float32: 100e9, int8: 200e9, int4: 200e9 },
  attention: { float32: 100e9 },
  convolutions: 100e9,
  runSeconds: 0,
  failures: {},
};
const devices = [{ device: "cpu", speed }] as const;

describe("a forecast", () => {
  it("says how an edit with the published model fits into 24 GB", () => {
    const of = (kind: (typeof WEIGHTS_KINDS)[number]) =>
      forecast(PUBLISHED_PLAN, kind, squareEdit(512), { limitBytes: 24 * GB, devices });
    expect(of("fp32")).toMatchObject({ isFitting: false, isResident: false });
    expect(of("int8")).toMatchObject({ isFitting: true, isResident: false, mappedBytes: 0 });
    expect(of("int4")).toMatchObject({ isFitting: true, isResident: true });
    expect(of("bf16").mappedBytes).toBeGreaterThan(17 * GB);
    const tight = forecast(PUBLISHED_PLAN, "bf16", squareEdit(512), { limitBytes: 16 * GB, devices });
    expect(tight.isCached).toBe(false);
  });

  it("has the time of each device, in the tiles that its memory allows", () => {
    const gpu = { ...speed, products: { float32: 10e12 }, upBytes: 1e9, downBytes: 1e9 };
    const of = (kind: (typeof WEIGHTS_KINDS)[number], limitBytes: number) =>
      forecast(PUBLISHED_PLAN, kind, squareEdit(1024), {
        limitBytes,
        devices: [...devices, { device: "webgpu", speed: gpu }],
      });
    const { size, times } = of("fp32", 128 * GB);
    expect(size).toEqual({ width: 1024, height: 1024 });
    const [cpu, webgpu] = times;
    expect(cpu).toMatchObject({ device: "cpu", loadSeconds: 0 });
    expect(webgpu).toMatchObject({ device: "webgpu" });
    // 16.8 billion weights of four bytes.
    expect(webgpu!.loadSeconds).toBeGreaterThan(60);
    expect(webgpu!.seconds!).toBeLessThan(cpu!.seconds! / 2);
    // It has no kernel for them.
    expect(of("int8", 128 * GB).times[1]!.seconds).toBeNull();
    expect(of("int8", 10 * GB).times[0]!.seconds! - of("int8", 128 * GB).times[0]!.seconds!).toBeGreaterThan(
      1,
    );
  });

  it("counts the files of converted weights, modulation at 8 bits at least", () => {
    expect(convertedBytes(PUBLISHED_PLAN, "int8") / GB).toBeCloseTo(17.3, 1);
    expect(convertedBytes(PUBLISHED_PLAN, "int4") / GB).toBeCloseTo(10.7, 1);
    expect(parametersOf(PUBLISHED_PLAN)["text_encoder"]).toBe(123_060_480);
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
