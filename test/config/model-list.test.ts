import { mkdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { models } from "../../src/config/model-list.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("RETOUCH_MODELS", () => {
  it.each([
    ["klein=org/klein", [["klein", "org/klein"]]],
    [
      " a = x , b=y ,",
      [
        ["a", "x"],
        ["b", "y"],
      ],
    ],
    [
      "a=x,y,b=z",
      [
        ["a", "x,y"],
        ["b", "z"],
      ],
    ],
    ["a=x=y", [["a", "x=y"]]],
  ])("reads %s", (text, expected) => {
    expect(models.parse(text)?.map(({ id, checkpoint }) => [id, checkpoint])).toEqual(expected);
  });

  it("takes folders with commas and equals signs whole", async () => {
    const folder = await temporaryFolder();
    const odd = path.join(folder, "one,b=two");
    await mkdir(odd);
    expect(models.parse(`a=${odd},c=x`)).toEqual([
      { id: "a", checkpoint: odd },
      { id: "c", checkpoint: "x" },
    ]);
  });

  it.each([
    ["", undefined],
    ["a=x,a=y", "a=y"],
    ["a", "a"],
    ["a=", "a="],
    ["=x", "=x"],
    ["a b=x", "a b=x"],
    [`${"a".repeat(101)}=x`, `${"a".repeat(101)}=x`],
  ])("refuses %s, and says which part is wrong", (text, part) => {
    expect(models.parse(text)).toBeUndefined();
    expect(models.wrongPart!(text)).toBe(part);
  });

  it("refuses more than the limit", () => {
    const list = (count: number): string => Array.from({ length: count }, (_, at) => `m${at}=x`).join(",");
    expect(models.parse(list(16))).toHaveLength(16);
    expect(models.parse(list(17))).toBeUndefined();
  });
});
