import { expect, it } from "vitest";
import { select } from "../../evaluation/selection.ts";
import type { Chain, Scene } from "../../evaluation/set.ts";

const scenes = Array.from({ length: 50 }, (_, id): Scene => {
  const kind = id < 30 ? "place" : id < 45 ? "style" : "nothing";
  return { id, kind, width: 8, height: 8, instruction: "x", seed: 0, probe: id % 5 === 0 };
});
const chains = [0, 1, 2, 3].map((id): Chain => ({ id, width: 8, height: 8, steps: [] }));
const list = { side: 8, scenes, chains };

it("takes everything where there is no limit, or a larger one", () => {
  const whole = { scenes, probe: scenes.filter(({ probe }) => probe), chains };
  expect(select(list)).toEqual(whole);
  expect(select(list, 500)).toEqual(whole);
});

it("takes the first of each kind by turns, and as much less of the rest", () => {
  const { scenes: chosen, probe, chains: some } = select(list, 7);
  expect(chosen.map(({ id }) => id)).toEqual([0, 1, 2, 30, 31, 45, 46]);
  expect(probe.map(({ id }) => id)).toEqual([0, 30]);
  expect(some.map(({ id }) => id)).toEqual([0]);
});
