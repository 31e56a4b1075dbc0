import { describe, expect, it } from "vitest";
import { refusal } from "../support/refusal.ts";
import { parseJsonBody } from "../../src/server/json-body.ts";
import { cpuMs } from "../support/cpu-time.ts";

const parse = (text: string): unknown => parseJsonBody(Buffer.from(text));

describe("parseJsonBody", () => {
  it("takes an empty body, and one of blanks, for none", () => {
    expect(parse("")).toBeUndefined();
    expect(parse(" \r\n")).toBeUndefined();
  });

  it("reads JSON in UTF-8, with a byte order mark too", () => {
    const value = { input: { prompt: 'größer "\\" 🐦', list: [1, [{}], "a"], "": { "": 1 } } };
    expect(parse(JSON.stringify(value))).toEqual(value);
    expect(parse(`\uFEFF${JSON.stringify(value)}`)).toEqual(value);
    expect(parse('\uFEFF{"a":"é"}')).toEqual({ a: "é" });
  });

  it.each(["{", '{"a', '{"a\\', '{"a":1,}', "[1}", "}", "nope", "{'a':1}", '"\\x"', "{}{}"])(
    "refuses %s without quoting it",
    (text) => {
      expect(() => parse(text)).toThrow(refusal("INVALID_PARAMETER", "The body is not valid JSON."));
    },
  );

  it("refuses bytes that are no UTF-8", () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(() => parseJsonBody(bytes)).toThrow(refusal("INVALID_PARAMETER", "The body is not valid UTF-8."));
  });

  it.each(['"\\u0000"', '{"a":["\\uD800x"]}', '{"\\udc00":1}'])(
    "refuses %s, which no database keeps",
    (text) => {
      const sentence = "The body has U+0000 or half of a surrogate pair in a string.";
      expect(() => parse(text)).toThrow(refusal("INVALID_PARAMETER", sentence));
    },
  );

  it("reads escapes of whole characters, and what only looks like an escape", () => {
    expect(parse('["\\uD83D\\uDC26", "\\\\u0000", "\\u0001"]')).toEqual(["🐦", "\\u0000", "\u0001"]);
  });

  it("nests 32 levels and not one more", () => {
    expect(parse(`${"[".repeat(32)}${"]".repeat(32)}`)).toBeDefined();
    const sentence = "The body is nested deeper than 32 levels.";
    expect(() => parse(`${"[".repeat(33)}${"]".repeat(33)}`)).toThrow(refusal("INVALID_PARAMETER", sentence));
    expect(() => parse('{"a":'.repeat(40))).toThrow(refusal("INVALID_PARAMETER", sentence));
  });

  it.each([
    ["plainly", '{"seed":1,"seed":2}', "seed"],
    ["deep inside", '{"input":{"a":[{"x":1,"y":{},"x":1}]}}', "x"],
    ["written in two ways", '{"seed":1,"se\\u0065d":2}', "seed"],
    ["far before its colon", `{"a":1,"a"${" ".repeat(300)}:2}`, "a"],
    ["after a text that looks like a key", '{"a":"\\"b\\":{","b":"b","b":1}', "b"],
  ])("names a key that stands there twice, %s", (_, text, key) => {
    expect(() => parse(text)).toThrow(refusal("INVALID_PARAMETER", `The body has the key "${key}" twice.`));
  });

  it("finds no key twice where there is none", () => {
    const value = { a: "a", b: { a: ["a", "a", { a: "b" }], c: "\\" }, "a\\": "a", c: '","c":"' };
    expect(parse(JSON.stringify(value))).toEqual(value);
  });

  it("keeps a key called __proto__ a key", () => {
    const value = parse('{"__proto__":{"isAdmin":true},"constructor":1}') as object;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it("refuses more values than anyone needs before it builds them", () => {
    const sentence = "The body has more than 10000 values.";
    const before = cpuMs();
    expect(() => parse(`[${"1,".repeat(5_000_000)}1]`)).toThrow(refusal("INVALID_PARAMETER", sentence));
    expect(() => parse("[".repeat(10_000_000))).toThrow(refusal("INVALID_PARAMETER", /nested deeper/));
    // Building them takes seconds.
    expect(cpuMs() - before).toBeLessThan(1000);
  });
});

describe("parseJsonBody, what is not JSON", () => {
  it.each([
    ["\x89PNG\r\n\x1a\n\0\0", "The body is a PNG file; send JSON that has it in image, in base64."],
    ["\xff\xd8\xff\xe0", "The body is a JPEG file; send JSON that has it in image, in base64."],
    [
      '--abc\r\nContent-Disposition: form-data; name="prompt"',
      "The body is a form, but this route takes JSON; /v1/images/edits takes forms of the content type multipart/form-data.",
    ],
    [
      "prompt=a+hat&image=b",
      "The body is a URL-encoded form; send JSON, or multipart/form-data to /v1/images/edits.",
    ],
    ["data:image/png;base64,AAAA", "The body is a data URL; send JSON that has it in image."],
    ["\x1f\x8b\x08\0", "The body is compressed, which is not supported; send it uncompressed."],
    ["prompt: a hat", "The body is not valid JSON."],
    ["\xff\xfe", "The body is not valid UTF-8."],
  ])("is named: %j", (text, sentence) => {
    expect(() => parseJsonBody(Buffer.from(text, "latin1"))).toThrow(refusal("INVALID_PARAMETER", sentence));
  });
});
