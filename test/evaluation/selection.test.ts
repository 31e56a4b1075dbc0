import { describe, expect, it } from "vitest";
import { PLAN } from "../../evaluation/options.ts";
import { editKey, select, shuffledPlaces, variantsOf } from "../../evaluation/selection.ts";
import type { Chain, Scene } from "../../evaluation/set.ts";

describe("the selection of scenes", () => {
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
});

describe("the variants of a part", () => {
  const scenes = ["place", "place", "style", "style"].map((kind, id): Scene => {
    return { id, kind, width: 8, height: 8, instruction: "x", seed: 0, probe: id === 0 };
  });
  const whole = { scenes, probe: scenes.slice(0, 1), chains: [] };
  const keysOf = (part: Parameters<typeof variantsOf>[0], selection = whole): string[] =>
    variantsOf(part, selection, PLAN, scenes).map(({ scene, variant }) => editKey(scene, variant));

  it("shares the edits that parts have in common", () => {
    const [first] = keysOf("scenes");
    expect(first).toBe("scene 0, guidance 2, steps 28");
    expect(keysOf("guidance")[1]).toBe(first);
    expect(keysOf("steps")).toEqual([4, 8, 28, 50].map((steps) => `scene 0, guidance 2, steps ${steps}`));
  });

  it("gives a scene the same other instruction however many scenes are chosen", () => {
    const all = keysOf("shuffled");
    expect(all).toHaveLength(4);
    expect(all[2]).toMatch(/^scene 2, guidance 2, steps 28, instruction of [01]$/);
    expect(keysOf("shuffled", { ...whole, scenes: [scenes[2]!] })).toEqual([all[2]]);
  });
});

describe("the permutation of instructions", () => {
  const kinds = Array.from(
    { length: 500 },
    (_, at) => ["place", "style", "remove", "nothing"][(at % 7) % 4]!,
  );

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
});
