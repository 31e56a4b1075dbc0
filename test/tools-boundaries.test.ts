/**
 * Benchmarks, evaluation, faults, the fuzzer and scripts share `tools/` and import nothing of each other: read from the
 * import lines.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./support/fixtures.ts";

/** What each folder may import of this repository, beside itself. `dist` is `src`, built. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  tools: ["src", "dist"],
  bench: ["tools", "src"],
  evaluation: ["tools", "src"],
  fuzz: ["tools", "src"],
  faults: ["tools", "src"],
  scripts: ["tools", "src", "dist"],
};

/** Type imports count, and so do those over several lines and those within an expression. */
const IMPORT = /^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;

const textOf = (file: string): string => readFileSync(path.join(root, file), "utf8");

function filesIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[cm]?[jt]s$/.test(name))
    .map((name) => path.posix.join(folder, name.split(path.sep).join("/")))
    .toSorted();
}

/** The files of this repository that a file imports. */
const importsOf = (file: string): string[] =>
  [...textOf(file).matchAll(IMPORT)]
    .map(([, from, bare, late]) => (from ?? bare ?? late)!)
    .filter((name) => name.startsWith("."))
    .map((name) => path.posix.join(path.posix.dirname(file), name));

describe.each(Object.entries(MAY_IMPORT))("%s/", (folder, others) => {
  const files = filesIn(folder);

  it("is read with imports over several lines and with types", () => {
    expect(files.length).toBeGreaterThan(5);
    expect(importsOf("bench/network-memory.ts")).toContain("src/engine/memory-plan.ts");
    expect(importsOf("bench/api/part.ts")).toContain("tools/goals.ts");
  });

  it.each(files)("%s imports only what its folder may", (file) => {
    for (const imported of importsOf(file)) {
      expect([folder, ...others], `${file} imports ${imported}`).toContain(imported.split("/")[0]);
    }
  });

  it("leaves loading the runtime to src, which sets what keeps telemetry off before", () => {
    const loads = /(?:from|import\(|require\() ?"onnxruntime-node"/;
    expect(files.filter((file) => loads.test(textOf(file)))).toEqual([]);
  });
});

describe("Python", () => {
  const modulesIn = (folder: string): string[] =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".py"))
      .map((name) => path.posix.join(folder, name.split(path.sep).join("/")));

  it.each(["bench", "scripts", "tools"])("in %s/ adds no folder of the others to its path", (folder) => {
    const others = ["bench", "evaluation", "scripts", "test"].filter((other) => other !== folder);
    const files = modulesIn(folder);
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) {
      for (const [line] of textOf(file).matchAll(/^.*\bsys\.path\b.*$|^\s*(?:from|import) .*$/gm)) {
        for (const other of others)
          expect(line, file).not.toMatch(new RegExp(`"${other}"|(?:from|import) ${other}\\b`));
      }
    }
  });
});
