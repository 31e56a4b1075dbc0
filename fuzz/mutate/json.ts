/** Changes JSON as a tree, so that most inputs are still JSON, and writes what `JSON.stringify` cannot. */
import type { Random } from "../random.ts";
import { mutateBytes } from "./bytes.ts";
import { mutateText, oddText } from "./text.ts";

/** JSON as it is written: numbers of any size, and keys that come twice. */
export type Node =
  | { kind: "raw"; text: string }
  | { kind: "text"; text: string }
  | { kind: "list"; items: Node[] }
  | { kind: "object"; members: [key: string, value: Node][] };

type Parent = Extract<Node, { kind: "list" | "object" }>;

const raw = (text: string): Node => ({ kind: "raw", text });

export function nodeOf(value: unknown): Node {
  if (typeof value === "string") return { kind: "text", text: value };
  if (Array.isArray(value)) return { kind: "list", items: value.map(nodeOf) };
  if (typeof value === "object" && value !== null) {
    return { kind: "object", members: Object.entries(value).map(([key, inner]) => [key, nodeOf(inner)]) };
  }
  return raw(JSON.stringify(value) ?? "null");
}

export function write(node: Node): string {
  switch (node.kind) {
    case "raw":
      return node.text;
    case "text":
      return JSON.stringify(node.text);
    case "list":
      return `[${node.items.map(write).join(",")}]`;
    default:
      return `{${node.members.map(([key, value]) => `${JSON.stringify(key)}:${write(value)}`).join(",")}}`;
  }
}

const SCALARS: readonly string[] = [
  ["null", "true", "false", "0", "-0", "1", "-1", "2", "0.5", "1.5", "1e999", "-1e999", "1e-999", "1e20"],
  [
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740991",
  ],
  ["9007199254740992", "9007199254740993", "-9007199254740993", "18446744073709551615", "1e308", "3.0", "[]"],
  ["{}", '""', "[[]]", "[null]", '{"a":1}', '{"__proto__":{"polluted":1}}', '"\\u0000"', '"\\ud800"'],
  ['"\\udfff\\ud800"', '"0"', '"1"', '"true"', '"null"'],
].flat();
const KEYS: readonly string[] = [
  ["__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "toJSON", "then"],
  ["length", "0", "", " ", "\0", "\ud800", "\u00e9", "type", "id", "name", "content"],
].flat();

/** A value that is probably not wanted where it is put. */
export function oddValue(random: Random): Node {
  if (random.chance(0.7)) return raw(random.pick(SCALARS));
  if (random.chance(0.5)) return { kind: "text", text: oddText(random) };
  if (random.chance(0.5)) return nested(raw("1"), random);
  const length = random.few(2048);
  return { kind: "list", items: Array<Node>(length).fill(raw(random.pick(SCALARS))) };
}

/** Deeper than stacks of recursive parsers are, at times. */
function nested(node: Node, random: Random): Node {
  const depth = random.few(16_384);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
  ] as const);
  return raw(open.repeat(depth) + write(node) + close.repeat(depth));
}

const oddKey = (random: Random): string => (random.chance(0.8) ? random.pick(KEYS) : oddText(random));

/** Changes one place of a tree. */
export function mutateNode(node: Node, random: Random): Node {
  const isLeaf = node.kind === "raw" || node.kind === "text";
  // Deeper, mostly: there is more below than here.
  if (!isLeaf && random.chance(0.8)) return mutateBelow(node, random);
  if (node.kind === "text" && random.chance(0.6))
    return { kind: "text", text: mutateText(node.text, random) };
  if (node.kind === "raw" && random.chance(0.2)) return raw(mutateText(node.text, random));
  if (random.chance(0.03)) return nested(node, random);
  return oddValue(random);
}

function mutateBelow(node: Parent, random: Random): Node {
  if (node.kind === "list") {
    const items = [...node.items];
    const at = random.below(items.length + 1);
    const choice = random.below(10);
    if (choice < 5 && at < items.length) items[at] = mutateNode(items[at]!, random);
    else if (choice < 7) items.splice(at, 1);
    else if (choice < 8) items.splice(at, 0, oddValue(random));
    else if (choice < 9) items.splice(at, 0, ...items.slice(at, at + random.few(8)));
    else items.splice(at, 0, ...Array<Node>(random.few(512)).fill(items[at] ?? raw("1")));
    return { kind: "list", items };
  }
  const members = [...node.members];
  const at = random.below(members.length + 1);
  const [key, value] = members[at] ?? ["", raw("null")];
  const choice = random.below(20);
  if (choice < 12 && at < members.length) members[at] = [key, mutateNode(value, random)];
  else if (choice < 14) members.splice(at, 1);
  else if (choice < 15) members.splice(at, 0, [oddKey(random), oddValue(random)]);
  else if (choice < 16) members.splice(at, 1, [oddKey(random), value]);
  else if (choice < 17) members.push([key, random.chance(0.5) ? value : oddValue(random)]);
  else if (choice < 18) members.splice(at, 1, [mutateText(key, random), value]);
  else if (choice < 19 && members.length > 0) members[at % members.length]![1] = random.pick(members)[1];
  else
    members.push(...Array.from({ length: random.few(512) }, (_, i): [string, Node] => [`${key}${i}`, value]));
  return { kind: "object", members };
}

/** Changes a tree once or a few times. */
export function mutateTree(value: unknown, random: Random): Node {
  let node = nodeOf(value);
  for (let times = random.few(6); times > 0; times -= 1) {
    // A root of another kind is refused at once, so there are few.
    const isHere = node.kind === "raw" || node.kind === "text" || random.chance(0.02);
    node = isHere ? mutateNode(node, random) : mutateBelow(node as Parent, random);
  }
  return node;
}

/** The bytes of a JSON file: one of the corpus, changed as a tree and sometimes as text or bytes. */
export function jsonBytes(corpus: readonly unknown[], random: Random): Buffer {
  if (random.chance(0.02)) return Buffer.from(write(nodeOf(random.pick(corpus))));
  const text = write(mutateTree(random.pick(corpus), random));
  if (random.chance(0.85)) return Buffer.from(text);
  if (random.chance(0.5)) return Buffer.from(mutateText(text, random));
  return mutateBytes(Buffer.from(text), random);
}
