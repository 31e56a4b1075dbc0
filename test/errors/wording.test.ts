import { describe, expect, it } from "vitest";
import { failure, fieldOf, invalid, LIBRARY, recordOf, RetouchError, sentenceOf } from "../../src/errors.ts";
import { SENTENCES } from "../../src/errors/catalogue.ts";

const range = failure("range", { field: "numSteps", wanted: "a whole number", min: 1, max: 50, given: 0 });
const surface = {
  ...LIBRARY,
  names: { numSteps: "--steps", "loras[].scale": "loras[].strength", "size.width": "width" },
  image: (source: string | undefined) => (source === undefined ? "image" : `image: ${source}`),
};

describe("a failure", () => {
  it("is worded with the library's names", () => {
    expect(sentenceOf(range)).toBe("numSteps must be a whole number from 1 to 50, not 0.");
    expect(new RetouchError("INVALID_PARAMETER", range).message).toBe(sentenceOf(range));
  });

  it("is worded with a surface's names, also in items of lists", () => {
    expect(sentenceOf(range, surface)).toBe("--steps must be a whole number from 1 to 50, not 0.");
    const scale = failure("type", { field: "loras[3].scale", wanted: "a number" });
    expect(sentenceOf(scale, surface)).toBe("loras[3].strength must be a number.");
    const sides = failure("together", { field: "size.width", other: "size.height" });
    expect(sentenceOf(sides, surface)).toBe("width and size.height must be given together.");
  });

  it("is worded in a surface's own sentence where it has one", () => {
    const own = { ...surface, sentences: { range: "Steps: {min} to {max} with {field}." } };
    expect(sentenceOf(range, own)).toBe("Steps: 1 to 50 with --steps.");
  });

  it("about an image names its source, or what the surface calls it", () => {
    expect(sentenceOf(failure("imageEmpty", {}))).toBe("the image is empty (0 bytes).");
    expect(sentenceOf(failure("imageEmpty", { source: "a.png" }))).toBe("a.png is empty (0 bytes).");
    expect(sentenceOf(failure("imageEmpty", {}), surface)).toBe("image is empty (0 bytes).");
    expect(sentenceOf(failure("imageEmpty", { source: "http://h/a" }), surface)).toBe(
      "image: http://h/a is empty (0 bytes).",
    );
    expect(fieldOf(failure("imageEmpty", {}))).toBe("image");
  });

  it("keeps what looks like a slot in a value as it is", () => {
    const given = failure("oneOf", { field: "format", choices: "png or jpeg", given: "{field}" });
    expect(sentenceOf(given)).toBe("format must be png or jpeg, not {field}.");
  });

  it("says where a setting stands", () => {
    const misspelt = failure("settingUnknown", { field: "RETOUCH_PROT", place: ".env" });
    expect(sentenceOf(misspelt)).toBe("RETOUCH_PROT (in .env) is not a setting.");
  });
});

describe("an error", () => {
  it("has its field and values as data", () => {
    const error = invalid("missing", { field: "image" });
    expect(error).toMatchObject({ code: "INVALID_PARAMETER", httpStatus: 400, field: "image" });
    expect(new RetouchError("INVALID_PARAMETER", range).values).toMatchObject({ min: 1, max: 50, given: 0 });
  });

  it("of one sentence has no field", () => {
    const error = new RetouchError("ABORTED", "The edit was cancelled.");
    expect(error.field).toBeUndefined();
    expect(error.message).toBe("The edit was cancelled.");
  });

  it("of several settings has a sentence for each, a line each in its message", () => {
    const failures = [failure("settingUnknown", { field: "A" }), failure("settingUnknown", { field: "B" })];
    const error = new RetouchError("CONFIG_INVALID", failures);
    expect(error.sentences).toEqual(["A is not a setting.", "B is not a setting."]);
    expect(error.message).toBe("A is not a setting.\nB is not a setting.");
  });

  it("keeps its data as JSON", () => {
    const error = new RetouchError("INVALID_PARAMETER", range);
    const record = JSON.parse(JSON.stringify(recordOf(error))) as ReturnType<typeof recordOf>;
    expect(record.code).toBe("INVALID_PARAMETER");
    expect(sentenceOf(record, surface)).toBe(sentenceOf(range, surface));
  });
});

describe("the catalogue", () => {
  it.each(Object.entries(SENTENCES))("%s is one sentence with slots", (kind, template) => {
    expect(template).toMatch(/^(?:[A-Z.]|\{\w+\})/);
    if (!template.endsWith("{sentence}")) expect(template).toMatch(/[.?]$/);
    // Something to put a value into, or it would say the same of everything.
    expect(template, kind).toMatch(/\{\w+\}/);
  });
});
