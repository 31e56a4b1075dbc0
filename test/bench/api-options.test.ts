import { expect, it } from "vitest";
import { PARTS, parseParts } from "../../bench/api/options.ts";

it("measures all parts when none is named", () => {
  expect(parseParts([])).toEqual(PARTS);
});

it("measures the named parts once each, in the order of the list", () => {
  expect(parseParts(["start", "delay", "start"])).toEqual(["delay", "start"]);
});

it("knows --help, and refuses what it does not know", () => {
  expect(parseParts(["--help"])).toBe("help");
  expect(() => parseParts(["latency"])).toThrow("There is no part latency");
  expect(() => parseParts(["--quick"])).toThrow();
});
