/** Checks of single values of a request, each against its range. All throw RetouchError INVALID_PARAMETER. */
import { cutText, invalid } from "../errors.ts";
import type { LoraUse } from "../lora/use.ts";
import {
  EDIT_PARAMETERS,
  IMAGE_SIZES,
  type NumberParameter,
  type NumbersParameter,
  type SizeRule,
  type StringParameter,
} from "./edit-parameters.ts";
import { checkSourceSize } from "./preserve-rules.ts";

const MAX_SHOWN_CHARACTERS = 100;

export function lorasWithin(loras: unknown, { max, scale: range }: typeof EDIT_PARAMETERS.loras): LoraUse[] {
  if (!Array.isArray(loras) || loras.length > max) {
    throw invalid("tooMany", { field: "loras", max });
  }
  return loras.map((entry: unknown, index) => {
    const { name, scale } = (entry ?? {}) as Partial<LoraUse>;
    if (typeof name !== "string") {
      throw invalid("type", { field: `loras[${index}].name`, wanted: "a string" });
    }
    return { name, scale: numberWithin(`loras[${index}].scale`, scale, { type: "number", ...range }) };
  });
}

export function modelNumberWithin(
  field: "maxSequenceLength" | "paddingMaskCrop",
  given: unknown,
): number | undefined {
  if (given === undefined) return undefined;
  const { min, max } = EDIT_PARAMETERS[field];
  return numberIn(field, given, { type: "integer", min, max });
}

export function qualityWithin(given: unknown): number | undefined {
  if (given === undefined) return undefined;
  const { min, max } = EDIT_PARAMETERS.outputQuality;
  return numberIn("outputQuality", given, { type: "integer", min, max });
}

export function sigmasWithin(given: unknown): number[] | undefined {
  if (given === undefined) return undefined;
  const { min, max, maxItems }: NumbersParameter = EDIT_PARAMETERS.sigmas;
  const isNumber = (value: unknown): boolean => typeof value === "number" && value >= min && value <= max;
  if (!Array.isArray(given) || given.length < 1 || given.length > maxItems || !given.every(isNumber)) {
    const wanted = `a list of 1 to ${maxItems} numbers from ${min} to ${max}`;
    throw invalid("type", { field: "sigmas", wanted });
  }
  return given.map(Number);
}

export function promptWithin(field: string, prompt: unknown, range: StringRange): string {
  const text = stringWithin(field, prompt, range);
  if (text.trim() === "") throw invalid("empty", { field });
  return text;
}

type StringRange = Pick<StringParameter, "max">;

export function stringWithin(field: string, text: unknown, { max }: StringRange): string {
  if (typeof text !== "string") throw invalid("type", { field, wanted: "a string" });
  const count = [...text].length;
  if (count > max) {
    throw invalid("tooLong", { field, max, count });
  }
  return text;
}

type NumberRange = Pick<NumberParameter, "type" | "min" | "max">;

export const numberWithin = (
  field: string,
  value: unknown,
  range: NumberRange & Pick<NumberParameter, "default">,
): number => numberIn(field, value ?? range.default, range);

export function numberIn(field: string, value: unknown, { type, min, max }: NumberRange): number {
  const isInteger = type === "integer";
  const isValid =
    typeof value === "number" && value >= min && value <= max && (!isInteger || Number.isInteger(value));
  if (!isValid) {
    const wanted = isInteger ? "a whole number" : "a number";
    throw invalid("range", { field, wanted, min, max, given: cutText(String(value), MAX_SHOWN_CHARACTERS) });
  }
  return value;
}

export function sizeWithin(
  size: unknown,
  sizeRule: SizeRule,
): { width: number; height: number } | "source" | undefined {
  if (size === undefined || size === "auto") return undefined;
  if (size === "source") {
    checkSourceSize(sizeRule);
    return size;
  }
  const choices = `a width and a height, ${IMAGE_SIZES.join(" or ")}`;
  if (typeof size === "string") throw invalid("type", { field: "size", wanted: choices });
  const { width, height } = (size ?? {}) as { width?: unknown; height?: unknown };
  const { min, max } = EDIT_PARAMETERS.size;
  const side = { type: "integer", min, max } as const;
  return {
    width: numberIn("size.width", width, side),
    height: numberIn("size.height", height, side),
  };
}
