import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { inRepository } from "../../tools/paths.ts";

/** Runs a program that lies in a folder of the repository's own. */
async function run(program: string, ...args: string[]): Promise<{ stdout: string; file: string }> {
  await mkdir(inRepository(".cache"), { recursive: true });
  const folder = await mkdtemp(inRepository(".cache", "run-ts-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, "program.ts");
  await writeFile(file, program);
  const script = inRepository("scripts", "run-ts.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [script, file, ...args]);
  return { stdout, file };
}

it("runs TypeScript with its arguments, and keeps the place of the file", async () => {
  const { stdout, file } = await run(
    "const args: readonly string[] = process.argv.slice(2);\nconsole.log(import.meta.url, ...args);",
    "one",
    "two words",
  );
  expect(stdout).toBe(`${pathToFileURL(file).href} one two words\n`);
});

it("takes what is imported from src out of the build", async () => {
  const program = `import { version } from "../../src/version.ts";\nconsole.log(version);`;
  expect((await run(program)).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

it("fails with the position in the source", async () => {
  const failing = run("interface Unused {}\n\nexport {};\nthrow new Error('on line four');");
  await expect(failing).rejects.toThrow(/on line four[^]*program\.ts:4/);
});
