/**
 * JSON in the one form that is signed: RFC 8785. Members are sorted by their names' UTF-16 units; numbers and texts are as
 * ECMAScript writes them, which is what the standard prescribes.
 */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** @throws TypeError for what JSON cannot hold */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member as Json)}`);
    return `{${members.join(",")}}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`JSON has no ${value}.`);
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`JSON has no ${typeof value}.`);
  return text;
}
