import { beforeAll, describe, expect, it } from "vitest";
import { randomNormal } from "../../src/sampling/random.ts";
import { difference } from "../support/compare.ts";
import { type FixtureTensor, readTensors } from "../support/fixtures.ts";

const SEEDS = [0, 1, 42, 2 ** 32 - 1, 2 ** 32 + 5, 123_456_789_012];
/** Less than the last digit of a half-precision number; the roundings of float32 stay below it. */
const TOLERANCE = 1e-6;

let fixture: Map<string, FixtureTensor>;
beforeAll(async () => (fixture = await readTensors("noise.safetensors")));

function expectClose(actual: Float32Array, name: string): void {
  expect(difference(actual, fixture.get(name)!.data as Float32Array).largest).toBeLessThanOrEqual(TOLERANCE);
}

describe.each(SEEDS)("the noise of seed %i", (seed) => {
  it.each([1, 5, 15, 16, 17, 31, 40])("is PyTorch's, %i numbers of it", (count) => {
    expectClose(randomNormal(count, seed), `n${count}.seed${seed}`);
  });

  it("is PyTorch's for a large picture", () => {
    const numbers = randomNormal(65_536, seed);
    expectClose(numbers.subarray(0, 64), `n65536.seed${seed}.first64`);
    const bytes = fixture.get(`n65536.seed${seed}.absoluteSum`)!.data as Uint8Array;
    const [expected] = new Float64Array(bytes.buffer);
    const sum = numbers.reduce((total, value) => total + Math.abs(value), 0);
    expect(Math.abs(sum / expected! - 1)).toBeLessThan(1e-8);
  });
});

describe("noise", () => {
  it("is PyTorch's in every one of 65,536 numbers", () => {
    expectClose(randomNormal(65_536, 7), "n65536.seed7");
  });

  it("depends on the low 32 bits of the seed alone", () => {
    expect(randomNormal(20, 2 ** 32 + 5)).toEqual(randomNormal(20, 5));
    expect(randomNormal(20, 5)).not.toEqual(randomNormal(20, 6));
  });

  it("below sixteen numbers is the beginning of one sequence", () => {
    // PyTorch draws these one by one, and keeps the second of each pair for the next.
    for (let count = 1; count < 15; count += 1) {
      expect(randomNormal(count, 3)).toEqual(randomNormal(15, 3).slice(0, count));
    }
  });

  it("of no numbers is empty", () => {
    expect(randomNormal(0, 1)).toEqual(new Float32Array(0));
  });
});
