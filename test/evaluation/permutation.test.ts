import { expect, it } from "vitest";
import { shuffledPlaces } from "../../evaluation/selection.ts";

const kinds = Array.from({ length: 500 }, (_, at) => ["place", "style", "remove", "nothing"][(at % 7) % 4]!);

it("gives every instruction once, and to another kind", () => {
  const places = shuffledPlaces(kinds);
  expect(places.toSorted((a, b) => a - b)).toEqual(kinds.map((_, at) => at));
  for (const [at, place] of places.entries()) expect(kinds[place]).not.toBe(kinds[at]);
});

it("is the same each time, and shuffled", () => {
  expect(shuffledPlaces(kinds)).toEqual(shuffledPlaces(kinds));
  const steps = new Set(shuffledPlaces(kinds).map((place, at) => (place - at + 500) % 500));
  expect(steps.size).toBeGreaterThan(100);
});

it("has no fixed point where one kind is most or all of them", () => {
  for (const few of [
    ["a", "a", "a", "b"],
    ["a", "a", "a"],
    ["a", "b"],
  ]) {
    for (const [at, place] of shuffledPlaces(few).entries()) expect(place).not.toBe(at);
  }
});
