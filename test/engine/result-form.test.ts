/** What an edit takes over from its image into the file of its result, with a small random checkpoint. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { deepOf, laidOn } from "../../src/images/convert-deep.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { decodeSource } from "../../src/images/decode-source.ts";
import type { DeepPicture } from "../../src/images/deep-picture.ts";
import { encodeDeep, encodePicture } from "../../src/images/encode.ts";
import { wideSpaceOf } from "../../src/images/colour-space.ts";
import { writeProfile } from "../../src/images/icc-write.ts";
import { readProfile } from "../../src/images/icc.ts";
import type { Picture } from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { largestDifference } from "../images/samples.ts";
import { fixtures, root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

let engine: Engine;
let scene: Picture;
/** The scene in a soft circle. */
let cut: DeepPicture;
let base: EditRequest;
beforeAll(async () => {
  engine = await createEngine({ checkpoint: path.join(fixtures, "checkpoints", "plain"), threads: 1 });
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  scene = await decodePicture(image);
  const alpha = {
    max: 255,
    data: Uint8Array.from({ length: 64 * 64 }, (_, i) => {
      const distance = Math.hypot((i % 64) - 31.5, Math.floor(i / 64) - 31.5);
      return Math.round(255 * Math.min(Math.max((28 - distance) / 8, 0), 1));
    }),
  };
  const { space } = (await decodeSource(image)).deep;
  cut = deepOf(scene, { space, depth: 8, alpha });
  base = { image: await encodeDeep(cut, "png"), prompt: "Make it night", seed: 1, numSteps: 2 };
});
afterAll(() => engine.close());
afterEach(() => {
  vi.restoreAllMocks();
});

const edit = (changes: Partial<EditRequest> = {}) => engine.edit({ ...base, ...changes });
const alphaOf = ({ data }: DeepPicture): number[] => [...data].filter((_, i) => i % 4 === 3);

describe("transparency", () => {
  it.each(["png", "webp", "avif"] as const)(
    "is in the result as it was in the image, in %s",
    async (format) => {
      const { image, hasTransparency, notices } = await edit({
        format,
        outputQuality: format === "png" ? undefined : 100,
      });
      const { deep } = await decodeSource(image);
      expect([deep.channels, hasTransparency, notices]).toEqual([4, true, []]);
      expect(alphaOf(deep)).toEqual(alphaOf(cut));
    },
  );

  it("gives on white what the networks drew", async () => {
    const [kept, drawn] = [await edit(), await edit({ background: "opaque" })];
    const { deep } = await decodeSource(kept.image);
    const picture = await decodePicture(drawn.image);
    expect(drawn.hasTransparency).toBe(false);
    const onWhite = laidOn(deep);
    for (let i = 0; i < picture.data.length; i++) {
      const share = cut.data[4 * Math.floor(i / 3) + 3]!;
      // A colour that white shows through by more than it is bright cannot come of any colour of the image.
      const least = 255 - share;
      if (share > 0 && picture.data[i]! >= least) {
        expect(Math.abs(onWhite.data[i]! - picture.data[i]!)).toBeLessThanOrEqual(1);
      }
    }
  });

  it("is enlarged with the result", async () => {
    const { deep } = await decodeSource((await edit({ size: { width: 128, height: 128 } })).image);
    const [corner, middle] = [deep.data[3], deep.data[4 * (64 * 128 + 64) + 3]];
    expect([deep.width, deep.channels, corner, middle]).toEqual([128, 4, 0, 255]);
  });

  it("is laid on white in JPEG, and in another shape, with a notice", async () => {
    const jpeg = await edit({ format: "jpeg" });
    expect(jpeg.notices).toEqual(["The image's transparency was replaced with white, since JPEG has none."]);
    const wide = await edit({ size: { width: 128, height: 64 } });
    expect(wide.notices).toEqual([
      "The image's transparency was replaced with white, because the result has another shape.",
    ]);
    expect([jpeg.hasTransparency, wide.hasTransparency]).toEqual([false, false]);
  });

  it("is laid on a colour before the networks see it, without a notice", async () => {
    const flat = laidOn(cut, [0, 255, 0]);
    const image = await encodePicture({ ...flat, data: flat.data as Uint8Array }, "png");
    const [laid, before] = [await edit({ background: "#0f0" }), await edit({ image })];
    expect(await decodePicture(laid.image)).toEqual(await decodePicture(before.image));
    expect([laid.notices, laid.parameters.background]).toEqual([[], "#0f0"]);
  });

  it.each<[string, Partial<EditRequest>, string]>([
    ["in JPEG", { format: "jpeg" }, "JPEG has no transparency"],
    ["in another shape", { size: { width: 128, height: 64 } }, "the result has another shape than the image"],
  ])("that must be kept is refused %s before the networks run", async (_, changes, reason) => {
    const velocity = vi.spyOn(Networks.prototype, "velocities");
    await expect(edit({ ...changes, background: "transparent" })).rejects.toThrow(
      refusal("INVALID_PARAMETER", `background must not be transparent: ${reason}.`) as Error,
    );
    expect(velocity).not.toHaveBeenCalled();
  });

  it("that must be kept is refused of an opaque image", async () => {
    const image = await encodePicture(scene, "png");
    await expect(edit({ image, background: "transparent" })).rejects.toThrow(
      "background must not be transparent: the image has no transparency, and the model draws none.",
    );
  });

  it.each(["", "white", "#12", "#1234567", 7])("is not asked for by %o", async (background) => {
    await expect(edit({ background: background as string })).rejects.toThrow(
      "background must be auto, transparent, opaque or a colour such as #ffffff, not",
    );
  });
});

describe("a wide colour space", () => {
  it("is that of the result, whose colours are those of the same edit in sRGB", async () => {
    const p3 = await sharp(scene.data, { raw: { width: 64, height: 64, channels: 3 } })
      .withIccProfile("p3")
      .png()
      .toBuffer();
    const plain = await encodePicture(await decodePicture(p3), "png");
    const wanted = await decodePicture((await edit({ image: plain })).image);
    for (const format of ["png", "webp", "avif", "jpeg"] as const) {
      const result = await edit({ image: p3, format, outputQuality: format === "png" ? undefined : 100 });
      const { deep, picture } = await decodeSource(result.image);
      expect(deep.space.icc).toEqual(new Uint8Array((await sharp(p3).metadata()).icc!));
      expect(largestDifference(picture, wanted)).toBeLessThanOrEqual(format === "jpeg" ? 12 : 2);
      expect(result.notices).toEqual([]);
    }
  });
});

describe("the bits of an image", () => {
  it("are those of the result where its format has them; otherwise a notice says so", async () => {
    const image = await encodeDeep(deepOf(scene, { space: {}, depth: 16 }), "png");
    const ofFormat = async (format: "png" | "avif" | "webp" | "jpeg") => {
      const result = await edit({ image, format });
      return [(await sharp(result.image).metadata()).bitsPerSample, result.notices];
    };
    expect(await ofFormat("png")).toEqual([16, []]);
    expect(await ofFormat("avif")).toEqual([
      10,
      ["The image has 16 bits per colour, and the result 10, since AVIF supports no more."],
    ]);
    expect(await ofFormat("webp")).toEqual([
      undefined,
      ["The image has 16 bits per colour, and the result 8, since WebP supports no more."],
    ]);
  });
});

describe("the request", () => {
  it("is told of a quality without effect, and of fields that nobody knows", async () => {
    const misspelt = { outputQuality: 50, numStep: 9, colour: "red" };
    expect((await edit(misspelt)).notices).toEqual([
      "numStep is not known here and has no effect; did you mean numSteps?",
      "colour is not known here and has no effect.",
      "The quality has no effect, since PNG is always lossless.",
    ]);
  });

  it.each([0, 101, 50.5, "80"])("is refused with the quality %o", async (outputQuality) => {
    await expect(edit({ outputQuality: outputQuality as number, format: "webp" })).rejects.toThrow(
      "outputQuality must be a whole number from 1 to 100, not",
    );
  });
});

describe("what is kept of an image", () => {
  it("is its own numbers: wide colours of 16 bits, and their transparency", async () => {
    const tiny = await createEngine({ threads: 1 });
    const car = await resizePicture(
      await decodePicture(await readFile(path.join(root, "examples", "car.png"))),
      256,
      256,
    );
    const icc = writeProfile([0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329], { kind: "srgb" });
    const space = wideSpaceOf({ kind: "profile", profile: readProfile(icc)! }, icc)!;
    // A band on the left is half transparent.
    const alpha = {
      max: 255,
      data: Uint8Array.from({ length: 256 * 256 }, (_, i) => (i % 256 < 40 ? 128 : 255)),
    };
    const source = deepOf(car, { space, depth: 16, alpha });
    // Numbers that no 8-bit picture has.
    for (let i = 0; i < source.data.length; i += 4) source.data[i] = Math.min(source.data[i]! + 77, 65_535);
    const request = {
      image: await encodeDeep(source, "png"),
      prompt: "Make the car green",
      seed: 1,
      numSteps: 8,
    };
    const { image, kept, notices } = await tiny.edit({ ...request, isUnchangedKept: true });
    await tiny.close();
    expect([notices, kept!.changedShare > 0.05, kept!.changedShare < 0.8]).toEqual([[], true, true]);
    const { deep } = await decodeSource(image);
    expect([deep.space.icc, deep.data.BYTES_PER_ELEMENT, deep.channels]).toEqual([icc, 2, 4]);
    let numCopies = 0;
    for (let pixel = 0; pixel < 256 * 256; pixel++) {
      const at = 4 * pixel;
      expect(deep.data[at + 3]).toBe(source.data[at + 3]);
      if ([0, 1, 2].every((k) => deep.data[at + k] === source.data[at + k])) numCopies += 1;
    }
    // All but the soft edges of the kept parts are copies.
    expect(numCopies / (256 * 256)).toBeGreaterThan(1 - kept!.changedShare - 0.1);
  });
});
