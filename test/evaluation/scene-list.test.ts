import { expect, it } from "vitest";
import { parseSceneList } from "../../evaluation/set.ts";

const scene = { id: 0, kind: "place", width: 8, height: 8, instruction: "Go", seed: 0, probe: true };
const steps = Array.from({ length: 5 }, () => ({ kind: "place", instruction: "Go" }));
const list = { side: 8, scenes: [scene], chains: [{ id: 0, width: 8, height: 8, steps }] };
const parse = (value: unknown) => parseSceneList(JSON.stringify(value), "scenes.json");

it("takes a list as it is", () => {
  expect(parse(list)).toEqual(list);
});

it.each([
  [[], "In scenes.json, its top is not an object."],
  [{ side: 8 }, "In scenes.json, scenes of its top must be a list, and is missing."],
  [{ ...list, scenes: [] }, "scenes.json lists no scenes."],
  [
    { ...list, scenes: [{ ...scene, width: 0 }] },
    "In scenes.json, width of scenes[0] must be a whole number above 0, and is 0.",
  ],
  [{ ...list, scenes: [{ ...scene, id: 3 }] }, "In scenes.json, id of scenes[0] must be 0, and is 3."],
  [
    { ...list, scenes: [{ ...scene, instruction: " " }] },
    'In scenes.json, instruction of scenes[0] must be a string, and is " ".',
  ],
  [
    { ...list, chains: [{ ...list.chains[0], steps: steps.slice(1) }] },
    "In scenes.json, chains[0] has 4 steps instead of 5.",
  ],
])("refuses %j", (value, sentence) => {
  expect(() => parse(value)).toThrow(sentence);
});
