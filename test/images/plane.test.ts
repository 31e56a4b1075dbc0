import { describe, expect, it } from "vitest";
import { boxBlurred, grown, inverted, type Plane, regionsOf } from "../../src/images/plane.ts";
import { randomNumbers } from "./samples.ts";

/** A plane from rows of digits; a space is 0. */
const planeOf = (...rows: string[]): Plane => ({
  width: rows[0]!.length,
  height: rows.length,
  data: Float32Array.from(rows.join(""), Number),
});
const rowsOf = ({ width, height, data }: Plane): string[] =>
  Array.from({ length: height }, (_, y) => data.slice(y * width, (y + 1) * width).join(""));

describe("boxBlurred", () => {
  it("is the mean of the square around each pixel, the border repeated", () => {
    const random = randomNumbers(3);
    const plane = { width: 9, height: 5, data: Float32Array.from({ length: 45 }, () => random() * 255) };
    for (const radius of [0, 1, 3, 20]) {
      const { data } = boxBlurred(plane, radius);
      for (let y = 0; y < 5; y += 1) {
        for (let x = 0; x < 9; x += 1) {
          let sum = 0;
          for (let down = -radius; down <= radius; down += 1) {
            for (let right = -radius; right <= radius; right += 1) {
              const row = Math.min(Math.max(y + down, 0), 4);
              sum += plane.data[row * 9 + Math.min(Math.max(x + right, 0), 8)]!;
            }
          }
          expect(data[y * 9 + x]).toBeCloseTo(sum / (2 * radius + 1) ** 2, 4);
        }
      }
    }
  });
});

describe("grown", () => {
  it("marks squares around the marks, and nothing else", () => {
    expect(rowsOf(grown(planeOf("1000000", "0000000", "0000010", "0000000"), 1))).toEqual([
      "1100000",
      "1100111",
      "0000111",
      "0000111",
    ]);
    expect(rowsOf(grown(planeOf("000"), 1))).toEqual(["000"]);
  });

  it("is exact for any radius: a single mark in a large plane does not leave a trace elsewhere", () => {
    const marks = { width: 301, height: 301, data: new Float32Array(301 * 301) };
    marks.data[150 * 301 + 150] = 1;
    const { data } = grown(marks, 17);
    expect(data.reduce((sum, mark) => sum + mark, 0)).toBe(35 ** 2);
  });
});

describe("inverted", () => {
  it("swaps ones and zeros", () => expect(rowsOf(inverted(planeOf("0110")))).toEqual(["1001"]));
});

describe("regionsOf", () => {
  const plane = planeOf("2200030", "0200300", "0005000", "1100044");

  it("finds what touches across or down, with its area and its largest number", () => {
    const regions: object[] = [];
    regionsOf(plane, 1, (region) => regions.push(region) > 0);
    expect(regions).toEqual([
      { area: 3, peak: 2 },
      { area: 1, peak: 3 },
      { area: 1, peak: 3 },
      { area: 1, peak: 5 },
      { area: 2, peak: 4 },
    ]);
  });

  it("marks the wanted ones whole", () => {
    expect(rowsOf(regionsOf(plane, 1, ({ area, peak }) => area === 3 || peak === 4))).toEqual([
      "1100000",
      "0100000",
      "0000000",
      "0000011",
    ]);
  });

  it("takes a region as large as a whole picture", () => {
    const size = 1500;
    const full = { width: size, height: size, data: new Float32Array(size * size).fill(1) };
    expect(regionsOf(full, 0, ({ area }) => area === size * size).data.every((mark) => mark === 1)).toBe(
      true,
    );
  });
});
