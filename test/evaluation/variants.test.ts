import { expect, it } from "vitest";
import { PLAN } from "../../evaluation/options.ts";
import { editKey, variantsOf } from "../../evaluation/selection.ts";
import type { Scene } from "../../evaluation/set.ts";

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
