import { describe, expect, it } from "vitest";
import { knownFields, unknownFields, unknownNames } from "../../src/engine/request-fields.ts";

const KNOWN = ["prompt", "num_inference_steps", "output_format", "enable_safety_checker", "seed", "strength"];

describe("a field that nobody knows", () => {
  it.each([
    ["strenght", "strength"],
    ["Seed", "seed"],
    ["outputFormat", "output_format"],
    ["output-format", "output_format"],
    ["steps", "num_inference_steps"],
    ["num_steps", "num_inference_steps"],
    ["numSteps", "num_inference_steps"],
    ["safety_checker", "enable_safety_checker"],
  ])("%s is told of %s", (name, meant) => {
    expect(unknownNames({ [name]: 1 }, KNOWN)).toEqual([
      `${name} is not known here and has no effect; did you mean ${meant}?`,
    ]);
  });

  it.each(["aspect_ratio", "x", "", "__proto__", "constructor"])(
    "%o is told of none where none is near",
    (name) => {
      const given = JSON.parse(`{${JSON.stringify(name)}: 1}`) as object;
      const shown = name === "" ? '""' : name;
      expect(unknownNames(given, KNOWN)).toEqual([`${shown} is not known here and has no effect.`]);
    },
  );

  it("is cut if it is long, quoted if it is strange, and only counted if there are many", () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`field-${i}`, i]));
    const sentences = unknownNames(many, KNOWN);
    expect([sentences.length, sentences.at(-1)]).toEqual([9, "4992 more such fields have no effect."]);
    const [long] = unknownNames({ ["a".repeat(100_000)]: 1 }, KNOWN);
    expect(long!.length).toBeLessThan(120);
    expect(unknownNames({ "a\nb": 1 }, KNOWN)).toEqual(['"a\\nb" is not known here and has no effect.']);
  });

  it("is named with the place that it stands in", () => {
    expect(unknownNames({ tttl: 1 }, ["ttl"], "policy.")).toEqual([
      "policy.tttl is not known here and has no effect; did you mean policy.ttl?",
    ]);
  });
});

describe("a request of the library", () => {
  it("may have its own fields, also where they are undefined", () => {
    expect(
      unknownFields({ prompt: "a", latents: undefined, background: "auto", nothing: undefined }),
    ).toEqual([]);
    expect(knownFields({ prompt: "a", bucket: {}, policy: {} })).toEqual({ prompt: "a" });
  });
});
