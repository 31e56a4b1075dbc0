/** What `retouch doctor` says of products of matrices. */
import { expect, it } from "vitest";
import { productSection } from "../../src/cli/doctor/products.ts";

it("names the kernel of each shape, and how the others compare", () => {
  const { lines } = productSection([
    { rows: 160, columns: 1280, size: 256, kernel: "rows", seconds: { float32: 6, rows: 2, blocks: 4 } },
    { rows: 160, columns: 256, size: 192, kernel: "float32", seconds: { float32: 6, rows: 8 } },
  ]);
  expect(lines.slice(0, 2)).toEqual([
    ["1280 by 256", "8 bits, 3.0 times as fast as float32 (8 bits in blocks: 1.5)"],
    ["256 by 192", "float32 (8 bits: 0.8)"],
  ]);
});

it("says so where a model rounds nothing", () => {
  expect(productSection([]).lines).toEqual([
    "All are computed in float32: of this model nothing may be rounded.",
  ]);
});
