import { describe, expect, it } from "vitest";
import type { Picture } from "../../src/images/picture.ts";
import { pictureToUnitSquare } from "../../src/safety/pixels.ts";

/** A grey picture, row by row. */
function grey(width: number, values: readonly number[]): Picture {
  const data = Uint8Array.from(values.flatMap((value) => [value, value, value]));
  return { width, height: values.length / width, data };
}

/** The first channel's values, 0 to 255, row by row. */
function firstPlane(picture: Picture, side: number): number[] {
  const square = pictureToUnitSquare(picture, side);
  expect(square.length).toBe(3 * side * side);
  return Array.from(square.subarray(0, side * side), (value) => Math.round(value * 255 * 1000) / 1000);
}

describe("a picture for the checker", () => {
  it("is three planes from 0 to 1", () => {
    const data = Uint8Array.of(0, 10, 20, 51, 60, 70, 102, 110, 120, 255, 200, 210);
    const square = pictureToUnitSquare({ width: 2, height: 2, data }, 2);
    const bytes = [0, 51, 102, 255, 10, 60, 110, 200, 20, 70, 120, 210];
    expect(square).toEqual(Float32Array.from(bytes, (byte) => Math.fround(byte / 255)));
  });

  it("is enlarged between its pixels, corners on corners", () => {
    expect(firstPlane(grey(2, [0, 100, 40, 240]), 3)).toEqual([0, 50, 100, 20, 95, 170, 40, 140, 240]);
  });

  it("is reduced to the pixels beside each place, whatever lies between", () => {
    // Places 0, 2, 4 of 5: only these columns and rows are seen.
    const values = Array.from({ length: 25 }, (_, i) => (i % 5) * 10 + Math.floor(i / 5));
    expect(firstPlane(grey(5, values), 3)).toEqual([0, 20, 40, 2, 22, 42, 4, 24, 44]);
    // Places 0 and 1.5 and 3 of 4: the middle is half of either neighbour.
    expect(
      firstPlane(
        grey(
          4,
          Array.from({ length: 16 }, (_, i) => (i % 4) * 20),
        ),
        3,
      ),
    ).toEqual([0, 30, 60].flatMap((_, __, row) => row));
  });

  it("is stretched where it is no square", () => {
    expect(firstPlane(grey(3, [10, 20, 30]), 2)).toEqual([10, 30, 10, 30]);
    expect(firstPlane(grey(1, [10, 20, 30]), 3)).toEqual([10, 10, 10, 20, 20, 20, 30, 30, 30]);
  });

  it("may have one pixel, or any side that rounding could carry past its end", () => {
    expect(new Set(firstPlane(grey(1, [200]), 32))).toEqual(new Set([200]));
    for (let width = 1; width <= 700; width += 1) {
      const row = firstPlane(
        grey(
          width,
          Array.from({ length: width }, () => 7),
        ),
        32,
      );
      expect(row.every((value) => value === 7)).toBe(true);
    }
  });
});
