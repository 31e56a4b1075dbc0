import { expect, it } from "vitest";
import { wrapped } from "../../evaluation/sheet.ts";

it("breaks an instruction between words and leaves out what does not fit", () => {
  expect(wrapped("Make it night", 20, 2)).toEqual(["Make it night"]);
  expect(wrapped("Put the bluebird on a rock", 16, 2)).toEqual(["Put the bluebird", "on a rock"]);
  expect(wrapped("one two three four five six", 9, 2)).toEqual(["one two", "three…"]);
  expect(wrapped("incomprehensibilities", 9, 2)).toEqual(["incompre…"]);
});
