import { describe, expect, it } from "vitest";
import { toBfloat16, toFloat16 } from "../../src/quantize/half.ts";
import {
  bfloat16FromBits as fromBfloat16,
  float16FromBits as fromFloat16,
} from "../../src/weights/float-bits.ts";
import { widened } from "../../src/weights/widened.ts";

const all = Array.from({ length: 65_536 }, (_, code) => code);

describe("float16", () => {
  it("is itself again after widening, every number of it", () => {
    for (const code of all) {
      const value = fromFloat16(code);
      if (Number.isNaN(value)) expect(toFloat16(value) & 0x7fff).toBe(0x7e00);
      else if (toFloat16(value) !== code) expect(toFloat16(value)).toBe(code);
    }
  });

  it("has the values that the format says", () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00].map(fromFloat16)).toEqual([
      1,
      -2,
      65_504,
      2 ** -24,
      2 ** -14,
      Infinity,
    ]);
  });

  it.each([
    ["halfway between two, to the even one", 1 + 2 ** -11, 1],
    ["halfway above an odd one, up", 1 + 3 * 2 ** -11, 1 + 2 ** -9],
    ["just above halfway, up", 1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
    ["below the largest's end, to the largest", 65_519, 65_504],
    ["from there on, to infinity", 65_520, Infinity],
    ["half of the smallest, to zero", 2 ** -25, 0],
    ["one and a half of the smallest, to the even one", 1.5 * 2 ** -24, 2 ** -23],
    ["the largest of the small ones, up", 2 ** -14 - 2 ** -26, 2 ** -14],
  ])("rounds %s", (_, value, expected) => {
    expect(fromFloat16(toFloat16(value))).toBe(expected);
    expect(fromFloat16(toFloat16(-value))).toBe(-expected);
  });
});

describe("bfloat16", () => {
  it("is itself again after widening, every number of it", () => {
    for (const code of all) {
      const value = fromBfloat16(code);
      if (Number.isNaN(value)) expect(toBfloat16(value) & 0x7fff).toBe(0x7fc0);
      else if (toBfloat16(value) !== code) expect(toBfloat16(value)).toBe(code);
    }
  });

  it("rounds to the nearest, and halfway to the even one", () => {
    expect(
      [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -16].map((v) => fromBfloat16(toBfloat16(v))),
    ).toEqual([1, 1 + 2 ** -6, 1 + 2 ** -7]);
  });
});

describe("stored numbers", () => {
  it("of fp8 are widened exactly", () => {
    const codes = Uint8Array.of(0x00, 0x38, 0xb8, 0x7e, 0x01, 0x08, 0x7f);
    expect([...widened("float8e4m3fn", codes)]).toEqual([0, 1, -1, 448, 2 ** -9, 2 ** -6, NaN]);
  });

  it.each([
    ["float64", Float64Array.of(0.1, -3)],
    ["int32", Int32Array.of(2 ** 24 + 1, -3)],
    ["int16", Int16Array.of(300, -3)],
    ["int8", Int8Array.of(100, -3)],
    ["uint32", Uint32Array.of(2 ** 32 - 1, 3)],
    ["uint16", Uint16Array.of(65_535, 3)],
    ["uint8", Uint8Array.of(255, 3)],
    ["bool", Uint8Array.of(1, 0)],
    ["int64", BigInt64Array.of(2n ** 53n, -3n)],
    ["uint64", BigUint64Array.of(2n ** 53n, 3n)],
  ] as const)("of the type %s are rounded to float32", (dtype, values) => {
    const bytes = Buffer.concat([Buffer.alloc(4), new Uint8Array(values.buffer)]).subarray(4);
    expect([...widened(dtype, bytes)]).toEqual([...values].map((value) => Math.fround(Number(value))));
  });

  it("of no known type are a defect", () => {
    expect(() => widened(undefined, new Uint8Array(8))).toThrow(
      "Numbers of the type undefined are not read.",
    );
  });
});
