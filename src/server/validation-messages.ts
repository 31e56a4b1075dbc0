/** Turns a schema's findings into a failure that names the field and what it must be. */
import type { TSchema } from "typebox";
import { anyOf, type Failure, failure } from "../errors.ts";
import { fieldOfWire } from "../engine/edit-parameters.ts";
import { whereabouts } from "./whereabouts.ts";

export interface Finding {
  keyword: string;
  /** JSON pointer, such as `/input/seed`. */
  instancePath: string;
  params: object;
}

/** The part of a schema that our own schemas use. */
interface Rule {
  type?: string | readonly string[];
  anyOf?: { const?: unknown }[];
  enum?: readonly unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  properties?: Record<string, Rule>;
  items?: Rule;
  description?: string;
}

/** The failure of the first finding about a body. */
export function failureOf(schema: TSchema, [finding]: readonly Finding[], body: unknown): Failure {
  const path = finding?.instancePath.split("/").slice(1) ?? [];
  if (finding?.keyword === "required") {
    const { requiredProperties = [] } = finding.params as { requiredProperties?: string[] };
    const wanted = [...path, ...requiredProperties.slice(0, 1)];
    const [field, hint] = [fieldAt(wanted), whereabouts(wanted, body)];
    return hint === undefined ? failure("missing", { field }) : failure("misplaced", { field, hint });
  }
  if (path.length === 0) return failure("sentence", { sentence: "The body must be a JSON object." });
  const rule = path.reduce<Rule | undefined>(
    (around, name) => around?.properties?.[name] ?? around?.items,
    schema as Rule,
  );
  return mismatch(fieldAt(path), rule ?? {});
}

/** Leaves out `input`, which holds nearly all fields: clients know them without it. */
function fieldAt(path: readonly string[]): string {
  const [first, ...rest] = path[0] === "input" && path.length > 1 ? path.slice(1) : path;
  const steps = rest.map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`));
  return fieldOfWire(`${first}${steps.join("")}`);
}

function mismatch(field: string, rule: Rule): Failure {
  const { type, minimum: min, maximum: max } = rule;
  if (min !== undefined && min === max) return failure("type", { field, wanted: min });
  const choices = rule.enum ?? (type === undefined ? rule.anyOf?.map((choice) => choice.const) : undefined);
  if (choices) return failure("type", { field, wanted: anyOf(choices.map(String)) });
  // Beside a number, only one word is ever taken.
  const number = [type].flat().find((one) => one === "integer" || one === "number");
  if (number !== undefined) {
    const wanted = number === "integer" ? "a whole number" : "a number";
    return min === undefined || max === undefined
      ? failure("type", { field, wanted })
      : failure("within", { field, wanted, min, max });
  }
  return failure("type", { field, wanted: descriptionOf(rule) });
}

function listOf({ items, minItems, maxItems }: Rule): string {
  if (items?.type === "number") {
    return `a list of ${minItems} to ${maxItems} numbers from ${items.minimum} to ${items.maximum}`;
  }
  const one = items?.type === "object" ? "object" : "string";
  if (maxItems === 1) return `a list of one ${one}`;
  return `a list of ${maxItems === undefined ? "" : `at most ${maxItems} `}${one}s`;
}

function descriptionOf(rule: Rule): string {
  if (typeof rule.type === "object") {
    return rule.type.map((type) => descriptionOf({ ...rule, type })).join(", or ");
  }
  if (rule.type === "boolean") return "true or false";
  if (rule.type === "object") return "an object";
  if (rule.type === "array") return listOf(rule);
  if (rule.pattern !== undefined) return rule.description ?? "a string of another format";
  const [least, most] = [rule.minLength, rule.maxLength];
  if (most !== undefined)
    return `a string of ${least === undefined ? "at most" : `${least} to`} ${most} characters`;
  return least === undefined ? "a string" : "a string that is not empty";
}
