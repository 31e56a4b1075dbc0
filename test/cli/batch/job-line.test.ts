import path from "node:path";
import { describe, expect, it } from "vitest";
import { parseJobLine, readJobFields } from "../../../src/cli/batch/job-line.ts";
import { JOB_LINE } from "../../../src/cli/surfaces.ts";
import { RetouchError, wordError } from "../../../src/errors.ts";
import { EDIT_PARAMETERS, type EditParameter } from "../../../src/index.ts";

const folder = path.resolve("/jobs");
const read = (fields: string | object) =>
  readJobFields(parseJobLine(typeof fields === "string" ? fields : JSON.stringify(fields)), {
    line: 3,
    folder,
    loras: [{ name: "ink", scale: 0.5 }],
  });

/** The sentence of a refusal, by the names of a line. */
function sentenceOf(fields: string | object): string {
  try {
    read(fields);
  } catch (error) {
    if (error instanceof RetouchError) return wordError(error, JOB_LINE);
    throw error;
  }
  return "accepted";
}

describe("a line of a file of edits", () => {
  it("has the fields of the wire", () => {
    const entry = read({
      image: "a/b.jpg",
      prompt: "Make it night",
      prompt_2: "dark",
      num_inference_steps: 4,
      guidance_scale: 3,
      size: "64*48",
      seed: 7,
      output_format: "jpeg",
      keep_unchanged: false,
      enable_safety_checker: false,
      use_empty_negative_prompt: true,
      sigmas: [1, 0.5],
      loras: [{ name: "ink" }, { path: "pen", scale: 2 }],
      num_images: 3,
      output: "night/b.jpg",
    });
    expect(entry).toEqual({
      line: 3,
      images: [{ given: "a/b.jpg", source: path.join(folder, "a/b.jpg") }],
      pictures: {},
      numImages: 3,
      output: "night/b.jpg",
      name: "b.jpg",
      parameters: {
        prompt: "Make it night",
        prompt2: "dark",
        numSteps: 4,
        guidance: 3,
        size: { width: 64, height: 48 },
        seed: 7,
        format: "jpeg",
        isUnchangedKept: false,
        isSafetyChecked: false,
        isEmptyNegativeUsed: true,
        sigmas: [1, 0.5],
        loras: [
          { name: "ink", scale: undefined },
          { name: "pen", scale: 2 },
        ],
      },
    });
  });

  it("needs little: what is kept, the format and LoRAs have the command's defaults", () => {
    const { images, parameters, numImages, output, name } = read({ image: "b.jpg", prompt: "x", seed: null });
    expect(images).toHaveLength(1);
    expect([numImages, output, name]).toEqual([1, undefined, "b.jpg"]);
    expect(parameters).toEqual({
      prompt: "x",
      preserve: "auto",
      format: "png",
      loras: [{ name: "ink", scale: 0.5 }],
    });
    expect(read({ prompt: "x" })).toMatchObject({ images: [], name: "drawn" });
    expect(read({ prompt: "x", output: "x.JPG" }).parameters.format).toBe("jpeg");
    expect(read({ prompt: "x", width: 64, height: 32 }).parameters.size).toEqual({ width: 64, height: 32 });
  });

  it("knows every parameter of an edit by its name on the wire, and by its other names there", () => {
    for (const { wire, aliases = [] } of Object.values<EditParameter>(EDIT_PARAMETERS)) {
      for (const name of [wire, ...aliases]) {
        expect(sentenceOf({ [name]: null }), name).toBe("accepted");
      }
    }
  });

  it("takes masks, further images and the other fields of an edit as the wire does", () => {
    const line = {
      prompt: "x",
      image: "b.jpg",
      images: ["b.jpg", "c.jpg"],
      size: "source",
      preserve: "exact",
    };
    const mask = { mask: "m.png", strength: 0.5, padding_mask_crop: 8, mask_feather: 2 };
    const entry = read({ ...line, ...mask, background: "#fff", output_format: "webp", output_quality: 80 });
    expect(entry.images.map(({ given }) => given)).toEqual(["b.jpg", "c.jpg"]);
    expect(entry.pictures).toEqual({ mask: { given: "m.png", source: path.join(folder, "m.png") } });
    expect(entry.parameters).toMatchObject({
      size: "source",
      preserve: "exact",
      strength: 0.5,
      paddingMaskCrop: 8,
      maskFeather: 2,
      background: "#fff",
      format: "webp",
      outputQuality: 80,
    });
    expect(entry.parameters.isUnchangedKept).toBeUndefined();
    expect(sentenceOf({ prompt: "x", enable_mask_output: true })).toBe(
      "enable_mask_output is not supported: a batch writes results alone.",
    );
  });

  it("may name an earlier line's result in the place of its image, or wish to begin with the original", () => {
    const { images, parent, isFromOriginal, name } = read({
      parent: "night/b.png",
      parent_image: 2,
      images: ["hat.png"],
      from_original: false,
      prompt: "x",
    });
    expect(images.map(({ given }) => given)).toEqual(["hat.png"]);
    expect([parent, isFromOriginal, name]).toEqual([{ output: "night/b.png", image: 2 }, false, "b.png"]);
    expect(read({ parent: "b.png", prompt: "x" }).parent).toEqual({ output: "b.png", image: 0 });
    expect(read({ image: "b.png", prompt: "x", from_original: true }).isFromOriginal).toBe(true);
  });

  it("has images as paths from its folder, file and http URLs, and data URLs", () => {
    const images = ["/abs/a.png", "file:///b.png", "https://example.com/c.png", "data:image/png;base64,AAAA"];
    const { images: read4, name } = read({ images, prompt: "x" });
    expect(read4.map(({ source }) => source)).toEqual([path.resolve("/abs/a.png"), ...images.slice(1)]);
    expect(name).toBe("a.png");
    expect(read({ image: "https://example.com/c.png", prompt: "x" }).name).toBeUndefined();
  });

  it.each([
    ["nonsense", /^it is not JSON: Unexpected token/],
    ["[1]", "it is not a JSON object."],
    ["null", "it is not a JSON object."],
    ["[".repeat(400_000), /^it is not JSON/],
    [{ promt: "x" }, '"promt" is not a field of an edit; did you mean prompt?'],
    [{ steps: 3 }, '"steps" is not a field of an edit; did you mean num_inference_steps?'],
    [{ "mask-out": "a.png" }, '"mask-out" is not a field of an edit; did you mean enable_mask_output?'],
    [{ numSteps: 3 }, '"numSteps" is not a field of an edit; did you mean num_inference_steps?'],
    [{ enable_base64_output: true }, '"enable_base64_output" is not a field of an edit.'],
    ['{"__proto__": {"prompt": "x"}}', '"__proto__" is not a field of an edit.'],
    ['{"constructor": 1}', '"constructor" is not a field of an edit.'],
    [{ ["x".repeat(5000)]: 1 }, /^"x{100}…" is not a field of an edit\.$/],
    [{ guidance: 1, guidance_scale: 2 }, "guidance and guidance_scale are two names for the same field."],
    [{ image: 7 }, "image must be a path, an http(s) URL or a data URL."],
    [{ image: "" }, "image must be a path, an http(s) URL or a data URL."],
    [{ image: "-" }, "image must not be -: standard input cannot be read again."],
    [{ image: "a\u0000b" }, "image must be a path without null characters."],
    [{ image: "x".repeat(8193) }, "image must have at most 8192 characters, not 8193."],
    [{ image: "https://" }, "image must be an http or https URL."],
    [{ image: Array.from({ length: 17 }, () => "a.png") }, "image must be a list of at most 16."],
    [{ size: "big" }, 'size must be a width and a height such as 1024x768, auto or source, not "big".'],
    [{ size: "64*64", width: 64, height: 64 }, "size and width must not be given together."],
    [{ num_images: 9 }, "num_images must be a whole number from 1 to 8, not 9."],
    [{ num_images: "2" }, 'num_images must be a whole number from 1 to 8, not "2".'],
    [{ output: "a.bmp" }, /^output a\.bmp does not end in \.png, \.jpg/],
    [{ output: "a.png", output_format: "jpeg" }, "output_format jpeg contradicts the name in output a.png."],
    [{ output: 5 }, "output must be a path in the output folder, not 5."],
  ] satisfies [string | object, string | RegExp][])("is refused in one sentence: %j", (fields, sentence) => {
    const said = sentenceOf(fields);
    if (typeof sentence === "string") expect(said).toBe(sentence);
    else expect(said).toMatch(sentence);
  });
});
