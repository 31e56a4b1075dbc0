import { execFileSync } from "node:child_process";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Config } from "../../src/weights/config.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const withField = (value: unknown): Config => new Config("folder/config.json", { field: value });
const invalid = (rest: string): unknown =>
  refusal("CHECKPOINT_INVALID", `In folder/config.json, field must be ${rest}.`);

describe("null", () => {
  it("is an absent field, or a value where nulls are kept", () => {
    const config = withField(null);
    expect([config.count("field", 5, 3), config.get("field")]).toEqual([3, undefined]);
    expect(config.withNulls().get("field")).toBe(null);
    expect(() => config.withNulls().count("field", 5, 3)).toThrow(
      invalid("a whole number from 1 to 5 and is null"),
    );
  });
});

describe("the truth of a field", () => {
  it.each([false, 0, "", [], {}, null])("is none where Python sees none: %j", (value) => {
    expect(withField(value).withNulls().truth("field", true)).toBe(false);
  });

  it.each([true, 1, "false", [0], { a: 0 }])("is one where Python sees one: %j", (value) => {
    expect(withField(value).truth("field", false)).toBe(true);
  });

  it("is the default of an absent field", () => {
    expect(withField(undefined).truth("field", true)).toBe(true);
  });
});

describe("a field", () => {
  it.each<[string, (config: Config, fallback?: never) => unknown, unknown[], unknown[], string]>([
    ["number", (c, f) => c.number("field", f), [0, -1.5, 1e-6], ["1", true, Infinity], "a number"],
    [
      "numberWithin",
      (c, f) => c.numberWithin("field", { min: 0.5, max: 2 }, f),
      [0.5, 1.4, 2],
      [0.4, 2.1, Infinity, "1"],
      "a number from 0.5 to 2",
    ],
    [
      "wholeNumber",
      (c, f) => c.wholeNumber("field", 5, f),
      [0, 5],
      [-1, 6, 1.5, "1", 1e9, 2 ** 53, false],
      "a whole number from 0 to 5",
    ],
    [
      "count",
      (c, f) => c.count("field", 5, f),
      [1, 5],
      [0, 6, -1, 1.5, "1", 1e9, Infinity, true],
      "a whole number from 1 to 5",
    ],
    ["boolean", (c, f) => c.boolean("field", f), [true, false], [0, 1, "true"], "true or false"],
    [
      "string",
      (c, f) => c.string("field", f),
      ["", "gelu", "a".repeat(200)],
      [1, false, ["gelu"]],
      "a text of at most 200 characters",
    ],
    [
      "counts",
      (c, f) => c.counts("field", { max: 5, maxLength: 3 }, f),
      [[5], [1, 2, 3]],
      [3, [], [0], [6], [1, 1.5], [1, null], ["1"], [1, 2, 3, 4]],
      "a list of at most 3 whole numbers from 1 to 5",
    ],
  ])("that is read as a %s is handed out or refused in a sentence", (_, read, valid, refused, wanted) => {
    for (const value of valid) expect(read(withField(value))).toBe(value);
    for (const value of refused) {
      const shown = typeof value === "number" ? String(value) : JSON.stringify(value);
      expect(() => read(withField(value))).toThrow(invalid(`${wanted} and is ${shown}`));
    }
    expect(() => read(withField(undefined))).toThrow(invalid(`${wanted} and is missing`));
    expect(() => read(withField(null))).toThrow(invalid(`${wanted} and is missing`));
  });

  it("is shown in a sentence of a bounded length, however long or deep it is", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`) as unknown;
    expect(() => withField(deep).count("field", 5)).toThrow(/ and is a long or nested list\.$/);
    expect(() => withField([deep]).count("field", 5)).toThrow(/ and is a long or nested list\.$/);
    expect(() => withField(Array(1000).fill(1)).number("field")).toThrow(/ and is a long or nested list\.$/);
    expect(() => withField({ deep }).count("field", 5)).toThrow(/ and is an object\.$/);
    const long = "a".repeat(1000);
    expect(() => withField(long).count("field", 5)).toThrow(
      invalid(`a whole number from 1 to 5 and is "${"a".repeat(99)}...`),
    );
    expect(() => withField(long).string("field")).toThrow(/ and is "a{99}\.\.\.\.$/);
  });

  it("that is absent or null gives the fallback", () => {
    for (const absent of [undefined, null]) {
      const config = withField(absent);
      expect(config.get("field")).toBeUndefined();
      expect(config.number("field", 0)).toBe(0);
      expect(config.wholeNumber("field", 5, 0)).toBe(0);
      expect(config.count("field", 9, 7)).toBe(7);
      expect(config.boolean("field", false)).toBe(false);
      expect(config.string("field", "")).toBe("");
      expect(config.counts("field", { max: 1, maxLength: 1 }, [1])).toEqual([1]);
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

  it("reads no file that is larger than any that is published", async () => {
    const file = await written("{}");
    await truncate(file, 100_000_001);
    await expect(Config.read(file)).rejects.toEqual(
      refusal(
        "CHECKPOINT_INVALID",
        `The checkpoint file ${file} has 100000001 bytes; at most 100000000 are read.`,
      ),
    );
  });

  it("does not wait for a device or a pipe", async ({ skip }) => {
    if (process.platform === "win32") skip("another operating system: this one has no mkfifo");
    const pipe = path.join(await temporaryFolder(), "config.json");
    execFileSync("mkfifo", [pipe]);
    for (const file of ["/dev/zero", pipe]) {
      await expect(Config.read(file)).rejects.toEqual(
        refusal("CHECKPOINT_MISSING", `The checkpoint file ${file} cannot be read.`),
      );
    }
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

  it.each(["", "{", "{'a': 1}"])("refuses %o, which is not JSON", async (text) => {
    const file = await written(text);
    await expect(Config.read(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The checkpoint file ${file} is not JSON.`),
    );
  });

  it.each(["null", "[]", "3", '"text"'])("refuses %s, which is no object", async (text) => {
    const file = await written(text);
    await expect(Config.read(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The checkpoint file ${file} must hold a JSON object.`),
    );
  });
});
