/** Values of a template as Python sees them. */

/** A value of the library's; its type is the name of its class. */
export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
}

/** White space to Python's `str.strip`. */
// oxlint-disable-next-line no-control-regex -- the separators of files, groups, records and units are among it
const SPACE = /^[\t-\r\x1C-\x20\x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]$/;

/** Types whose values are compared by themselves. */
const SIMPLE = new Set(["StringValue", "IntegerValue", "BooleanValue", "NullValue", "UndefinedValue"]);

/** How the language prints a value. @throws Error for a kind of which the form is not known */
export function printed({ type, value }: TemplateValue): string {
  if (type === "StringValue") return value as string;
  if (type === "IntegerValue") return String(value);
  if (type === "UndefinedValue") return "";
  if (type === "NullValue") return "None";
  if (type === "BooleanValue") return value === true ? "True" : "False";
  throw new Error(`it prints a ${type}`);
}

/** A truth value equals a number, and nothing else equals a value of another type. */
export function isSame(left: TemplateValue, right: TemplateValue): boolean {
  if (!SIMPLE.has(left.type) || !SIMPLE.has(right.type)) {
    throw new Error(`it compares a ${left.type} with a ${right.type}`);
  }
  const [a, b] = [left, right].map(({ type, value }) =>
    type === "BooleanValue" ? { type: "IntegerValue", value: Number(value) } : { type, value },
  ) as [TemplateValue, TemplateValue];
  const isEmpty = a.type === "NullValue" || a.type === "UndefinedValue";
  return a.type === b.type && (isEmpty || a.value === b.value);
}

/** How many characters a text has, not UTF-16 units. */
export function length(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** @param characters what is taken off. @default white space */
export function strip(text: string, side: "start" | "end" | "both", characters?: string): string {
  const wanted = characters === undefined ? undefined : new Set(characters);
  const isTaken = (character: string): boolean => wanted?.has(character) ?? SPACE.test(character);
  const all = Array.from(text);
  let [start, end] = [0, all.length];
  if (side !== "end") while (start < end && isTaken(all[start]!)) start += 1;
  if (side !== "start") while (end > start && isTaken(all[end - 1]!)) end -= 1;
  return all.slice(start, end).join("");
}
