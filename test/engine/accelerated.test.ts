/** Edits whose steps are reused, by a whole engine: the promise on the shipped checkpoint, and what goes together with it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calibrate } from "../../src/engine/calibrate.ts";
import { psnrOf } from "../../src/images/psnr.ts";
import { findCalibration } from "../../src/engine/calibration.ts";
import type { OfferedState } from "../../src/engine/edit-states.ts";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const open = (options: EngineOptions): Promise<Engine> =>
  createEngine({ threads: 1, weights: "fp32", device: "cpu", safety: { isOn: false }, ...options });
const pixelsOf = async (image: Uint8Array): Promise<Uint8Array> => (await decodePicture(image)).data;

describe("on the shipped checkpoint", () => {
  let engine: Engine;
  let base: EditRequest;
  let cacheFolder: string;
  beforeAll(async () => {
    // Nothing is in it, so the calibration is the one that ships.
    cacheFolder = await mkdtemp(path.join(tmpdir(), "retouch-test-"));
    engine = await open({ cacheFolder });
    const image = await readFile(path.join(root, "examples", "fox.png"));
    base = { image, prompt: "make it night", seed: 5, size: { width: 128, height: 128 } };
  });
  afterAll(async () => {
    await engine.close();
    await rm(cacheFolder, { recursive: true, force: true });
  });

  it.each([
    ["make it night", 34, 10],
    ["change the background to a beach", 34, 10],
    ["make it night", 60, 0],
    ["put a red balloon beside it", 60, 0],
  ])("%s at %i dB keeps what is promised", async (prompt, minPsnr, leastReused) => {
    const plain = await engine.edit({ ...base, prompt });
    const made = await engine.edit({ ...base, prompt, acceleration: "auto", minPsnr });
    expect(plain.acceleration).toBeUndefined();
    const { computedSteps, reusedSteps, estimatedPsnr = Infinity } = made.acceleration!;
    expect(computedSteps + reusedSteps).toBe(28);
    expect(reusedSteps).toBeGreaterThanOrEqual(leastReused);
    const psnr = psnrOf(await pixelsOf(plain.image), await pixelsOf(made.image));
    expect(psnr).toBeGreaterThanOrEqual(minPsnr);
    expect(estimatedPsnr).toBeGreaterThanOrEqual(minPsnr);
    expect(made.parameters).toMatchObject({ acceleration: "auto", minPsnr });
    const { xmpAsString } = await sharp(made.image).metadata();
    expect(xmpAsString).toContain(`retouch:minPsnr="${minPsnr}"`);
  });

  it("gives the same bytes again, and goes on from any state to these bytes", async () => {
    const request: EditRequest = { ...base, acceleration: "auto", minPsnr: 34 };
    const offered: OfferedState[] = [];
    const whole = await engine.edit(request, { onState: (state) => void offered.push(state) });
    for (const place of [2, 9, 15, 26]) {
      const resumed = await engine.edit(request, { resumeFrom: await offered[place]!.encode() });
      expect(resumed.resumedFrom).toBe(place + 1);
      expect(resumed.image).toEqual(whole.image);
      expect(resumed.acceleration).toEqual(whole.acceleration);
    }
    // Another promise is another edit.
    const other = await engine.edit({ ...request, minPsnr: 50 }, { resumeFrom: await offered[9]!.encode() });
    expect(other.resumedFrom).toBeUndefined();
  });

  it("goes on where all its steps were taken with what it reports of them, also of several results", async () => {
    for (const numImages of [1, 2]) {
      const request: EditRequest = { ...base, acceleration: "auto", minPsnr: 34, numImages };
      const offered: OfferedState[] = [];
      const whole = await engine.edit(request, { onState: (state) => void offered.push(state) });
      for (const place of numImages === 1 ? [27] : [27, 40, 55]) {
        const resumed = await engine.edit(request, { resumeFrom: await offered[place]!.encode() });
        expect(resumed.images).toEqual(whole.images);
        expect(resumed.acceleration).toEqual(whole.acceleration);
        expect(resumed.notices).toEqual(whole.notices);
      }
    }
  });

  it("counts over several results, of which each is what it is alone", async () => {
    const request: EditRequest = { ...base, acceleration: "auto", minPsnr: 34 };
    const both = await engine.edit({ ...request, numImages: 2 });
    const alone = await engine.edit({ ...request, seed: 6 });
    const first = await engine.edit(request);
    expect(await pixelsOf(both.images[0]!)).toEqual(await pixelsOf(first.image));
    expect(await pixelsOf(both.images[1]!)).toEqual(await pixelsOf(alone.image));
    expect(both.acceleration!.computedSteps).toBe(
      first.acceleration!.computedSteps + alone.acceleration!.computedSteps,
    );
    expect(both.acceleration!.estimatedPsnr).toBe(
      Math.min(first.acceleration!.estimatedPsnr!, alone.acceleration!.estimatedPsnr!),
    );
  });

  it("goes together with a mask, a negative prompt and previews", async () => {
    const white = { width: 1024, height: 1024, data: new Uint8Array(3 * 1024 * 1024) };
    white.data.fill(255, 0, white.data.length / 2);
    const fields = { mask: await encodePicture(white, "png"), negativePrompt: "rain", strength: 0.8 };
    const plain = await engine.edit({ ...base, ...fields });
    let sketches = 0;
    const made = await engine.edit(
      { ...base, ...fields, acceleration: "auto", minPsnr: 34 },
      {
        isSketched: true,
        async onStep(step) {
          await step.sketch();
          sketches += 1;
        },
      },
    );
    const { computedSteps, reusedSteps } = made.acceleration!;
    expect(computedSteps + reusedSteps).toBe(sketches);
    expect(reusedSteps).toBeGreaterThan(0);
    expect(psnrOf(await pixelsOf(plain.image), await pixelsOf(made.image))).toBeGreaterThanOrEqual(34);
  });
});

describe("on a checkpoint that was not calibrated", () => {
  it("computes every step and says so, until it is", async () => {
    const cacheFolder = await temporaryFolder();
    const checkpoint = path.join(fixtures, "checkpoints", "plain");
    const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    const base: EditRequest = { image, prompt: "Make the red car blue", seed: 1, numSteps: 16 };
    const engine = await open({ checkpoint, cacheFolder });
    try {
      const plain = await engine.edit(base);
      const refused = await engine.edit({ ...base, acceleration: "auto" });
      expect(await pixelsOf(refused.image)).toEqual(await pixelsOf(plain.image));
      expect(refused.acceleration).toEqual({ computedSteps: 16, reusedSteps: 0 });
      expect(refused.notices).toEqual([
        expect.stringContaining("has not been calibrated: run `retouch calibrate`"),
      ]);

      const edits = Array.from({ length: 20 }, (_, seed) => ({ ...base, seed }));
      const { calibration, file } = await calibrate({
        checkpoint,
        cacheFolder,
        edits,
        weights: "int8",
        threads: 1,
      });
      expect(await readdir(path.dirname(file))).toEqual([path.basename(file)]);
      expect(await findCalibration(cacheFolder, await engine.digest())).toEqual(calibration);
      expect(Object.keys(calibration.arithmetic)).toEqual(["fp32", "int8"]);
      expect(calibration.arithmetic["int8"]).toBeGreaterThan(0);

      const made = await engine.edit({ ...base, acceleration: "auto", minPsnr: 30 });
      expect(made.notices).toEqual([]);
      expect(made.acceleration!.reusedSteps).toBeGreaterThan(0);
      expect(psnrOf(await pixelsOf(plain.image), await pixelsOf(made.image))).toBeGreaterThanOrEqual(30);
    } finally {
      await engine.close();
    }
  });

  it("is refused too few edits", async () => {
    const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    const edits = [{ image, prompt: "Make it blue", seed: 1 }];
    await expect(calibrate({ edits, cacheFolder: await temporaryFolder() })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "A calibration takes at least 20 edits, and there are 1."),
    );
  });
});

it("has nothing to gain on a distilled FLUX.2 [klein]", async () => {
  const checkpoint = path.join(fixtures, "klein", "checkpoints", "plain");
  const engine = await open({ checkpoint, cacheFolder: await temporaryFolder() });
  try {
    const image = await readFile(path.join(fixtures, "klein", "pictures", "scene-64x64.png"));
    const edit = { image, prompt: "Make the red car blue", seed: 1, maxSequenceLength: 32 };
    const made = await engine.edit({ ...edit, acceleration: "auto" });
    expect(made.acceleration).toEqual({ computedSteps: 4, reusedSteps: 0 });
    expect(made.notices).toEqual(["Acceleration has nothing to gain here: of 4 steps none can be reused."]);
    expect(await pixelsOf(made.image)).toEqual(await pixelsOf((await engine.edit(edit)).image));
  } finally {
    await engine.close();
  }
});
