/** JSON Schemas as lists of fields: type, what is required, limits, default and meaning. */
import { element } from "./dom.ts";
import { withCode } from "./inline-code.ts";
import type { Parameter, Schema } from "./openapi.ts";

/** Fields of an object, or of a list's objects, those inside below them. */
export function fieldList(schema: Schema): HTMLElement | undefined {
  const rows = rowsOf(schema, 0);
  return rows.length === 0 ? undefined : element("dl", { class: "fields" }, ...rows.flat());
}

/** Parameters of a call, with the place of each. */
export function parameterList(parameters: readonly Parameter[]): HTMLElement {
  const rows = parameters.map(({ name, required = false, schema, description, in: place }) =>
    row(name, { ...schema, description: description ?? schema.description ?? "" }, required, 0, place),
  );
  return element("dl", { class: "fields" }, ...rows.flat());
}

type Row = [HTMLElement, HTMLElement];

function rowsOf(schema: Schema, depth: number): Row[] {
  const inner = objectOf(schema);
  return Object.entries(inner.properties ?? {}).flatMap(([name, property]) => {
    const isRequired = inner.required?.includes(name) ?? false;
    return [row(name, property, isRequired, depth)].concat(rowsOf(property, depth + 1));
  });
}

/** The schema whose properties are listed: a list's elements in its place. */
const objectOf = (schema: Schema): Schema =>
  schema.properties === undefined && schema.items !== undefined ? schema.items : schema;

function row(name: string, schema: Schema, isRequired: boolean, depth: number, place?: string): Row {
  const term = element(
    "dt",
    { class: depth > 0 ? `deep deep-${Math.min(depth, 4)}` : "" },
    element("code", {}, name),
    ...(isRequired ? [" ", element("span", { class: "required" }, "required")] : []),
  );
  const facts = [typeOf(schema), place, ...limitsOf(schema)].filter(Boolean).join(" · ");
  const detail = element("dd", {}, element("span", { class: "faint facts-line" }, facts));
  const choices = choicesOf(schema);
  if (choices !== undefined)
    detail.append(element("span", { class: "choices-line" }, "One of ", ...listed(choices)));
  if (schema.pattern !== undefined && choices === undefined)
    detail.append(
      element("span", { class: "faint choices-line" }, "Pattern ", element("code", {}, schema.pattern)),
    );
  if (schema.default !== undefined && !isEmpty(schema.default)) {
    const value = element("code", {}, JSON.stringify(schema.default));
    detail.append(element("span", { class: "choices-line" }, "Default ", value));
  }
  if (schema.description) detail.append(element("p", {}, ...withCode(sentence(schema.description))));
  return [term, detail];
}

const isEmpty = (value: unknown): boolean => value === "" || (Array.isArray(value) && value.length === 0);

const sentence = (text: string): string => {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("") + (/[.!?]$/.test(text) ? "" : ".");
};

function listed(choices: readonly unknown[]): (Node | string)[] {
  return choices.flatMap((choice, index) => [
    ...(index > 0 ? [index === choices.length - 1 ? " or " : ", "] : []),
    element("code", {}, JSON.stringify(choice)),
  ]);
}

/** The values of a choice, given as an enum, a constant or as one schema per value. */
function choicesOf({ anyOf, enum: values, const: only }: Schema): readonly unknown[] | undefined {
  if (only !== undefined) return [only];
  if (values !== undefined) return values;
  const choices = anyOf?.map((one) => one.const ?? one.enum?.[0]);
  return choices?.every((choice) => choice !== undefined) ? choices : undefined;
}

function typeOf({ type, anyOf, items, format }: Schema): string {
  if (format === "binary") return "file";
  const types = [type ?? anyOf?.flatMap((one) => one.type ?? []) ?? []].flat();
  return [...new Set(types)]
    .map((one) =>
      one === "array" && items?.type !== undefined ? `list of ${[items.type].flat().join(" or ")}s` : one,
    )
    .join(" or ");
}

/** In words; numbers are written as in JSON. */
function limitsOf(schema: Schema): string[] {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems } = schema;
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  const least = minLength !== undefined && minLength > 0 ? `${minLength} to ` : "at most ";
  return [
    ...(minimum !== undefined && isBounded ? [`${minimum} to ${maximum}`] : []),
    ...(minimum !== undefined && !isBounded ? [`at least ${minimum}`] : []),
    ...(minimum === undefined && isBounded ? [`at most ${maximum}`] : []),
    ...(maxLength !== undefined ? [`${least}${maxLength} characters`] : []),
    ...(maxItems !== undefined ? [`${minItems ?? 0} to ${maxItems} items`] : []),
  ];
}
