import { describe, expect, it } from "vitest";
import {
  addLora,
  nameLoras,
  numberOf,
  parseFormat,
  parseMemory,
  parseSigmas,
  parseSize,
} from "../../src/cli/arguments.ts";
import { failure } from "../../src/errors.ts";
import { COMMAND, wordedBy } from "../../src/cli/surfaces.ts";
import { type EditRequest, resolveRequest, RetouchError } from "../../src/index.ts";

describe("numberOf", () => {
  const parse = numberOf("numSteps");
  it.each([
    ["28", 28],
    ["2.5", 2.5],
    [".5", 0.5],
    ["5.", 5],
    ["-1", -1],
    ["+3", 3],
    ["1e3", 1000],
    ["1E-2", 0.01],
    ["007", 7],
  ])("reads %j as %d", (text, value) => expect(parse(text)).toBe(value));

  const malformed = [
    "",
    " ",
    " 5",
    "5 ",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "0x1F",
    "1_000",
    "1,5",
    ".",
  ];
  it.each([...malformed, "e3", "--5", "five", "٣", "5\n", "true"])("refuses %j", (text) => {
    expect(() => parse(text)).toThrow(`--steps must be a number, not ${JSON.stringify(text)}.`);
  });
});

describe("parseSize", () => {
  it.each(["1024x768", "1024*768", "1024X768", "1024×768"])("reads %s", (text) => {
    expect(parseSize(text)).toEqual({ width: 1024, height: 768 });
  });

  it.each([
    "",
    "x",
    "64",
    "64x",
    "x64",
    "-64x64",
    "64x64x64",
    "64.5x64",
    "64 x 64",
    "1e2x64",
    "9999999999x9",
  ])("refuses %j", (text) => {
    const sentence = `--size must be a width and a height such as 1024x768, auto or source, not ${JSON.stringify(text)}.`;
    expect(() => parseSize(text)).toThrow(sentence);
  });
});

describe("parseMemory", () => {
  it("reads sizes as the settings have them", () => {
    expect(parseMemory("12GB")).toBe(12 * 2 ** 30);
  });

  it.each(["", "12", "much", "1.5GB"])("refuses %j", (text) => {
    expect(() => parseMemory(text)).toThrow(/^--memory-limit must be a size from 100MB to 4096GB, /);
  });
});

describe("parseFormat", () => {
  it("reads the four formats and nothing else", () => {
    const formats = ["png", "jpeg", "webp", "avif"];
    expect(formats.map(parseFormat)).toEqual(formats);
    for (const text of ["", "PNG", "jpg", "gif"])
      expect(() => parseFormat(text)).toThrow(/^--format must be/);
  });
});

describe("parseSigmas", () => {
  it("reads comma-separated numbers", () => {
    expect(parseSigmas("1,0.5, 1e-2")).toEqual([1, 0.5, 0.01]);
    expect(parseSigmas("1")).toEqual([1]);
  });

  it.each(["", ",", "1,", "1;0.5", "1,NaN", "one", "0x1"])("refuses %j", (text) => {
    expect(() => parseSigmas(text)).toThrow(
      `--sigmas must be comma-separated numbers, not ${JSON.stringify(text)}.`,
    );
  });
});

describe("the surface of the command line", () => {
  it.each<[Partial<EditRequest>, string]>([
    [{ prompt: " \n " }, "the prompt must not be empty."],
    [{ numSteps: 0 }, "--steps must be a whole number from 1 to 50, not 0."],
    [{ numSteps: 2.5 }, "--steps must be a whole number from 1 to 50, not 2.5."],
    [{ numSteps: Number.NaN }, "--steps must be a whole number from 1 to 50, not NaN."],
    [{ guidance: -1 }, "--guidance must be a number from 0 to 10, not -1."],
    [{ trueCfgScale: 0.5 }, "--true-cfg-scale must be a number from 1 to 10, not 0.5."],
    [{ seed: 1.5 }, "--seed must be a whole number from -1 to 9007199254740991, not 1.5."],
    [
      { size: { width: 15, height: 64 } },
      "the width in --size must be a whole number from 16 to 4096, not 15.",
    ],
    [{ sigmas: [2] }, "--sigmas must be a list of 1 to 50 numbers from 0 to 1."],
    [{ maxSequenceLength: 0 }, "--max-sequence-length must be a whole number from 1 to 512, not 0."],
    [{ prompt2: "x".repeat(4001) }, "--prompt-2 must have at most 4000 characters, not 4001."],
    [{ negativePrompt: "x".repeat(4001) }, "--negative-prompt must have at most 4000 characters, not 4001."],
  ])("names the flag of %j", async (fields, sentence) => {
    const request = { image: new Uint8Array(), prompt: "Make it night", ...fields };
    await expect(wordedBy(COMMAND, () => resolveRequest(request))).rejects.toThrow(sentence);
  });

  it("says how to leave out the safety checker where it refused a result", async () => {
    const flagged = failure("flagged", { score: "0.950", threshold: 0.9 });
    const fail = (): Promise<never> => Promise.reject(new RetouchError("OUTPUT_FLAGGED", flagged));
    await expect(wordedBy(COMMAND, fail)).rejects.toMatchObject({
      code: "OUTPUT_FLAGGED",
      message: expect.stringMatching(
        /0\.950, refused from 0\.9\); --no-safety-checker leaves the check out\.$/,
      ),
    });
  });

  it("leaves every other failure as it is", async () => {
    const error = new RetouchError("IMAGE_INVALID", "numSteps is no picture.");
    const fail = (): Promise<never> => Promise.reject(error);
    await expect(wordedBy(COMMAND, fail)).rejects.toBe(error);
  });
});

describe("addLora", () => {
  it.each([
    ["ink.safetensors", "ink.safetensors", 1],
    ["ink.safetensors:0.5", "ink.safetensors", 0.5],
    ["ink.safetensors:-2", "ink.safetensors", -2],
    ["C:\\loras\\ink.safetensors", "C:\\loras\\ink.safetensors", 1],
    ["C:/loras/ink.safetensors:.75", "C:/loras/ink.safetensors", 0.75],
    ["a:b/ink.safetensors", "a:b/ink.safetensors", 1],
    ["a:2:1", "a:2", 1],
  ])("reads %s", (text, file, scale) => expect(addLora(text)).toEqual([{ file, scale }]));

  it("puts each after those before", () => {
    expect(addLora("b:2", addLora("a"))).toEqual([
      { file: "a", scale: 1 },
      { file: "b", scale: 2 },
    ]);
  });

  it.each(["10.5", "-11", "1e999"])("refuses the scale %s", (scale) => {
    expect(() => addLora(`ink.safetensors:${scale}`)).toThrow(
      `the scale in --lora must be a number from -10 to 10, not ${scale}.`,
    );
  });
});

describe("nameLoras", () => {
  it("takes the files' names without folder and ending, unless two files have the same", () => {
    const loras = ["a/ink.safetensors", "b/ink.safetensors", "snow.safetensors:2"].reduce(
      (before, text) => addLora(text, before),
      addLora("a/ink.safetensors"),
    );
    expect(nameLoras(loras)).toEqual({
      files: {
        "a/ink.safetensors": "a/ink.safetensors",
        "b/ink.safetensors": "b/ink.safetensors",
        snow: "snow.safetensors",
      },
      uses: [
        { name: "a/ink.safetensors", scale: 1 },
        { name: "a/ink.safetensors", scale: 1 },
        { name: "b/ink.safetensors", scale: 1 },
        { name: "snow", scale: 2 },
      ],
    });
  });
});
