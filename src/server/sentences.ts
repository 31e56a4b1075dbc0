/** What a schema found, as one sentence that names the field and what it must be. */
import type { TSchema } from "typebox";

export interface Finding {
  keyword: string;
  /** JSON pointer, such as `/input/seed`. */
  instancePath: string;
  params: object;
}

/** As far as our own schemas go. */
interface Rule {
  type?: string;
  anyOf?: { const?: unknown }[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  properties?: Record<string, Rule>;
  items?: Rule;
  description?: string;
}

/** The sentence about the first finding. */
export function sentenceOf(schema: TSchema, [finding]: readonly Finding[]): string {
  const path = finding?.instancePath.split("/").slice(1) ?? [];
  if (finding?.keyword === "required") {
    const { requiredProperties = [] } = finding.params as { requiredProperties?: string[] };
    return `${nameOf([...path, ...requiredProperties.slice(0, 1)])} is missing.`;
  }
  if (path.length === 0) return "The body must be a JSON object.";
  const rule = path.reduce<Rule | undefined>(
    (around, name) => around?.properties?.[name] ?? around?.items,
    schema as Rule,
  );
  return `${nameOf(path)} must be ${descriptionOf(rule ?? {})}.`;
}

/** `input` is where nearly all fields are, and clients know them without it. */
function nameOf(path: readonly string[]): string {
  const name = path.filter((part) => !/^\d+$/.test(part)).join(".");
  return name.startsWith("input.") ? name.slice("input.".length) : name;
}

function descriptionOf(rule: Rule): string {
  const range = rule.minimum === undefined ? "" : ` from ${rule.minimum} to ${rule.maximum}`;
  if (rule.minimum !== undefined && rule.minimum === rule.maximum) return String(rule.minimum);
  if (rule.anyOf) return rule.anyOf.map((choice) => String(choice.const)).join(" or ");
  if (rule.type === "integer") return `a whole number${range}`;
  if (rule.type === "number") return `a number${range}`;
  if (rule.type === "boolean") return "true or false";
  if (rule.type === "object") return "an object";
  if (rule.type === "array") return `a list of ${rule.maxItems === 1 ? "one text" : "texts"}`;
  if (rule.pattern !== undefined) return rule.description ?? "a text of another form";
  const [least, most] = [rule.minLength, rule.maxLength];
  if (most !== undefined)
    return `a text of ${least === undefined ? "at most" : `${least} to`} ${most} characters`;
  return least === undefined ? "a text" : "a text that is not empty";
}
