/** What `retouch doctor` says of runs with several images. */
import { expect, it } from "vitest";
import { batchSection } from "../../src/cli/doctor/batches.ts";

const size = (count: number, seconds: number) => ({ size: count, seconds, runs: 5 });
const sizes = [size(1, 1), size(2, 1.6), size(4, 4.4)];

it("names what is chosen for each shape, how much faster it is, and what the others are", () => {
  const shape = "64+70+32";
  const { lines } = batchSection([
    { shape, arithmetic: "fp32", chosen: 2, isSettled: true, sizes, unequal: [] },
    { shape, arithmetic: "int4", chosen: 1, isSettled: false, sizes: [size(1, 1)], unequal: [2] },
  ]);
  expect(lines).toEqual([
    ["64 + 70 + 32, fp32", "2, 1.25 times as fast as one by one (4: 0.91)"],
    ["64 + 70 + 32, int4", "1 (2: other bits); still being measured"],
  ]);
});

it("says so where nothing was measured, or a model runs its images one by one", () => {
  expect(batchSection([]).lines).toEqual([
    "Not measured yet: edits of several images, guided edits and waiting jobs measure it as they run.",
  ]);
  expect(batchSection(undefined).lines).toEqual(["One: this model runs its images one by one."]);
});
