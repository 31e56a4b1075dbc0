import { describe, expect, it } from "vitest";
import { checkOutputName } from "../../../src/cli/batch/output-name.ts";
import { refusal } from "../../support/refusal.ts";

describe("a name of a result", () => {
  it.each(["a.png", "night/a.png", "a b/ü.jpg", ".hidden/a", "...png", "a..b/c.png", "=1.png"])(
    "may be %j",
    (name) => expect(checkOutputName(name)).toBe(name),
  );

  it.each([
    "",
    "/a.png",
    "a/",
    "a//b.png",
    "../a.png",
    "a/../../b.png",
    "./a.png",
    "a/.",
    "..",
    "C:a.png",
    "c:/a.png",
    "a\\b.png",
    "..\\a.png",
    "a\u0000.png",
    "a\nb.png",
    "a\u007F.png",
    ".retouch-batch/journal.jsonl",
    ".Retouch-Batch/x.png",
    "a/.retouch-1.tmp",
    "retouch-batch.csv",
    "Retouch-Batch.CSV",
    `${"x".repeat(256)}.png`,
    `${"ü".repeat(128)}.png`,
    "a/".repeat(600),
    7,
    null,
    undefined,
    ["a.png"],
  ])("must not be %j", (name) => {
    expect(() => checkOutputName(name)).toThrow(refusal("INVALID_PARAMETER", /^output must /) as Error);
  });
});
