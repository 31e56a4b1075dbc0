import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Config } from "../../src/weights/config.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const withField = (value: unknown): Config => new Config("folder/config.json", { field: value });
const invalid = (rest: string): unknown =>
  refusal("CHECKPOINT_INVALID", `In folder/config.json, field must be ${rest}.`);

describe("a field", () => {
  it.each([
    ["number", [0, -1.5, 1e-6], ["1", true, [], {}], "a number"],
    ["wholeNumber", [0, 4096], [-1, 1.5, "1", 2 ** 53, false], "a whole number"],
    ["count", [1, 4096], [0, -1, 1.5, "1", 2 ** 53, true], "a whole number above 0"],
    ["boolean", [true, false], [0, 1, "true"], "true or false"],
    ["string", ["", "gelu"], [1, false, ["gelu"]], "a text"],
    [
      "counts",
      [[7], [1, 2]],
      [3, [], [0], [1, 1.5], [1, null], ["1"], { length: 1 }],
      "a list of whole numbers above 0",
    ],
  ] as const)(
    "that is read as a %s is handed out or refused in a sentence",
    (getter, valid, refused, wanted) => {
      for (const value of valid) expect(withField(value)[getter]("field")).toBe(value);
      for (const value of refused) {
        expect(() => withField(value)[getter]("field")).toThrow(
          invalid(`${wanted} and is ${JSON.stringify(value)}`),
        );
      }
      expect(() => withField(undefined)[getter]("field")).toThrow(invalid(`${wanted} and is missing`));
      expect(() => withField(null)[getter]("field")).toThrow(invalid(`${wanted} and is missing`));
    },
  );

  it("that is absent or null gives the fallback", () => {
    for (const absent of [undefined, null]) {
      const config = withField(absent);
      expect(config.get("field")).toBeUndefined();
      expect(config.number("field", 0)).toBe(0);
      expect(config.wholeNumber("field", 0)).toBe(0);
      expect(config.count("field", 7)).toBe(7);
      expect(config.boolean("field", false)).toBe(false);
      expect(config.string("field", "")).toBe("");
      expect(config.counts("field", [1])).toEqual([1]);
    }
  });

  it("that is present outdoes the fallback, zero and false too", () => {
    expect(withField(0).number("field", 5)).toBe(0);
    expect(withField(false).boolean("field", true)).toBe(false);
  });
});

describe("Config.read", () => {
  const written = async (text: string): Promise<string> => {
    const file = path.join(await temporaryFolder(), "config.json");
    await writeFile(file, text);
    return file;
  };

  it("reads the fields of a file and remembers its name", async () => {
    const file = await written('{"a": 1}');
    expect(await Config.read(file)).toMatchObject({ file, fields: { a: 1 } });
  });

  it("says which file is missing or is a folder", async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, "there.json"));
    for (const name of ["missing.json", "there.json"]) {
      const file = path.join(folder, name);
      await expect(Config.read(file)).rejects.toEqual(
        refusal("CHECKPOINT_MISSING", `The checkpoint file ${file} cannot be read.`),
      );
    }
  });

  it.each(["", "{", "{'a': 1}"])("refuses %o, which is no JSON", async (text) => {
    const file = await written(text);
    await expect(Config.read(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The checkpoint file ${file} is no JSON.`),
    );
  });

  it.each(["null", "[]", "3", '"text"'])("refuses %s, which is no object", async (text) => {
    const file = await written(text);
    await expect(Config.read(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The checkpoint file ${file} must hold a JSON object.`),
    );
  });
});
