import { describe, expect, it } from "vitest";
import type { GrayPicture, Picture } from "../../src/images/picture.ts";
import { findKept, composite } from "../../src/engine/keep-unchanged.ts";
import { gradient, noise } from "../images/samples.ts";

const CELL = 8;
type Box = [left: number, top: number, right: number, bottom: number];

/** A copy with other values added inside a box. */
function changed(picture: Picture, [left, top, right, bottom]: Box, by: number): Picture {
  const data = picture.data.slice();
  for (let y = top; y < bottom; y += 1) {
    for (let i = (y * picture.width + left) * 3; i < (y * picture.width + right) * 3; i += 1) data[i]! += by;
  }
  return { ...picture, data };
}

const maskAt = ({ width, data }: GrayPicture, x: number, y: number): number => data[y * width + x]!;
const grey = (width: number, height: number, value = 100): Picture => ({
  width,
  height,
  data: new Uint8Array(width * height * 3).fill(value),
});

describe("what an edit left alone", () => {
  const scene = gradient(128, 128);
  const object: Box = [50, 50, 80, 80];

  it("is everything where nothing differs", () => {
    expect(findKept(scene, scene, CELL)).toEqual({
      changedShare: 0,
      mask: { width: 128, height: 128, data: new Uint8Array(128 * 128).fill(255) },
    });
  });

  it("is nothing where all differs", () => {
    const { changedShare, mask } = findKept(changed(scene, [0, 0, 128, 128], 40), scene, CELL);
    expect(changedShare).toBe(1);
    expect(new Set(mask.data)).toEqual(new Set([0]));
  });

  it("ends a little outside of a changed object, with a soft edge", () => {
    const { changedShare, mask } = findKept(changed(scene, object, 60), scene, CELL);
    const line = [...mask.data.subarray(65 * 128, 66 * 128)];
    expect(line.slice(46, 84)).toEqual(Array.from({ length: 38 }, () => 0));
    expect(line.slice(0, 40)).toEqual(Array.from({ length: 40 }, () => 255));
    expect(line.slice(90)).toEqual(Array.from({ length: 38 }, () => 255));
    expect(line.slice(40, 47)).toEqual(line.slice(40, 47).toSorted((a, b) => b - a));
    expect(line.filter((value) => value > 0 && value < 255).length).toBe(4);
    expect(changedShare).toBeGreaterThan((30 * 30) / 128 ** 2);
    expect(changedShare).toBeLessThan((44 * 44) / 128 ** 2);
  });

  it("is not disturbed by what an autoencoder and a network leave as noise", () => {
    const { data } = noise(128, 128);
    const drawn = { ...scene, data: scene.data.map((value, i) => value + (data[i]! >> 4)) };
    expect(findKept(drawn, scene, CELL).changedShare).toBe(0);
    // A single wrong pixel is no edit.
    expect(findKept(changed(scene, [10, 10, 11, 11], 100), scene, CELL).changedShare).toBe(0);
  });

  it("is not what was changed faintly in a large part, or clearly in a small one", () => {
    const faintly = findKept(changed(scene, [0, 0, 128, 64], 16), scene, CELL);
    expect([maskAt(faintly.mask, 60, 30), maskAt(faintly.mask, 60, 120)]).toEqual([0, 255]);
    const small = findKept(changed(scene, [60, 60, 64, 64], 60), scene, CELL);
    expect([maskAt(small.mask, 62, 62), maskAt(small.mask, 20, 20)]).toEqual([0, 255]);
    const faintAndSmall = findKept(changed(scene, [60, 60, 68, 68], 16), scene, CELL);
    expect(faintAndSmall.changedShare).toBe(0);
  });

  it("has neither slivers between changes nor islands in them", () => {
    const two = changed(changed(scene, [20, 0, 60, 128], 60), [70, 0, 110, 128], 60);
    expect(maskAt(findKept(two, scene, CELL).mask, 65, 64)).toBe(0);
    const around: Box[] = [
      [0, 0, 128, 50],
      [0, 80, 128, 128],
      [0, 50, 50, 80],
      [80, 50, 128, 80],
    ];
    const hole = around.reduce((picture, box) => changed(picture, box, 60), scene);
    expect(findKept(hole, scene, CELL).changedShare).toBe(1);
  });

  it("is found for small and for long pictures", () => {
    for (const [width, height] of [
      [16, 16],
      [1, 40],
      [300, 20],
    ] as const) {
      expect(findKept(grey(width, height), grey(width, height), 1)).toMatchObject({ changedShare: 0 });
      expect(findKept(grey(width, height), grey(width, height, 200), 8)).toMatchObject({ changedShare: 1 });
    }
  });
});

describe("composite", () => {
  it("puts the source where the mask is white, and mixes where it is grey", () => {
    const result = grey(3, 1, 10);
    composite(result, grey(3, 1, 210), { width: 3, height: 1, data: Uint8Array.of(255, 0, 51) });
    expect([...result.data]).toEqual([210, 210, 210, 10, 10, 10, 50, 50, 50]);
  });

  it("stretches the mask with centres on centres", () => {
    const result = grey(8, 2, 0);
    composite(result, grey(8, 2, 200), { width: 2, height: 1, data: Uint8Array.of(0, 255) });
    const line = [0, 0, 25, 75, 125, 175, 200, 200];
    const reds = result.data.filter((_, index) => index % 3 === 0);
    expect([...reds]).toEqual([...line, ...line]);
  });

  it("leaves a source of which all is kept exactly as it is", () => {
    const source = noise(40, 30);
    const result = grey(40, 30);
    composite(result, source, { width: 5, height: 4, data: new Uint8Array(20).fill(255) });
    expect(result).toEqual(source);
  });
});
