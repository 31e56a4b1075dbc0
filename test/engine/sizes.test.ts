import { describe, expect, it } from "vitest";
import {
  defaultSize,
  hasOneCanvas,
  planSizes,
  referenceSize,
  sourceInResult,
  targetSize,
  type WorkingSize,
} from "../../src/engine/sizes.ts";
import type { Size } from "../../src/engine/request.ts";

/** Of the tiny checkpoint and of the published one. */
const TINY = { area: 128 ** 2, grid: 16 };
const PUBLISHED = { area: 1024 ** 2, grid: 16 };

const sized = (text: string): Size => {
  const [width, height] = text.split("x").map(Number) as [number, number];
  return { width, height };
};
const working = (content: string, canvas = content): WorkingSize => ({
  content: sized(content),
  canvas: sized(canvas),
});

/** Sides around every boundary: the smallest and largest, whole tokens and their neighbours, the native sides. */
const SIDES = [
  16, 17, 31, 32, 33, 64, 100, 127, 128, 129, 333, 512, 1023, 1024, 1025, 1472, 1536, 4095, 4096,
];
const SIZES = SIDES.flatMap((width) => SIDES.map((height): Size => ({ width, height })));
const NATIVES = [TINY, PUBLISHED, { area: 64 ** 2, grid: 8 }, { area: 96 ** 2, grid: 16 }];

describe("the target's size", () => {
  it.each([
    ["1024x1024", TINY, working("128x128")],
    ["1024x1024", PUBLISHED, working("1024x1024")],
    ["1472x1140", PUBLISHED, working("1164x901", "1168x912")],
    ["1472x1140", TINY, working("145x113", "160x128")],
    ["512x512", PUBLISHED, working("512x512")],
    ["16x16", TINY, working("16x16")],
    ["40x24", TINY, working("40x24", "48x32")],
    ["4096x16", TINY, working("2048x8", "2048x16")],
    ["16x4096", PUBLISHED, working("16x4096")],
    ["4096x4096", PUBLISHED, working("1024x1024")],
  ])("of %s is the native area at most, never scaled up", (size, native, expected) => {
    expect(targetSize(sized(size), native)).toEqual(expected);
  });

  it("is a whole number of tokens that the padding does not fill, in the shape that is asked for", () => {
    for (const native of NATIVES) {
      for (const size of SIZES) {
        const { content, canvas } = targetSize(size, native);
        const what = `${size.width}x${size.height} at ${native.area}`;
        for (const side of ["width", "height"] as const) {
          expect(canvas[side] % native.grid, what).toBe(0);
          expect(canvas[side] - content[side], what).toBeGreaterThanOrEqual(0);
          expect(canvas[side] - content[side], what).toBeLessThan(native.grid);
          expect(content[side], what).toBeLessThanOrEqual(size[side]);
        }
        // Half a pixel of rounding a side.
        const skew = Math.abs(content.width * size.height - content.height * size.width);
        expect(skew, what).toBeLessThanOrEqual((size.width + size.height) / 2);
        const rounding = (content.width + content.height) / 2 + 1;
        expect(content.width * content.height, what).toBeLessThanOrEqual(native.area + rounding);
      }
    }
  });
});

describe("the reference's size", () => {
  it.each([
    ["the same size", "64x48", "64x48", working("64x48")],
    ["the same shape, larger", "1024x768", "64x48", working("64x48")],
    ["the same shape, smaller", "32x24", "64x48", working("64x48")],
    ["the same shape but for a pixel of rounding", "1472x1140", "1472x1140", working("145x113", "160x128")],
    ["a shape within a token, wider", "80x48", "64x48", working("64x38", "64x48")],
    ["a shape within a token, taller", "64x60", "64x48", working("51x48", "64x48")],
  ])("for %s is on the target's canvas, so that nothing moves", (_, picture, size, expected) => {
    expect(planSizes([sized(picture)], sized(size), TINY).references[0]).toEqual(expected);
  });

  it.each([
    ["100x50", TINY, working("181x91", "192x96")],
    ["50x100", TINY, working("91x181", "96x192")],
    ["4000x1000", TINY, working("256x64")],
    ["4000x1000", PUBLISHED, working("2048x512")],
  ])("for another shape, %s, is the native area in its own", (picture, native, expected) => {
    expect(planSizes([sized(picture)], sized("64x64"), native).references[0]).toEqual(expected);
  });

  it("is a whole number of tokens, in the picture's own shape", () => {
    for (const native of NATIVES) {
      for (const size of ["16x16", "64x48", "1024x1024", "4096x16"].map(sized)) {
        const target = targetSize(size, native);
        for (const picture of SIZES) {
          const { content, canvas } = referenceSize(picture, target, native);
          const what = `${picture.width}x${picture.height} for ${size.width}x${size.height} at ${native.area}`;
          const isShared = canvas.width === target.canvas.width && canvas.height === target.canvas.height;
          for (const side of ["width", "height"] as const) {
            expect(canvas[side] % native.grid, what).toBe(0);
            expect(content[side], what).toBeLessThanOrEqual(canvas[side]);
            // On the target's canvas one token more may be padding.
            expect(canvas[side] - content[side], what).toBeLessThan((isShared ? 2 : 1) * native.grid);
          }
          // A pixel a side: half of rounding, and another half where the target was rounded, too.
          const skew = Math.abs(content.width * picture.height - content.height * picture.width);
          expect(skew, what).toBeLessThanOrEqual(picture.width + picture.height);
        }
      }
    }
  });

  it.each([
    ["1x1000", PUBLISHED],
    ["64000000x1", PUBLISHED],
    ["64000000x1", TINY],
    ["1x30000", TINY],
  ])("for a line of %s pixels costs no more tokens than a square", (picture, native) => {
    const { canvas } = planSizes([sized(picture)], sized("64x64"), native).references[0]!;
    expect(canvas.width * canvas.height).toBeLessThanOrEqual(native.area);
  });
});

describe("the result's size", () => {
  it("is the one that is asked for", () => {
    expect(planSizes([sized("10x20")], sized("1472x1140"), TINY).size).toEqual(sized("1472x1140"));
  });

  it.each([
    ["640x480", "640x480"],
    ["1536x1536", "1536x1536"],
    ["3072x1000", "1536x500"],
    ["1000x3000", "512x1536"],
    ["1x1", "16x16"],
    ["5000x10", "1536x16"],
    ["64000000x1", "1536x16"],
  ])("of a picture of %s is %s where none is asked for", (picture, expected) => {
    expect(defaultSize(sized(picture))).toEqual(sized(expected));
    expect(planSizes([sized(picture)], undefined, TINY).size).toEqual(sized(expected));
  });
});

describe("a source on the target's canvas", () => {
  it.each([
    ["1024x1024", "1024x1024", TINY, true],
    ["1000x500", "1472x736", TINY, true],
    ["1472x1140", "1024x1024", TINY, false],
    ["100x93", "1024x1024", TINY, true],
    ["100x80", "1024x1024", TINY, false],
    // The reference is larger than the target, whose size is asked for.
    ["512x512", "64x64", PUBLISHED, true],
  ])("is what a picture of %s is for a result of %s: %s", (picture, size, native, expected) => {
    expect(hasOneCanvas(planSizes([sized(picture)], sized(size), native))).toBe(expected);
  });

  it("covers the result but for what was padded", () => {
    const partOf = (picture: string, size: string): Size =>
      sourceInResult(planSizes([sized(picture)], sized(size), TINY));
    expect(partOf("300x300", "1024x1024")).toEqual(sized("1024x1024"));
    expect(partOf("1000x930", "1024x1024")).toEqual(sized("1024x952"));
    expect(partOf("93x100", "64x64")).toEqual(sized("60x64"));
  });

  it("is never larger than the result", () => {
    for (const native of NATIVES) {
      for (const size of ["16x16", "64x48", "1024x1024", "1472x1140", "4096x16"].map(sized)) {
        for (const picture of SIZES) {
          const plan = planSizes([picture], size, native);
          if (!hasOneCanvas(plan)) continue;
          const { width, height } = sourceInResult(plan);
          const what = `${picture.width}x${picture.height} for ${size.width}x${size.height} at ${native.area}`;
          expect(width >= 1 && width <= size.width, what).toBe(true);
          expect(height >= 1 && height <= size.height, what).toBe(true);
        }
      }
    }
  });
});
