/** Errors are data: nothing reads a sentence to find out what it is about. Read from the sources. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";

const source = path.join(root, "src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.split(path.sep).join("/"))
  .toSorted();

/** What a message is called, wherever it was put: a property, a variable, or what `messageOf` gives. */
const MESSAGE = String.raw`(?:\b\w*(?:[mM]essage|[sS]entence)s?|\bmessageOf\([^()]*\))`;
const METHODS =
  "(?:match(?:All)?|replace(?:All)?|split|slice|substr(?:ing)?|at|charAt|search|indexOf|lastIndexOf|includes|startsWith|endsWith|trim\\w*)";
/** Taken apart by a method of its own, or given to a regular expression. */
const TAKEN_APART = new RegExp(`${MESSAGE}[?!]?\\.${METHODS}\\(|\\.(?:test|exec)\\([^()]*${MESSAGE}\\)`);

/** commander has no data for its errors, only sentences; they are not ours. */
const OF_OTHERS: ReadonlySet<string> = new Set(["cli/program.ts"]);

/** One line each: a chain of calls may run over several. */
const joined = (text: string): string => text.replaceAll(/\s*\n\s*(?=[.?!])/g, "");

describe("a sentence", () => {
  it.each(files.filter((file) => !OF_OTHERS.has(file)))("is taken apart nowhere in %s", (file) => {
    const lines = joined(readFileSync(path.join(source, file), "utf8")).split("\n");
    expect(lines.filter((line) => TAKEN_APART.test(line))).toEqual([]);
  });

  it("would be found out, in whichever way it is taken apart", () => {
    for (const line of [
      'error.message.startsWith("the image ")',
      'const [field] = error.message.split(" ", 1);',
      "if (SAFETY.test(message)) return;",
      "MISSING.exec(error.message)",
      'messageOf(error).replace(/\\.$/, "")',
      "refused!.message?.slice(4)",
      'error.sentence.includes("image")',
    ]) {
      expect(line).toMatch(TAKEN_APART);
    }
  });

  it("may be shown, compared and put into another", () => {
    for (const line of ["complain(error.message)", "`${messageOf(error)}.`", "message === reason"]) {
      expect(line).not.toMatch(TAKEN_APART);
    }
  });
});
