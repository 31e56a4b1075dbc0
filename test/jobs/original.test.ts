import { describe, expect, it } from "vitest";
import { type Chain, continuationOf, originalOf, type Turn } from "../../src/jobs/original.ts";

const SOURCE = { key: "inputs/first.bin", sha256: "ab", isKept: true };
const turn = (changes: Partial<Turn> = {}): Turn => ({
  id: "one",
  status: "completed",
  prompt: "Make it night.",
  hasMask: false,
  numImages: 1,
  source: SOURCE,
  results: [],
  ...changes,
});
const second = turn({
  id: "two",
  prompt: "Add snow",
  source: undefined,
  lineage: { parent: "one", parentImage: 0, turn: 2 },
});
const NEXT = { prompt: "Remove the car." };

describe("the original of a chain", () => {
  it("is the first picture, with the instructions of all turns in their order", () => {
    expect(originalOf([second, turn()], NEXT)).toEqual({
      kind: "known",
      source: SOURCE,
      prompt: "Make it night, then Add snow, then Remove the car.",
      prompt2: undefined,
    });
  });

  it("is that of an edit which was made from the original itself, whatever came before that", () => {
    const made = turn({ lineage: { parent: "gone", parentImage: 0, turn: 5, isFromOriginal: true } });
    expect(originalOf([made], NEXT)).toMatchObject({
      source: SOURCE,
      prompt: "Make it night, then Remove the car.",
    });
    expect(continuationOf([made], 0, originalOf([made], NEXT))).toMatchObject({ turn: 6, hasOriginal: true });
  });

  it("has texts of its own for T5 where any turn has", () => {
    const divided = { ...second, prompt2: "Let heavy snow fall" };
    expect(originalOf([divided, turn()], NEXT)).toMatchObject({
      prompt: "Make it night, then Add snow, then Remove the car.",
      prompt2: "Make it night, then Let heavy snow fall, then Remove the car.",
    });
  });

  it.each<[Chain, string]>([
    [[second], "an earlier edit is no longer kept, and its instruction with it."],
    [
      [second, turn({ hasMask: true })],
      "edit 1 of the picture was made with a mask, which cannot be used again.",
    ],
    [
      [{ ...second, numImages: 2 }, turn()],
      "edit 2 of the picture used several images, which cannot be used again.",
    ],
    [[turn({ source: undefined, numImages: 0 })], "the first edit was made without an image."],
    [
      [turn({ source: { ...SOURCE, isKept: false } })],
      "the original is no longer there; give it as image, in base64, together with parent.",
    ],
    [
      [turn({ prompt: "a".repeat(3979) })],
      "the instructions of all edits have 4,001 characters together, and a prompt at most 4,000.",
    ],
  ])("is refused in one sentence where it cannot be: %#", (chain, sentence) => {
    const original = originalOf(chain, NEXT);
    expect(original).toEqual({ kind: "unknown", sentence });
    expect(continuationOf(chain, 0, original)).toMatchObject({ hasOriginal: false });
  });

  it("need not be kept where the caller has it, and takes as many characters as a prompt may have", () => {
    const chain: Chain = [turn({ source: { ...SOURCE, isKept: false } })];
    expect(originalOf(chain, NEXT, { hasPicture: true })).toMatchObject({ kind: "known" });
    expect(originalOf([turn({ prompt: "a".repeat(3978) })], NEXT)).toMatchObject({ kind: "known" });
  });
});
