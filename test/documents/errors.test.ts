/** docs/errors.md and docs/troubleshooting.md say what the program says. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, RetouchError } from "../../src/errors.ts";
import { root } from "../support/fixtures.ts";
import { codeIn, pageOf, rowsOf } from "./pages.ts";

const sources = [
  ...readdirSync(path.join(root, "src"), { recursive: true, encoding: "utf8" }).map((name) => `src/${name}`),
  ...readdirSync(path.join(root, "web", "src")).map((name) => `web/src/${name}`),
  "web/index.html",
  "scripts/build.mjs",
]
  .filter((name) => /\.(?:ts|mjs|html)$/.test(name))
  .map(pageOf)
  .join("\n");

describe("docs/errors.md", () => {
  it("has every code in the catalogue's order, with its status and whether it can be retried", () => {
    const documented = rowsOf(pageOf("docs/errors.md"))
      .filter(([code]) => /^`[A-Z_]+`$/.test(code!))
      .map(([code, status, isRetryable]) => [code!.replaceAll("`", ""), status, isRetryable]);
    const known = ERROR_CODES.map((code) => {
      const { httpStatus, isRetryable } = new RetouchError(code, "");
      return [code, String(httpStatus), isRetryable ? "yes" : "no"];
    });
    expect(documented).toEqual(known);
  });
});

/** What of a sentence stands in one piece in the sources: they put others together of values and parts. */
const clausesOf = (sentence: string): string[] =>
  sentence
    .split(/\.\.\.|[:;,()"]|RETOUCH_\w+|DATABASE_URL/)
    .map((clause) => clause.replace(/^[\s.]+|[\s.?]+$/g, ""))
    .filter((clause) => clause.length > 3);

describe.each(["docs/errors.md", "docs/troubleshooting.md"])("%s", (name) => {
  const sentences = rowsOf(pageOf(name))
    .flatMap(([symptom]) => codeIn(symptom!))
    .filter((code) => code.includes(" "));

  it.each(sentences)("quotes the program: %s", (sentence) => {
    expect(clausesOf(sentence).filter((clause) => !sources.includes(clause))).toEqual([]);
  });
});
