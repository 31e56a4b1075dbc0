/**
 * Every regular expression of the program takes time in proportion to its text: read from the sources and judged by
 * recheck, which knows an attack for each that does not. Some only meet trusted texts; there is no list of these to keep.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { transformSync } from "esbuild";
import { check } from "recheck";
import { parseAst } from "vite";
import { describe, expect, it } from "vitest";
import { root } from "./support/fixtures.ts";

interface Pattern {
  source: string;
  flags: string;
}

const FOLDERS = ["src", path.join("web", "src"), "bin"];
const CHECK_MS = 30_000;
const ALL_MS = 300_000;

const files = FOLDERS.flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[jt]s$/.test(name))
    .map((name) => path.join(folder, name)),
);

type Node = { type: string } & Record<string, unknown>;
type Value = { type: string; name?: string; value?: unknown; property?: { name?: string } };

/** Every node of a program, depth first. */
function* nodesOf(value: unknown): Generator<Node> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value) && typeof (value as Node).type === "string") yield value as Node;
  for (const inner of Object.values(value)) yield* nodesOf(inner);
}

/** What JSON schemas and tokenizers call a pattern that is a text. */
const NAMES: ReadonlySet<unknown> = new Set(["pattern", "Regex"]);

/** Whether it is what stands under one of these names elsewhere, and is judged there. */
const isGivenElsewhere = (value: Value | null | undefined): boolean =>
  NAMES.has(value?.type === "MemberExpression" ? value.property?.name : value?.name);

/** Literals, and those that are texts. */
function patternsOf(code: string): { found: Pattern[]; unknown: string[] } {
  const program = parseAst(transformSync(code, { loader: "ts", target: "esnext" }).code);
  const found: Pattern[] = [];
  const unknown: string[] = [];
  const nodes = [...nodesOf(program)];
  const constants = new Map(
    nodes.flatMap(({ type, id, init }) =>
      type === "VariableDeclarator" ? [[(id as { name?: string }).name, init as Value | null]] : [],
    ),
  );
  for (const node of nodes) {
    const { regex } = node as { regex?: { pattern: string; flags: string } };
    if (regex) found.push({ source: regex.pattern, flags: regex.flags });
    const { key, value } = node as { key?: { name?: string }; value?: Value };
    if (node.type === "Property" && NAMES.has(key?.name) && value?.type !== "ObjectExpression") {
      const text = value?.type === "Identifier" ? constants.get(value.name) : value;
      if (typeof text?.value === "string") found.push({ source: text.value, flags: "u" });
      else if (!isGivenElsewhere(value)) unknown.push("a pattern that is no text");
    }
    const { callee, arguments: given } = node as { callee?: { name?: string }; arguments?: Value[] };
    if (callee?.name === "RegExp" && !isGivenElsewhere(given?.[0])) unknown.push("RegExp()");
  }
  return { found, unknown };
}

describe("the census of regular expressions", () => {
  it("finds literals, texts of schemas, and those that are put together", () => {
    const code =
      'const a = /b+$/i; f({ pattern: "^c*$" }); new RegExp(`^${d}`); g({ pattern: "^" + e, Regex: F }); const F = "g+";';
    expect(patternsOf(code)).toEqual({
      found: [
        { source: "b+$", flags: "i" },
        { source: "^c*$", flags: "u" },
        { source: "g+", flags: "u" },
      ],
      unknown: ["RegExp()", "a pattern that is no text"],
    });
  });

  it.each([
    { source: "\\/+$", flags: "" },
    { source: "^\\s*\\d+\\.?\\d*\\s*$", flags: "" },
    { source: "(a+)+$", flags: "" },
  ])("refuses %j", async ({ source, flags }) => {
    expect((await check(source, flags, { timeout: CHECK_MS })).status).toBe("vulnerable");
  });
});

describe("the regular expressions", () => {
  it("are all written out, so that they can be judged", () => {
    const put = files.filter(
      (file) => patternsOf(readFileSync(path.join(root, file), "utf8")).unknown.length > 0,
    );
    expect(put).toEqual([]);
  });

  it("take linear time", { timeout: ALL_MS }, async () => {
    const places = new Map<string, { pattern: Pattern; in: string[] }>();
    for (const file of files) {
      for (const pattern of patternsOf(readFileSync(path.join(root, file), "utf8")).found) {
        const name = `/${pattern.source}/${pattern.flags}`;
        const place = places.get(name) ?? { pattern, in: [] };
        places.set(name, { pattern, in: [...place.in, file] });
      }
    }
    expect(places.size).toBeGreaterThan(100);
    const slow: string[] = [];
    for (const [name, { pattern, in: where }] of places) {
      const { status } = await check(pattern.source, pattern.flags, { timeout: CHECK_MS });
      if (status !== "safe") slow.push(`${name} in ${where.join(", ")}: ${status}`);
    }
    expect(slow).toEqual([]);
  });
});
