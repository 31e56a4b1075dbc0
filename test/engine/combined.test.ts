/** Masks, several results, formats and exact copies together, with small random checkpoints. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { wideSpaceOf } from "../../src/images/colour-space.ts";
import { deepOf } from "../../src/images/convert-deep.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { decodeSource } from "../../src/images/decode-source.ts";
import type { DeepPicture } from "../../src/images/deep-picture.ts";
import { encodeDeep } from "../../src/images/encode.ts";
import { readProfile } from "../../src/images/icc.ts";
import { writeProfile } from "../../src/images/icc-write.ts";
import type { Picture } from "../../src/images/picture.ts";
import { fixtures } from "../support/fixtures.ts";
import { grayPng, transparentPng } from "../support/gray-png.ts";

const FOLDERS = { kontext: "checkpoints/plain", klein: "klein/checkpoints/plain" };
const SIDE = 64;
const PIXELS = SIDE * SIDE;
const isRight = (pixel: number): boolean => pixel % SIDE >= SIDE / 2;

const engines = {} as Record<keyof typeof FOLDERS, Engine>;
let scene: Picture;
let base: EditRequest;
/** Display P3 in 16 bits, with numbers that no 8-bit picture has; its upper rows are half transparent. */
let deep: DeepPicture;
let wide: EditRequest;

beforeAll(async () => {
  for (const name of ["kontext", "klein"] as const) {
    const checkpoint = path.join(fixtures, FOLDERS[name]);
    engines[name] = await createEngine({ checkpoint, weights: "fp32", threads: 1, safety: { isOn: false } });
  }
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  scene = await decodePicture(image);
  // The right half may change.
  const mask = await grayPng({
    width: SIDE,
    height: SIDE,
    data: Uint8Array.from({ length: PIXELS }, (_, pixel) => (isRight(pixel) ? 255 : 0)),
  });
  base = { image, mask, prompt: "Make it night", seed: 1, numSteps: 2, maxSequenceLength: 32 };

  const icc = writeProfile([0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329], { kind: "srgb" });
  const space = wideSpaceOf({ kind: "profile", profile: readProfile(icc)! }, icc)!;
  const data = Uint8Array.from({ length: PIXELS }, (_, pixel) => (pixel < PIXELS / 4 ? 128 : 255));
  deep = deepOf(scene, { space, depth: 16, alpha: { max: 255, data } });
  for (let i = 0; i < deep.data.length; i += 4) deep.data[i] = Math.min(deep.data[i]! + 77, 65_535);
  wide = { ...base, image: await encodeDeep(deep, "png") };
});
afterAll(() => Promise.all(Object.values(engines).map((engine) => engine.close())));

/** Pixels at the left that are not the source's, and at the right that are other than it. */
function changed(result: DeepPicture, source: DeepPicture): { left: number; right: number } {
  const counts = { left: 0, right: 0 };
  const { channels } = source;
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const at = channels * pixel;
    const isSame = Array.from({ length: channels }, (_, k) => at + k).every(
      (i) => result.data[i] === source.data[i],
    );
    if (!isSame) counts[isRight(pixel) ? "right" : "left"] += 1;
  }
  return counts;
}

describe.each(["kontext", "klein"] as const)("edits inside a mask with %s", (name) => {
  it.each<[string, Partial<EditRequest>]>([
    ["all of the image", { strength: 0.5 }],
    ["a crop", { paddingMaskCrop: 4 }],
    ["what is preserved", { preserve: "auto", maskFeather: 4 }],
  ])("draw several results as edits with their seeds do: %s", async (_, fields) => {
    const request = { ...base, ...fields };
    const { results } = await engines[name].edit({ ...request, numImages: 2 });
    expect(results.map(({ seed }) => seed)).toEqual([1, 2]);
    for (const { image, seed } of results) {
      expect(image).toEqual((await engines[name].edit({ ...request, seed })).image);
    }
    expect(results[0]!.image).not.toEqual(results[1]!.image);
  });

  it.each<[string, Partial<EditRequest>]>([
    ["all of the image", { preserve: "exact" }],
    ["a crop", { preserve: "exact", paddingMaskCrop: 2 }],
    ["a crop of which nothing else is preserved", { paddingMaskCrop: 2 }],
  ])("keep the file's own numbers outside: %s", async (_, fields) => {
    const { image, kept, hasTransparency } = await engines[name].edit({ ...wide, ...fields });
    const result = (await decodeSource(image)).deep;
    expect([result.channels, result.data.constructor, hasTransparency]).toEqual([4, Uint16Array, true]);
    expect(result.space.icc).toEqual(deep.space.icc);
    const { left, right } = changed(result, deep);
    expect(left).toBe(0);
    expect(right).toBeGreaterThan(PIXELS / 8);
    const alpha = (picture: DeepPicture) => [...picture.data].filter((__, i) => i % 4 === 3);
    expect(alpha(result)).toEqual(alpha(deep));
    if (fields.preserve) expect(kept!.changedShare).toBeLessThanOrEqual(0.5);
  });

  it("show in a map what is outside", async () => {
    for (const paddingMaskCrop of [undefined, 2]) {
      const { kept } = await engines[name].edit({
        ...base,
        paddingMaskCrop,
        preserve: "exact",
        isMaskWanted: true,
      });
      const { width, height, data } = kept!.map!;
      expect([width, height]).toEqual([SIDE, SIDE]);
      expect([...data].every((value, pixel) => isRight(pixel) || value === 255)).toBe(true);
      const { shares } = kept!;
      expect(shares.kept + shares.carried + shares.drawn).toBeCloseTo(1, 5);
      expect(shares.drawn).toBeGreaterThan(0.1);
    }
  });

  it("draw where the image is transparent, which is not so in the result", async () => {
    const data = Uint8Array.from({ length: PIXELS }, (_, pixel) => (isRight(pixel) ? 0 : 255));
    const image = await transparentPng(scene, { width: SIDE, height: SIDE, data });
    const request = {
      ...base,
      image,
      mask: undefined,
      isTransparencyEdited: true,
      preserve: "exact" as const,
    };
    const filled = await engines[name].edit(request);
    const source = (await decodeSource(image)).deep;
    const result = await decodePicture(filled.image);
    expect(filled.hasTransparency).toBe(false);
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      if (isRight(pixel)) continue;
      const [at, from] = [3 * pixel, 4 * pixel];
      expect(result.data.subarray(at, at + 3)).toEqual(source.data.subarray(from, from + 3));
    }
    const cut = await engines[name].edit({ ...request, background: "transparent" });
    expect(cut.hasTransparency).toBe(true);
  });
});

describe("several results", () => {
  it.each(["webp", "avif"] as const)("have the image's transparency each, in %s", async (format) => {
    const { results } = await engines.kontext.edit({
      ...wide,
      mask: undefined,
      numImages: 2,
      format,
      outputQuality: 100,
    });
    for (const { image } of results) {
      const result = (await decodeSource(image)).deep;
      expect([result.channels, result.space.icc]).toEqual([4, deep.space.icc]);
      expect(Math.abs(result.data[3]! / (format === "webp" ? 255 : 65_535) - 128 / 255)).toBeLessThan(0.01);
    }
    expect(results[0]!.image).not.toEqual(results[1]!.image);
  });
});
