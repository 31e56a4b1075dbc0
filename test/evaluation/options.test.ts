import { expect, it } from "vitest";
import { inRepository } from "../../tools/paths.ts";
import { parseOptions, PARTS, UsageError } from "../../evaluation/options.ts";

it("measures everything of the shipped checkpoint when nothing is said", () => {
  expect(parseOptions([])).toEqual({
    checkpoint: inRepository("checkpoints", "tiny"),
    set: inRepository("evaluation", "set"),
    out: inRepository("out", "evaluation"),
    parts: PARTS,
    limit: undefined,
    isJson: false,
    isRestarted: false,
  });
});

it("takes each option", () => {
  const args = "--checkpoint a --set b --out c --only steps,scenes --limit 12 --json --restart".split(" ");
  expect(parseOptions(args)).toEqual({
    checkpoint: "a",
    set: "b",
    out: "c",
    parts: ["scenes", "steps"],
    limit: 12,
    isJson: true,
    isRestarted: true,
  });
  expect(parseOptions([], true)).toMatchObject({ isJson: true });
  expect(parseOptions(["--help"])).toBe("help");
});

it.each([
  [["--fast"], "Unknown option '--fast'. --help lists the options."],
  [["scenes"], "Unexpected argument 'scenes'. --help lists the options."],
  [["--limit", "0"], "--limit must be a whole number above 0, not 0."],
  [["--only", "speed"], "--only knows autoencoder, scenes, shuffled, guidance, steps, drift, not speed."],
])("refuses %j", (args, sentence) => {
  const parse = () => parseOptions(args);
  expect(parse).toThrow(UsageError);
  try {
    parse();
  } catch (error) {
    expect((error as Error).message).toBe(sentence);
  }
});
