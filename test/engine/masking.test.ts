/** A mask's file and its fields: what they mean, and what is refused. */
import { describe, expect, it } from "vitest";
import { checkMasking, skippedSteps } from "../../src/engine/mask-rules.ts";
import { readMask } from "../../src/engine/masking.ts";
import { encodePicture } from "../../src/images/encode.ts";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";
import { grayPng, transparentPng } from "../support/gray-png.ts";
import { refusal } from "../support/refusal.ts";

const picture = (width: number, height: number, values: readonly number[]): Picture => ({
  width,
  height,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
});
const gray = (width: number, height: number, data: readonly number[]): GrayPicture => ({
  width,
  height,
  data: Uint8Array.from(data),
});
const source = picture(4, 1, [9, 99, 150, 200]);
const image = { bytes: await encodePicture(source, "png"), picture: source };

const read = async (
  mask: Uint8Array | undefined,
  fields: Parameters<typeof readMask>[1] = {},
  of = image,
): Promise<number[] | undefined> => {
  const found = await readMask({ mask, image: of }, fields, { maxPixels: 1000 });
  return found && [...found.data];
};
const about = (sentence: string | RegExp) => refusal("INVALID_PARAMETER", sentence);

describe("a mask's file", () => {
  it("is grey, and white where the image may change", async () => {
    expect(await read(await grayPng(gray(4, 1, [0, 127, 128, 255])))).toEqual([0, 127, 128, 255]);
  });

  it("is black where it is transparent", async () => {
    const mask = await transparentPng(picture(4, 1, [255, 255, 255, 0]), gray(4, 1, [0, 255, 100, 0]));
    expect(await read(mask)).toEqual([0, 255, 100, 0]);
  });

  it("may change where it is transparent, for clients that mean it so, and otherwise where it is white", async () => {
    const fields = { isTransparencyEdited: true };
    const colours = picture(4, 1, [255, 255, 40, 0]);
    const mask = await transparentPng(colours, gray(4, 1, [0, 255, 100, 255]));
    expect(await read(mask, fields)).toEqual([255, 0, 155, 0]);
    const opaque = await transparentPng(colours, gray(4, 1, [255, 255, 255, 255]));
    expect(await read(opaque, fields)).toEqual([255, 255, 40, 0]);
    expect(await read(await grayPng(gray(4, 1, [0, 0, 255, 0])), fields)).toEqual([0, 0, 255, 0]);
  });

  it("may be the image's own transparency, if something is entirely so", async () => {
    const fields = { isTransparencyEdited: true };
    const own = async (alpha: number[]) => ({
      picture: source,
      bytes: await transparentPng(source, gray(4, 1, alpha)),
    });
    expect(await read(undefined, fields, await own([255, 0, 255, 3]))).toEqual([0, 255, 0, 252]);
    expect(await read(undefined, fields, await own([255, 1, 255, 3]))).toBeUndefined();
    expect(await read(undefined, fields)).toBeUndefined();
    expect(await read(undefined, {}, await own([255, 0, 255, 3]))).toBeUndefined();
  });

  it("is blurred before anything is asked of it", async () => {
    const mask = await grayPng(gray(4, 1, [0, 0, 255, 255]));
    expect(await read(mask, { maskBlur: 1 })).toEqual([16, 75, 179, 238]);
    const thin = await grayPng(gray(4, 1, [0, 0, 255, 0]));
    await expect(read(thin, { maskBlur: 2 })).rejects.toEqual(
      about("mask: nothing of it is white once it has been blurred, so nothing may change."),
    );
  });

  it.each<[string, () => Promise<Uint8Array>, string | RegExp]>([
    [
      "of another size",
      () => grayPng(gray(2, 2, [255, 255, 255, 255])),
      "mask: it has 2 x 2 pixels, and the image 4 x 1.",
    ],
    [
      "black",
      () => grayPng(gray(4, 1, [0, 0, 127, 0])),
      "mask: nothing of it is white, so nothing may change.",
    ],
    ["no picture", async () => Buffer.from("no picture"), /^mask: it is not an image; .* are accepted\.$/],
    ["empty", async () => new Uint8Array(), "mask: it is empty (0 bytes)."],
    [
      "cut short",
      async () => (await grayPng(gray(4, 1, [0, 255, 255, 0]))).subarray(0, 45),
      "mask: it is damaged or cut short: its PNG data cannot be decoded.",
    ],
    [
      "too large",
      () =>
        grayPng(
          gray(
            100,
            100,
            Array.from({ length: 10_000 }, () => 255),
          ),
        ),
      "mask: it has 100 x 100 = 10,000 pixels; at most 1,000 are accepted.",
    ],
    ["an SVG", async () => Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), /^mask: it is .*SVG/],
  ])("is refused by name: %s", async (_, mask, sentence) => {
    await expect(read(await mask())).rejects.toEqual(about(sentence));
  });
});

describe("the fields of a mask", () => {
  const rules = { hasMask: true, numImages: 1, takesMask: true };

  it("are taken with one image and a model that takes a mask", () => {
    expect(
      checkMasking({ strength: 0.5, maskBlur: 3, paddingMaskCrop: 0, maskFeather: 4 }, rules),
    ).toBeUndefined();
    expect(checkMasking({}, { hasMask: false, numImages: 3, takesMask: false })).toBeUndefined();
  });

  it.each([
    [{}, { takesMask: false }, "mask is not supported: the model of this checkpoint takes none."],
    [
      {},
      { numImages: 3 },
      "mask: it goes with the image to edit and at most one to look at, and there are 3.",
    ],
    [
      { imageLayout: "stitch" as const },
      { numImages: 2 },
      "imageLayout must not be stitch: with a mask, the second image shows what is to be drawn inside.",
    ],
    [
      {},
      { numImages: 0 },
      "mask: it goes with the image to edit and at most one to look at, and there are none.",
    ],
    [{ strength: 0.5 }, { hasMask: false }, "strength must not be given without mask."],
    [{ paddingMaskCrop: 0 }, { hasMask: false }, "paddingMaskCrop must not be given without mask."],
    [{ maskBlur: 1 }, { hasMask: false }, "maskBlur must not be given without mask."],
    [{ maskFeather: 1 }, { hasMask: false }, "maskFeather must not be given without mask."],
    [{ strength: 0 }, {}, "strength must be a number above 0, not 0."],
    [
      { sizeRule: "diffusers" as const },
      {},
      "sizeRule must not be diffusers: with a mask, the result has the image's own size or the requested one.",
    ],
    [
      { maskFeather: 1 },
      {},
      "maskFeather: it is the edge of what is laid over the image, which takes keeping the unchanged pixels or a crop around the mask.",
    ],
  ])("%j with %j are refused by name", (fields, changed, sentence) => {
    expect(() => checkMasking(fields, { ...rules, ...changed })).toThrow(about(sentence));
  });

  it("leave out the first steps, as diffusers counts them", () => {
    const skipped = (numSteps: number, strength: number) => skippedSteps({ numSteps, strength });
    expect([skipped(28, 1), skipped(28, 0.5), skipped(4, 0.8), skipped(5, 0.6), skipped(28, 0.01)]).toEqual([
      0, 14, 0, 2, 27,
    ]);
  });
});
