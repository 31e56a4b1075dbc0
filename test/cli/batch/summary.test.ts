import { describe, expect, it } from "vitest";
import { summaryText, textCell } from "../../../src/cli/batch/summary.ts";

describe("a cell of the summary", () => {
  it.each([
    ["=1+1", `"'=1+1"`],
    ["=cmd|'/c calc'!A1", `"'=cmd|'/c calc'!A1"`],
    ["+1", `"'+1"`],
    ["-1", `"'-1"`],
    ["@SUM(A1)", `"'@SUM(A1)"`],
    ["  =1", `"'  =1"`],
    ["\t=1", `"'\t=1"`],
    ["\r=1", `"'\r=1"`],
    ["\n=1", `"'\n=1"`],
    ["\u0000=1", `"'\u0000=1"`],
    ["＝1", `"'＝1"`],
    ["＋1", `"'＋1"`],
    ["|calc", `"'|calc"`],
    ["%0A=1", `"'%0A=1"`],
  ])("with %j is no formula", (text, cell) => expect(textCell(text)).toBe(cell));

  it.each([
    ["a.png", '"a.png"'],
    ["a-b=c.png", '"a-b=c.png"'],
    ['say "hi", please; now', '"say ""hi"", please; now"'],
    ['",=1', '""",=1"'],
    ["", ""],
    [undefined, ""],
  ])("with %j keeps its text", (text, cell) => expect(textCell(text)).toBe(cell));
});

it("the summary has a line of names and one for each edit", () => {
  const text = summaryText([
    {
      input: "a.png",
      output: "out/a.png",
      seed: 7,
      size: { width: 64, height: 32 },
      seconds: 1.234,
      status: "done",
    },
    { input: "-b.png", status: "failed", error: "Line 2: b.png is damaged, or cut short." },
    { input: "c.png", output: "out/c.png", seed: 0, status: "waiting" },
  ]);
  expect(text.split("\r\n")).toEqual([
    "input,output,seed,size,seconds,status,error",
    '"a.png","out/a.png",7,64x32,1.23,done,',
    `"'-b.png",,,,,failed,"Line 2: b.png is damaged, or cut short."`,
    '"c.png","out/c.png",0,,,waiting,',
    "",
  ]);
});
