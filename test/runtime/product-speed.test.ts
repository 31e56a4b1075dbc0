/** What is measured of a product: each kernel's time and error, the latter also where sums are as large as they can be. */
import { expect, it } from "vitest";
import { LEAST_PRODUCT_DECIBELS, measureProduct } from "../../src/runtime/product-speed.ts";

it("is the time of every kernel, and its error beside float32", async () => {
  const speeds = await measureProduct({ rows: 16, columns: 256, size: 64 }, { threads: 1 }, 0);
  expect(speeds.map(({ kernel }) => kernel)).toEqual(["float32", "rows", "blocks"]);
  for (const { kernel, seconds, decibels } of speeds) {
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(Infinity);
    if (kernel === "float32") expect(decibels).toEqual({ drawn: Infinity, largest: Infinity });
    else expect(decibels.drawn).toBeGreaterThan(LEAST_PRODUCT_DECIBELS);
    // Rounded at all.
    if (kernel !== "float32") expect(decibels.drawn).toBeLessThan(60);
  }
});

it("is taken of a part of a matrix too large to measure", async () => {
  const speeds = await measureProduct({ rows: 4096, columns: 12_288, size: 9000 }, { threads: 1 }, 0);
  expect(speeds[0]!.seconds).toBeLessThan(5);
});
