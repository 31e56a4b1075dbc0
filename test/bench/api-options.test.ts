import { expect, it } from "vitest";
import { PARTS, parseOptions } from "../../bench/api/options.ts";

it("measures all parts when none is named", () => {
  expect(parseOptions([])).toEqual({ parts: PARTS });
});

it("measures the named parts once each, in the order of the list", () => {
  expect(parseOptions(["start", "delay", "start"])).toEqual({ parts: ["delay", "start"] });
});

it("measures another checkout by turns, in place of the parts", () => {
  expect(parseOptions(["--against", "../before"])).toMatchObject({ against: "../before" });
  expect(() => parseOptions(["delay", "--against", "../before"])).toThrow("name no parts beside it");
});

it("knows --help, and refuses what it does not know", () => {
  expect(parseOptions(["--help"])).toBe("help");
  expect(() => parseOptions(["latency"])).toThrow("There is no part latency");
  expect(() => parseOptions(["--quick"])).toThrow();
});
