import { expect, it } from "vitest";
import { nearestOf } from "../../src/errors/nearest.ts";

const KNOWN = ["seed", "size", "sigmas", "guidance", "num_inference_steps"];

it.each([
  ["sed", "seed"],
  ["seeds", "seed"],
  ["guidence", "guidance"],
  ["num_inference_step", "num_inference_steps"],
  ["NUM", undefined],
  ["steps", undefined],
  ["x", undefined],
  ["", undefined],
  ["s".repeat(1_000_000), undefined],
] as const)("the name nearest to %j is %j", (name, nearest) => {
  expect(nearestOf(name.slice(0, 1_000_000), KNOWN)).toBe(nearest);
});
