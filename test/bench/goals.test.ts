import { expect, it } from "vitest";
import { atLeast, atMost } from "../../tools/goals.ts";

it("meets a goal at its bound", () => {
  expect(atLeast("calls a second", 300, 300)).toEqual({
    goal: "calls a second",
    value: 300,
    wanted: "at least 300",
    isMet: true,
  });
  expect(atMost("delay", 18, 18)).toMatchObject({ wanted: "at most 18", isMet: true });
});

it("misses a goal beyond its bound", () => {
  expect(atLeast("calls a second", 299, 300).isMet).toBe(false);
  expect(atMost("delay", 19, 18).isMet).toBe(false);
});

it("leaves open what was not measured", () => {
  expect(atLeast("calls a second", null, 300)).toMatchObject({ value: null, isMet: null });
  expect(atMost("delay", null, 18)).toMatchObject({ value: null, isMet: null });
});
