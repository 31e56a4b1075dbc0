import { expect, it } from "vitest";
import { FAULTS } from "../../faults/kinds.ts";
import { parseOptions } from "../../faults/options.ts";
import { createRandom } from "../../faults/random.ts";
import { planRounds } from "../../faults/suite.ts";

const NAMES = ["one", "two"];

it("takes rounds, a seed, faults and limits", () => {
  const args = [
    "--rounds",
    "300",
    "--seed",
    "7",
    "--fault",
    "two",
    "--parallel",
    "3",
    "--minutes",
    "5",
    "--write",
  ];
  expect(parseOptions(args, NAMES)).toEqual({
    rounds: 300,
    seed: 7,
    faults: ["two"],
    parallel: 3,
    minutes: 5,
    isWritten: true,
    isList: false,
  });
  expect(parseOptions(["--help"], NAMES)).toBe("help");
});

it.each([
  [["--fault", "three"], "There is no fault three; there are one, two."],
  [["--rounds", "0"], "--rounds is a whole number up to 100000, not 0."],
  [["--seed", "-1"], /seed/],
  [["--minutes", "1.5"], "--minutes is a whole number up to 1440, not 1.5."],
])("refuses %j with a sentence", (args, sentence) => {
  expect(() => parseOptions(args, NAMES)).toThrow(sentence);
});

it("plans every fault equally often, in the order that the seed decides", () => {
  const plan = planRounds({ kinds: FAULTS, rounds: 3 * FAULTS.length, seed: 5 });
  for (const kind of FAULTS) expect(plan.filter((round) => round.kind === kind)).toHaveLength(3);
  expect(plan.map(({ seed }) => seed)).toEqual(plan.map((_, at) => 5 + at));
  const names = (seed: number): string[] =>
    planRounds({ kinds: FAULTS, rounds: 20, seed }).map(({ kind }) => kind.name);
  expect(names(5)).toEqual(names(5));
  expect(names(5)).not.toEqual(names(6));
});

it("has a name of its own for every fault", () => {
  const names = FAULTS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it("draws the same numbers for the same seed and purpose, and others for another purpose", () => {
  const draw = (seed: number, purpose: string): number[] => {
    const random = createRandom(seed, purpose);
    return Array.from({ length: 5 }, () => random.integer(0, 1_000_000));
  };
  expect(draw(1, "load")).toEqual(draw(1, "load"));
  expect(draw(1, "load")).not.toEqual(draw(1, "fault"));
  expect(draw(1, "load")).not.toEqual(draw(2, "load"));
});
