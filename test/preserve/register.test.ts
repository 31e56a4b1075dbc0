import { describe, expect, it } from "vitest";
import { boxBlurred } from "../../src/images/plane.ts";
import type { Picture } from "../../src/images/picture.ts";
import { luminanceOf } from "../../src/preserve/colours.ts";
import { IN_PLACE, type Placement } from "../../src/preserve/placement.ts";
import { estimatePlacement } from "../../src/preserve/register.ts";
import { changed, rawOf, scene } from "./scene.ts";

const SIDE = 200;
const source = scene(SIDE * 3, SIDE * 3);
const reduced = rawOf(source, SIDE, SIDE, { noise: 0 });

const found = (raw: Parameters<typeof luminanceOf>[0]): Placement =>
  estimatePlacement(luminanceOf(reduced), luminanceOf(raw));

/** Twice the mean over squares. */
function blurred(picture: Picture, radius: number): Picture {
  const { width, height } = picture;
  const data = new Uint8Array(picture.data.length);
  for (let c = 0; c < 3; c++) {
    const plane = { width, height, data: Float32Array.from(picture.data.filter((_, i) => i % 3 === c)) };
    boxBlurred(boxBlurred(plane, radius), radius).data.forEach((value, i) => (data[3 * i + c] = value + 0.5));
  }
  return { width, height, data };
}

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

  it.each([
    ["a negative", (raw: Picture) => changed(raw, (colour) => colour.map((value) => 255 - value))],
    ["a blur", (raw: Picture) => blurred(raw, 3)],
  ])("is found for %s", (_, change) => {
    const placement = { scaleX: 0.98, scaleY: 0.98, shiftX: 2, shiftY: 2 };
    expect(distance(found(change(rawOf(source, SIDE, SIDE, { placement }))), placement)).toBeLessThan(0.5);
  });

  it("is found where a twentieth of the picture is left", () => {
    const placement = { scaleX: 1.02, scaleY: 1.02, shiftX: -2, shiftY: -2 };
    const other = scene(SIDE * 3, SIDE * 3, 9);
    const { width } = source;
    const object = changed(source, (colour, x, y) =>
      (x - width / 2) ** 2 + (y - width / 3) ** 2 < (0.13 * width) ** 2
        ? colour
        : (other.data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3) as never),
    );
    expect(distance(found(rawOf(object, SIDE, SIDE, { placement })), placement)).toBeLessThan(0.5);
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
