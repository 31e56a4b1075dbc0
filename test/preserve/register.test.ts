import { describe, expect, it } from "vitest";
import { luminanceOf } from "../../src/preserve/colours.ts";
import { IN_PLACE, type Placement } from "../../src/preserve/placement.ts";
import { estimatePlacement } from "../../src/preserve/register.ts";
import { changed, rawOf, scene } from "./scene.ts";

const SIDE = 200;
const source = scene(SIDE * 3, SIDE * 3);
const reduced = rawOf(source, SIDE, SIDE, { noise: 0 });

const found = (raw: Parameters<typeof luminanceOf>[0]): Placement =>
  estimatePlacement(luminanceOf(reduced), luminanceOf(raw));

/** The largest distance between where two placements put a pixel of the picture. */
const distance = (a: Placement, b: Placement): number =>
  Math.max(
    ...[0, SIDE].flatMap((at) => [
      Math.abs(at * (a.scaleX - b.scaleX) + a.shiftX - b.shiftX),
      Math.abs(at * (a.scaleY - b.scaleY) + a.shiftY - b.shiftY),
    ]),
  );

describe("where a result lies over its source", () => {
  it.each([
    ["a shift of 3 %", { scaleX: 1, scaleY: 1, shiftX: 6, shiftY: -6 }],
    ["a shift of a third of a pixel", { scaleX: 1, scaleY: 1, shiftX: 0.33, shiftY: -0.2 }],
    ["a scale of 3 %", { scaleX: 1.03, scaleY: 1.03, shiftX: -3, shiftY: -3 }],
    ["another scale along each side", { scaleX: 0.975, scaleY: 1.02, shiftX: 2, shiftY: -1.5 }],
  ])("is found for %s within a tenth of a pixel", (_, placement) => {
    expect(distance(found(rawOf(source, SIDE, SIDE, { placement })), placement)).toBeLessThan(0.1);
  });

  it("is found below an edit of half of the picture, and below another light", () => {
    const placement = { scaleX: 1.01, scaleY: 1.01, shiftX: 2.5, shiftY: -4 };
    const other = scene(SIDE * 3, SIDE * 3, 9);
    const half = changed(source, (colour, x, y) =>
      y < source.height / 2
        ? colour
        : (other.data.subarray((y * source.width + x) * 3, (y * source.width + x) * 3 + 3) as never),
    );
    expect(distance(found(rawOf(half, SIDE, SIDE, { placement })), placement)).toBeLessThan(0.2);
    const night = changed(source, ([red, green, blue]) => [red * 0.3, green * 0.35, blue * 0.6 + 10]);
    expect(distance(found(rawOf(night, SIDE, SIDE, { placement })), placement)).toBeLessThan(0.2);
  });

  it("is in place for noise, for a flat picture, for another picture, and for a small one", () => {
    expect(found(rawOf(source, SIDE, SIDE))).toEqual(IN_PLACE);
    const flat = { width: SIDE, height: SIDE, data: new Uint8Array(SIDE * SIDE * 3).fill(90) };
    expect(found(flat)).toEqual(IN_PLACE);
    expect(found(rawOf(scene(SIDE * 3, SIDE * 3, 9), SIDE, SIDE))).toEqual(IN_PLACE);
    const small = luminanceOf(rawOf(source, 16, 16));
    expect(estimatePlacement(small, small)).toEqual(IN_PLACE);
  });
});
