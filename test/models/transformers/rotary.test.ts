import { describe, expect, it } from "vitest";
import { rotaryTable } from "../../../src/models/transformers/rotary.ts";

describe("the rotary table", () => {
  it("turns each axis' dimensions by its position, each pair slower than the one before", () => {
    const { cos, sin } = rotaryTable(Float32Array.of(0, 0, 0, 1, 2, 3), { axes: [2, 4, 2], theta: 10_000 });
    const angles = [0, 0, 0, 0, 1, 2, 2 / 100, 3];
    expect([...cos]).toEqual(angles.map((angle) => Math.fround(Math.cos(angle))));
    expect([...sin]).toEqual(angles.map((angle) => Math.fround(Math.sin(angle))));
  });

  it("keeps far positions apart that half precision would merge", () => {
    const { sin } = rotaryTable(Float32Array.of(0, 0, 2048, 0, 0, 2049), { axes: [2, 2, 2], theta: 10_000 });
    expect(sin[5]).toBe(Math.fround(Math.sin(2049)));
    expect(sin[5]).not.toBe(sin[2]);
  });
});
