import { describe, expect, it } from "vitest";
import { checkImageCount } from "../../src/engine/model-traits.ts";
import { type EditRequest, imagesOf, resolveRequest, seedAt } from "../../src/engine/request.ts";
import { refusal } from "../support/refusal.ts";

/** Requests come from programs without types, too: the fields may be anything. */
const resolve = (fields: Record<string, unknown> = {}) =>
  resolveRequest({ image: new Uint8Array(), prompt: "Make it night", ...fields } as EditRequest);
const invalid = (sentence: string): unknown => refusal("INVALID_PARAMETER", sentence);

describe("a request", () => {
  it("needs a picture and a prompt; all else has its default", () => {
    const { seed, ...rest } = resolve();
    expect(rest).toEqual({
      prompt: "Make it night",
      prompt2: undefined,
      maxSequenceLength: undefined,
      negativePrompt: "",
      sizeRule: "exact",
      sampler: "euler",
      isEmptyNegativeUsed: false,
      trueCfgScale: 2,
      size: undefined,
      numSteps: 28,
      sigmas: undefined,
      guidance: 2,
      acceleration: "off",
      minPsnr: undefined,
      numImages: 1,
      imageLayout: "auto",
      format: "png",
      outputQuality: undefined,
      background: "auto",
      isSafetyChecked: true,
      isUnchangedKept: false,
      preserve: "off",
      isMaskWanted: false,
      loras: [],
      isTransparencyEdited: false,
      strength: 1,
      paddingMaskCrop: undefined,
      maskBlur: 0,
      maskFeather: 0,
    });
    expect(Number.isInteger(seed)).toBe(true);
  });

  it("may have every field at either end of its range", () => {
    const lowest = { size: { width: 16, height: 16 }, numSteps: 1, guidance: 0, trueCfgScale: 1, seed: 0 };
    const highest = {
      size: { width: 4096, height: 4096 },
      numSteps: 50,
      guidance: 10,
      trueCfgScale: 10,
      seed: Number.MAX_SAFE_INTEGER,
    };
    for (const fields of [lowest, highest]) expect(resolve(fields)).toMatchObject(fields);
  });

  it("may have fractions for guidance and true scale", () => {
    expect(resolve({ guidance: 2.5, trueCfgScale: 1.5 })).toMatchObject({ guidance: 2.5, trueCfgScale: 1.5 });
  });

  it("may name LoRAs, each with a scale or 1", () => {
    const loras = [{ name: "ink" }, { name: "snow", scale: -10 }, { name: "rain", scale: 0 }];
    expect(resolve({ loras }).loras).toEqual([{ name: "ink", scale: 1 }, ...loras.slice(1)]);
  });

  it.each<[loras: unknown, sentence: string]>([
    ["ink", "loras must be a list of at most 4."],
    [Array.from({ length: 5 }, () => ({ name: "ink" })), "loras must be a list of at most 4."],
    [[{ name: "ink" }, { scale: 1 }], "loras[1].name must be a string."],
    [[null], "loras[0].name must be a string."],
    [[{ name: "ink", scale: 10.1 }], "loras[0].scale must be a number from -10 to 10, not 10.1."],
    [[{ name: "ink", scale: NaN }], "loras[0].scale must be a number from -10 to 10, not NaN."],
  ])("is refused with the LoRAs %o", (loras, sentence) => {
    expect(() => resolve({ loras })).toThrow(invalid(sentence));
  });

  it("reads an undefined field as one that is not given", () => {
    const fields = ["negativePrompt", "trueCfgScale", "size", "numSteps", "guidance", "format"];
    const { seed: _, ...expected } = resolve();
    expect(resolve(Object.fromEntries(fields.map((name) => [name, undefined])))).toMatchObject(expected);
  });

  it.each<[field: string, wanted: string, refused: unknown[]]>([
    ["numSteps", "a whole number from 1 to 50", [0, 51, 1.5, -1, NaN, Infinity, "28", true]],
    ["guidance", "a number from 0 to 10", [-0.1, 10.1, NaN, "2", Infinity]],
    ["trueCfgScale", "a number from 1 to 10", [0.9, 10.1, NaN, -Infinity, "2"]],
    ["seed", "a whole number from -1 to 9007199254740991", [-2, 0.5, 2 ** 53, NaN, "1", 1n]],
  ])("is refused where %s is not %s", (field, wanted, refused) => {
    for (const value of refused) {
      expect(() => resolve({ [field]: value })).toThrow(
        invalid(`${field} must be ${wanted}, not ${String(value)}.`),
      );
    }
  });

  it.each(["width", "height"])("is refused where the size's %s is out of range", (side) => {
    for (const value of [15, 4097, 100.5, NaN, "64", undefined]) {
      expect(() => resolve({ size: { width: 64, height: 64, [side]: value } })).toThrow(
        invalid(`size.${side} must be a whole number from 16 to 4096, not ${String(value)}.`),
      );
    }
  });

  it.each(["gif", "PNG", "", 1, null])("is refused where the format is %o", (format) => {
    expect(() => resolve({ format })).toThrow(
      invalid(`format must be png, jpeg, webp or avif, not ${JSON.stringify(format)}.`),
    );
  });

  it("preserves by either name, unless the two contradict each other", () => {
    const preserved = (fields: Record<string, unknown>): unknown => resolve(fields).preserve;
    expect(preserved({ isUnchangedKept: true })).toBe("auto");
    expect(preserved({ isUnchangedKept: false })).toBe("off");
    for (const preserve of ["off", "exact", "auto"]) {
      expect(resolve({ preserve })).toMatchObject({ preserve, isUnchangedKept: preserve !== "off" });
      expect(preserved({ preserve, isUnchangedKept: preserve !== "off" })).toBe(preserve);
      expect(() => preserved({ preserve, isUnchangedKept: preserve === "off" })).toThrow(
        "preserve and isUnchangedKept must not be given together.",
      );
    }
    for (const preserve of ["all", "", null, true]) {
      expect(() => preserved({ preserve })).toThrow("preserve must be off, exact or auto");
    }
    expect(resolve({ preserve: "exact", isMaskWanted: true }).isMaskWanted).toBe(true);
    expect(() => resolve({ isMaskWanted: true })).toThrow(
      "isMaskWanted is not supported: nothing is preserved.",
    );
  });

  it("takes the image's size by two words", () => {
    expect(resolve({ size: "auto" }).size).toBeUndefined();
    expect(resolve({ size: "source" }).size).toBe("source");
    expect(() => resolve({ size: "source", sizeRule: "diffusers" })).toThrow(
      "size and sizeRule must not be given together.",
    );
    for (const size of ["1024x1024", "", "Source"]) {
      expect(() => resolve({ size })).toThrow("size must be a width and a height, auto or source");
    }
  });

  it.each(["isSafetyChecked", "isUnchangedKept", "isMaskWanted"])(
    "is refused where %s is no boolean",
    (field) => {
      for (const value of ["yes", 1, null]) {
        expect(() => resolve({ [field]: value })).toThrow(
          invalid(`${field} must be true or false, not ${JSON.stringify(value)}.`),
        );
      }
    },
  );

  it.each(["picture.png", null, [1, 2], new ArrayBuffer(4)])(
    "is refused where the picture is %o and no bytes",
    (image) => {
      expect(() => resolve({ image })).toThrow(
        invalid(
          "image must be the bytes of an image in a Uint8Array; readImageSource gets them from a path.",
        ),
      );
    },
  );
});

describe("the number of images", () => {
  it.each([
    { given: 0, minImages: 1, maxImages: 1, sentence: "image is missing." },
    { given: 2, minImages: 1, maxImages: 1, sentence: "image must be one image, not 2." },
    { given: 5, minImages: 0, maxImages: 4, sentence: "image must be at most 4 images, not 5." },
    {
      given: 2,
      minImages: 1,
      maxImages: 4,
      layouts: ["index", "stitch"] as const,
      needsLayout: true,
      sentence:
        "image must be one image, not 2, because the model was trained on one; imageLayout index or stitch accepts several anyway.",
    },
  ])("$given of $minImages to $maxImages is refused", ({ given, sentence, ...limits }) =>
    expect(() => checkImageCount(given, limits)).toThrow(invalid(sentence)),
  );

  const kontext = { minImages: 1, maxImages: 4, layouts: ["index", "stitch"] as const, needsLayout: true };

  it("may be more than one where the request says how they are taken", () => {
    for (const given of [1, 2, 4]) expect(() => checkImageCount(given, kontext, "stitch")).not.toThrow();
    expect(() => checkImageCount(1, kontext)).not.toThrow();
    expect(() => checkImageCount(5, kontext, "stitch")).toThrow("image must be at most 4 images, not 5.");
  });

  it.each([
    [4, "several images by itself"],
    [1, "one image"],
  ])("leaves no choice to a model that takes %i by itself", (maxImages, taken) => {
    expect(() => checkImageCount(1, { minImages: 0, maxImages }, "offset")).toThrow(
      `imageLayout is not supported: the model of this checkpoint takes ${taken}.`,
    );
  });

  it("counts those of image and images, in this order", () => {
    const [a, b, c] = [1, 2, 3].map((byte) => Uint8Array.of(byte));
    expect(imagesOf({ image: a, images: [b!, c!] })).toEqual([a, b, c]);
    expect(imagesOf({ images: [b!] })).toEqual([b]);
    expect(() => imagesOf({ image: a, images: b as never })).toThrow("images must be a list of images.");
  });

  it.each([0, 1, 4])("%i of 0 to 4 passes", (given) =>
    expect(() => checkImageCount(given, { minImages: 0, maxImages: 4 })).not.toThrow(),
  );
});

describe("the model's own defaults", () => {
  it("count where the request does not choose", () => {
    const defaults = { numSteps: 4, guidance: 1 };
    expect(resolveRequest({ image: new Uint8Array(), prompt: "night" }, defaults)).toMatchObject(defaults);
    expect(
      resolveRequest({ image: new Uint8Array(), prompt: "night", numSteps: 9, guidance: 3 }, defaults),
    ).toMatchObject({ numSteps: 9, guidance: 3 });
  });
});

describe("the seed", () => {
  it("0 is a seed like any other", () => expect(resolve({ seed: 0 }).seed).toBe(0));

  it.each([-1, undefined])("%o chooses one of 32 bits, another every time", (seed) => {
    const seeds = Array.from({ length: 20 }, () => resolve({ seed }).seed);
    for (const chosen of seeds) {
      expect(Number.isInteger(chosen) && chosen >= 0 && chosen < 2 ** 32, String(chosen)).toBe(true);
    }
    expect(new Set(seeds).size).toBeGreaterThan(15);
  });
});

describe("several results", () => {
  it("have seeds that follow each other, of which the low 32 bits count", () => {
    expect([0, 1, 2].map((index) => seedAt(7, index))).toEqual([7, 8, 9]);
    expect([0, 1, 2].map((index) => seedAt(2 ** 32 - 2, index))).toEqual([2 ** 32 - 2, 2 ** 32 - 1, 0]);
    expect([0, 1].map((index) => seedAt(Number.MAX_SAFE_INTEGER, index))).toEqual([
      Number.MAX_SAFE_INTEGER,
      0,
    ]);
  });
});

describe("the prompts", () => {
  it("may have 4,000 characters, counted as code points", () => {
    const longest = "🐦".repeat(4000);
    expect(longest).toHaveLength(8000);
    expect(resolve({ prompt: longest, negativePrompt: longest })).toMatchObject({
      prompt: longest,
      negativePrompt: longest,
    });
  });

  it.each(["prompt", "negativePrompt"])(
    "are refused by name where %s has one more, or is no text",
    (name) => {
      expect(() => resolve({ [name]: "🐦".repeat(4001) })).toThrow(
        invalid(`${name} must have at most 4000 characters, not 4001.`),
      );
      for (const value of [7, ["a"], {}]) {
        expect(() => resolve({ [name]: value })).toThrow(invalid(`${name} must be a string.`));
      }
    },
  );

  it.each(["", " ", "\n\t\u00A0"])(
    "need something to do: %o is refused as a prompt, not as a negative one",
    (text) => {
      expect(() => resolve({ prompt: text })).toThrow(invalid("prompt must not be empty."));
      expect(resolve({ negativePrompt: text }).negativePrompt).toBe(text);
    },
  );

  it("keep the spaces that they were given", () => {
    expect(resolve({ prompt: "  a  b " }).prompt).toBe("  a  b ");
  });
});
