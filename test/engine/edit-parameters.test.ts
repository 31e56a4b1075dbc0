/** Every surface and document has the parameters of an edit as the table has them. */
import { describe, expect, it } from "vitest";
import { createEditTool } from "../../src/cli/edit-tool.ts";
import { EDIT } from "../../src/cli/commands/edit.ts";
import { COMMAND, flagOf, modelDefaultsText, rangeText, TOOL } from "../../src/cli/surfaces.ts";
import { readConfig } from "../../src/config/config.ts";
import { nameOf } from "../../src/errors.ts";
import { EDIT_PARAMETERS, type EditParameter, fieldOfWire, WIRE } from "../../src/engine/edit-parameters.ts";
import type { EditDefaults } from "../../src/engine/model-traits.ts";
import { type EditRequest, resolveRequest } from "../../src/engine/request.ts";
import { imageEditSchema } from "../../src/server/openai/schemas.ts";
import { editInputSchema, USUAL_TRAITS } from "../../src/server/schemas.ts";
import { codeIn, pageOf, rowsOf, sectionsOf } from "../documents/pages.ts";

const parameters = Object.entries<EditParameter>(EDIT_PARAMETERS);
const numbers = parameters.flatMap(([field, parameter]) =>
  parameter.type === "integer" || parameter.type === "number" ? ([[field, parameter]] as const) : [],
);
/** Whether its default is the model's own. */
const isOfModel = (field: string): field is "numSteps" | "guidance" =>
  field === "numSteps" || field === "guidance";
const request = { image: new Uint8Array(), prompt: "Make it night" };
const resolve = (fields: Record<string, unknown>) =>
  resolveRequest({ ...request, ...fields } as EditRequest) as unknown as Record<string, unknown>;

/** What a schema says of a number for which a word may stand. */
const typeOf = ({ type, word }: { type: string; word?: string }) =>
  word === undefined ? { type } : { type: [type, "string"], pattern: `^${word}$` };

interface JsonSchema {
  type?: string | string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  default?: unknown;
  pattern?: string;
  description?: string;
  anyOf?: { const: string }[];
  enum?: string[];
  items?: { properties: Record<string, JsonSchema> };
}

describe("the library", () => {
  it.each(numbers)(
    "takes %s in its range alone, and has its default",
    (field, { type, min, max, ...rest }) => {
      const beside = field === "minPsnr" ? { acceleration: "auto" } : {};
      if (field !== "seed") expect(resolve(beside)[field]).toBe(rest.default);
      for (const value of [min, max]) {
        if (!(field === "seed" && value === rest.default))
          expect(resolve({ ...beside, [field]: value })[field]).toBe(value);
      }
      const wrong = [
        min - 1,
        max + (max < 100 ? 1 : 2),
        Number.NaN,
        ...(type === "integer" ? [min + 0.5] : []),
      ];
      for (const value of wrong) {
        expect(() => resolve({ ...beside, [field]: value })).toThrow(`${field} must be`);
      }
    },
  );

  it.each(["prompt", "prompt2", "negativePrompt"] as const)("takes as many characters in %s", (field) => {
    const { max } = EDIT_PARAMETERS[field];
    expect(resolve({ [field]: "é".repeat(max) })[field]).toHaveLength(max);
    expect(() => resolve({ [field]: "é".repeat(max + 1) })).toThrow(`at most ${max} characters`);
  });

  it("takes the lengths of T5 and the noise levels in their ranges alone", () => {
    const { maxSequenceLength, sigmas } = EDIT_PARAMETERS;
    for (const value of [maxSequenceLength.min, maxSequenceLength.max]) {
      expect(resolve({ maxSequenceLength: value })["maxSequenceLength"]).toBe(value);
    }
    for (const value of [maxSequenceLength.min - 1, maxSequenceLength.max + 1, 1.5, "9", null]) {
      expect(() => resolve({ maxSequenceLength: value })).toThrow(
        `maxSequenceLength must be a whole number from ${rangeText(maxSequenceLength)}`,
      );
    }
    const most = Array.from({ length: sigmas.maxItems }, (_, index) => index / sigmas.maxItems);
    for (const levels of [[sigmas.max], [sigmas.min], most]) {
      expect(resolve({ sigmas: levels, numSteps: 7 })).toMatchObject({
        sigmas: levels,
        numSteps: levels.length,
      });
    }
    for (const levels of [[], [...most, 1], [1.1], [-0.1], [Number.NaN], ["1"], "1", 1, null]) {
      expect(() => resolve({ sigmas: levels })).toThrow(
        `sigmas must be a list of 1 to ${sigmas.maxItems} numbers from ${rangeText(sigmas)}.`,
      );
    }
  });

  it("has the other defaults and ranges", () => {
    expect(resolve({})["sizeRule"]).toBe(EDIT_PARAMETERS.sizeRule.default);
    for (const sizeRule of EDIT_PARAMETERS.sizeRule.choices) {
      expect(resolve({ sizeRule })["sizeRule"]).toBe(sizeRule);
    }
    expect(() => resolve({ sizeRule: "stretch" })).toThrow(
      'sizeRule must be exact or diffusers, not "stretch".',
    );
    const { format, isSafetyChecked, isUnchangedKept, negativePrompt, size, loras } = EDIT_PARAMETERS;
    expect(resolve({})).toMatchObject({
      format: format.default,
      isSafetyChecked: isSafetyChecked.default,
      isUnchangedKept: isUnchangedKept.default,
      isEmptyNegativeUsed: EDIT_PARAMETERS.isEmptyNegativeUsed.default,
      negativePrompt: negativePrompt.default,
      loras: [],
    });
    for (const side of [size.min - 1, size.max + 1]) {
      expect(() => resolve({ size: { width: side, height: 64 } })).toThrow(`from ${size.min} to ${size.max}`);
    }
    const one = { name: "ink" };
    expect(resolve({ loras: [one] })["loras"]).toEqual([{ ...one, scale: loras.scale.default }]);
    expect(() => resolve({ loras: Array.from({ length: loras.max + 1 }, () => one) })).toThrow("at most");
    expect(() => resolve({ loras: [{ ...one, scale: loras.scale.max + 1 }] })).toThrow("loras[0].scale");
  });
});

describe.each([
  ["the wire", editInputSchema(readConfig({}), USUAL_TRAITS).properties],
  ["OpenAI's routes", imageEditSchema(readConfig({})).properties],
] as const)("%s", (surface, properties) => {
  const schemas = properties as unknown as Record<string, JsonSchema>;

  it.each(parameters)("has %s by its names, with its range, default and sentence", (field, parameter) => {
    const { type, aliases = [], description } = parameter;
    const wire = field === "numImages" && surface !== "the wire" ? "n" : parameter.wire;
    if (type === "image" && surface !== "the wire") return;
    const schema = schemas[wire]!;
    for (const alias of aliases) expect(schemas[alias]?.description).toBe(`Another name of \`${wire}\`.`);
    // A refusal quotes these.
    if (type === "pattern") expect(schema.description).toBe(parameter.accepts);
    else if (type !== "size") expect(schema.description).toContain(description);
    if (type === "integer" || type === "number") {
      const { min, max, default: byDefault } = parameter;
      expect(schema).toMatchObject({ ...typeOf(parameter), minimum: min, maximum: max, default: byDefault });
      for (const alias of aliases) expect(schemas[alias]).toMatchObject({ minimum: min, maximum: max });
    } else if (type === "modelNumber") {
      expect(schema).toMatchObject({ type: "integer", minimum: parameter.min, maximum: parameter.max });
      expect(schema.default).toBeUndefined();
    } else if (type === "numbers") {
      const { min, max, maxItems } = parameter;
      const items = { type: "number", minimum: min, maximum: max };
      expect(schema).toMatchObject({ type: "array", minItems: 1, maxItems, items });
    } else if (type === "string") {
      expect(schema).toMatchObject({ type, maxLength: parameter.max });
      expect(schema.default).toBe(parameter.default);
    } else if (type === "pattern") {
      expect(schema).toMatchObject({
        type: "string",
        pattern: parameter.pattern,
        default: parameter.default,
      });
    } else if (type === "boolean") expect(schema).toMatchObject({ type, default: parameter.default });
    else if (type === "choice") {
      expect(schema.default).toBe(parameter.default);
      const spellings = wire === "output_format" ? ["jpg"] : [];
      expect(schema.anyOf!.map((choice) => choice.const)).toEqual([...parameter.choices, ...spellings]);
    } else if (type === "loras") {
      const { min, max, default: byDefault } = parameter.scale;
      expect(schema.maxItems).toBe(parameter.max);
      expect(schema.items!.properties["scale"]).toMatchObject({
        minimum: min,
        maximum: max,
        default: byDefault,
      });
    }
  });

  it("has the default size", () => {
    const { width, height } = EDIT_PARAMETERS.size.wireDefault;
    const { default: byDefault, description } = schemas["size"]!;
    expect(`${String(byDefault)} ${description}`).toMatch(new RegExp(`${width}[x*]${height}`));
  });
});

describe("the command", () => {
  const options = EDIT.options!;

  it.each(parameters.filter(([, { flag }]) => flag))(
    "has a flag for %s, with its range and default",
    (field, parameter) => {
      const option = options.find(({ flags }) => flags === parameter.flag)!;
      expect(option, parameter.flag).toBeDefined();
      if ("min" in parameter && parameter.max !== Number.MAX_SAFE_INTEGER && parameter.type !== "string") {
        expect(option.description).toContain(rangeText(parameter));
      }
      if (isOfModel(field)) {
        expect(option.description).toContain(`(default: the model's own: ${modelDefaultsText(field)})`);
      } else if (parameter.type === "integer" || parameter.type === "number") {
        expect(option.description).toContain(`(default: ${parameter.default})`);
      } else if (parameter.type === "choice") expect(option.description).toContain(parameter.default);
      if (parameter.type === "loras") {
        expect(option.description).toContain(
          `${rangeText(parameter.scale)} (default: ${parameter.scale.default})`,
        );
        expect(option.description).toContain(`up to ${parameter.max} times`);
      }
    },
  );
});

describe("every model's defaults", () => {
  it("are the pipelines' own, in one phrase", () => {
    expect(modelDefaultsText("numSteps")).toBe(
      "28 of FLUX.1 Kontext, 4 of a distilled FLUX.2 [klein], 50 of another",
    );
    expect(modelDefaultsText("guidance")).toBe(
      "2 of FLUX.1 Kontext, without effect on a distilled FLUX.2 [klein], 4 of another",
    );
  });
});

describe("the tool of retouch mcp", () => {
  const unused = () => Promise.reject(new Error("not called"));
  const schemasWith = (defaults?: EditDefaults) => {
    const { definition } = createEditTool({
      load: unused,
      loras: ["ink"],
      defaults,
      access: { client: { get: unused, post: unused }, open: unused },
      results: { check: unused, checkRoom: unused, write: unused, writeAll: unused },
    });
    return definition.inputSchema.properties as unknown as Record<string, JsonSchema>;
  };
  const schemas = schemasWith();

  it("has the defaults of its checkpoint's model", () => {
    const { steps, guidance } = schemasWith({ numSteps: 4, guidance: 1, isGuided: false });
    const { numSteps, guidance: strength } = EDIT_PARAMETERS;
    expect(steps).toEqual({
      ...typeOf(numSteps),
      minimum: numSteps.min,
      maximum: numSteps.max,
      default: 4,
      description: numSteps.description,
    });
    expect(guidance).toMatchObject({
      default: 1,
      description: `${strength.description} It has no effect on this model, which was distilled to do without it.`,
    });
    expect(schemasWith({ numSteps: 50, guidance: 4 })["guidance"]).toMatchObject({
      default: 4,
      description: strength.description,
    });
  });

  it.each(parameters.filter(([, { tool }]) => tool))("has an argument for %s", (field, parameter) => {
    const schema = schemas[parameter.tool!]!;
    if (isOfModel(field)) {
      const { min, max, description } = EDIT_PARAMETERS[field];
      expect(schema).toEqual({
        ...typeOf(EDIT_PARAMETERS[field]),
        minimum: min,
        maximum: max,
        description: `${description} By default the model's own: ${modelDefaultsText(field)}.`,
      });
    } else if (parameter.type === "integer" || parameter.type === "number") {
      const { type, min, max, default: byDefault, description } = parameter;
      expect(schema).toEqual({ type, minimum: min, maximum: max, default: byDefault, description });
    } else if (field === "isMaskWanted") {
      // The file that it is written to.
      expect(schema).toMatchObject({ type: "string", maxLength: 4096 });
    } else if (parameter.type === "choice") expect(schema.enum).toEqual(parameter.choices);
    else if (parameter.type === "size") expect(schema.description).toContain(rangeText(parameter));
    else if (parameter.type === "loras") {
      const { min, max, default: byDefault } = parameter.scale;
      expect(schema.maxItems).toBe(parameter.max);
      expect(schema.items!.properties["scale"]).toMatchObject({
        minimum: min,
        maximum: max,
        default: byDefault,
      });
    } else if (parameter.type === "modelNumber") {
      const { min, max, description } = parameter;
      expect(schema).toEqual({ type: "integer", minimum: min, maximum: max, description });
    } else if (parameter.type === "numbers") {
      const { min, max, maxItems, description } = parameter;
      const items = { type: "number", minimum: min, maximum: max };
      expect(schema).toEqual({ type: "array", items, minItems: 1, maxItems, description });
    } else if (field === "image") {
      expect([schema.type, schema.items]).toEqual([["string", "array"], { type: "string" }]);
    } else expect(schema.type).toBe(parameter.type === "boolean" ? "boolean" : "string");
  });
});

describe("a failure's field", () => {
  it.each(parameters)("%s is worded with each surface's name", (field, parameter) => {
    expect(nameOf(field, WIRE)).toBe(parameter.wire);
    expect(fieldOfWire(parameter.wire)).toBe(field);
    if (parameter.flag) expect(nameOf(field, COMMAND)).toBe(flagOf(parameter));
    if (parameter.tool) expect(nameOf(field, TOOL)).toBe(parameter.tool);
  });
});

describe("the documents", () => {
  const input = rowsOf(sectionsOf(pageOf("docs/http.md")).get("Submitting")!);
  const flags = rowsOf(sectionsOf(pageOf("docs/cli.md")).get("retouch edit")!);
  const bare = (cell: string): string => cell.replaceAll("`", "");
  /** Numbers as a reader has them, with commas or without. */
  const said = (cell: string): string => cell.replaceAll(",", "");

  it.each(parameters)("have %s in http.md with its range and default", (field, parameter) => {
    const [, byDefault, accepts] = input.find(([names]) => codeIn(names!)[0] === parameter.wire)!;
    if (isOfModel(field)) {
      expect(byDefault).toBe("the model's own");
      expect(accepts).toContain(`${rangeText(EDIT_PARAMETERS[field])}; ${modelDefaultsText(field)}`);
    } else if (parameter.type === "integer" || parameter.type === "number") {
      expect(bare(byDefault!)).toBe(String(parameter.default));
      const min = parameter.wire === "seed" ? 0 : parameter.min;
      expect(said(accepts!)).toContain(rangeText({ min, max: parameter.max }));
    } else if (parameter.type === "modelNumber") expect(said(accepts!)).toContain(rangeText(parameter));
    else if (parameter.type === "numbers") {
      expect(accepts).toContain(`1 to ${parameter.maxItems}`);
      expect(accepts).toContain(rangeText(parameter));
    } else if (parameter.type === "boolean" || parameter.type === "choice" || parameter.type === "pattern") {
      expect(bare(byDefault!)).toBe(String(parameter.default));
    } else if (parameter.type === "string" && parameter.min > 0) {
      expect(said(accepts!)).toContain(rangeText(parameter));
    } else if (parameter.type === "size") {
      const { width, height } = parameter.wireDefault;
      expect(bare(byDefault!)).toBe(`${width}*${height}`);
    } else if (parameter.type === "loras") {
      expect(accepts).toContain(`up to ${parameter.max} of`);
      expect(accepts).toContain(
        `scale ${rangeText(parameter.scale)}, ${parameter.scale.default} without one`,
      );
    }
  });

  it.each(parameters.filter(([, { flag }]) => flag))("have %s in cli.md as well", (field, parameter) => {
    const [, byDefault, meaning] = flags.find(([flag]) => bare(flag!) === parameter.flag)!;
    if (isOfModel(field)) {
      expect(byDefault).toBe("the model's own");
      expect(meaning).toContain(`${rangeText(EDIT_PARAMETERS[field])}; ${modelDefaultsText(field)}`);
    } else if (parameter.type === "integer" || parameter.type === "number") {
      expect(byDefault).toBe(String(parameter.default));
      if (parameter.max !== Number.MAX_SAFE_INTEGER) expect(meaning).toContain(rangeText(parameter));
    } else if (parameter.type === "size" || parameter.type === "modelNumber") {
      expect(meaning).toContain(rangeText(parameter));
    } else if (parameter.type === "numbers") {
      expect(meaning).toContain(`1 to ${parameter.maxItems} of ${rangeText(parameter)}`);
    } else if (parameter.type === "loras") {
      expect(meaning).toContain(
        `${rangeText(parameter.scale)} (${parameter.scale.default} without one); up to ${parameter.max} times`,
      );
    }
  });
});
