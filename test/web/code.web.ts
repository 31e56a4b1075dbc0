/** The code that the playground shows, pasted where its readers would paste it. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { root } from "../support/fixtures.ts";
import { environment } from "../support/served.ts";
import { ENDPOINT, KEY, startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { visit } from "./browser.ts";

const run = promisify(execFile);
const python = pythonProgram("clients");
const PROMPT = `It's "night",\n$HOME \\ \`now\` {é}`;

let browser: Browser;
let server: TestService;
beforeAll(async () => {
  browser = await launch();
  const klein = path.join(root, "test", "fixtures", "klein", "checkpoints", "plain");
  server = await startTestService({ database: "PGlite", settings: { RETOUCH_MODELS: `klein=${klein}` } });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

interface Case {
  model: string;
  /** Files of one's own, and examples after them. */
  numFiles: number;
  numExamples: number;
}

/** The snippets of one edit, by language, with the test's key. */
async function snippetsOf({ model, numFiles, numExamples }: Case): Promise<Record<string, string>> {
  const { page } = await visit(browser, `${server.address}/?model=${model}#key=${KEY}`);
  const fox = path.join(root, "examples", "fox.png");
  if (numFiles > 0) await page.locator("#file").setInputFiles(Array.from({ length: numFiles }, () => fox));
  for (let left = numExamples; left > 0; left -= 1)
    await page.getByRole("button", { name: "Example: fox" }).click();
  const sum = numFiles + numExamples;
  if (sum > 0) {
    const hasText = sum === 1 ? "1024 × 1024" : `1024 × 1024, ${sum} of up to 4 images`;
    await page.locator("#source-note", { hasText }).waitFor();
  }
  await page.getByLabel("Instruction", { exact: true }).fill(PROMPT);
  await page.keyboard.press("Control+Enter");
  await page.getByText("This request as code").click();
  const texts: Record<string, string> = {};
  for (const tab of await page.getByRole("tab").all()) {
    await tab.click();
    const text = (await page.getByRole("tabpanel").textContent())!;
    expect(text).not.toContain(KEY);
    texts[(await tab.textContent())!] = text.replaceAll("YOUR_API_KEY", KEY);
  }
  return texts;
}

/** A folder as a reader has it: the picture, and the packages installed. */
async function workingFolder(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ["picture.png", "picture-1.png", "picture-2.png"])
    await copyFile(path.join(root, "examples", "fox.png"), path.join(folder, name));
  await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  await mkdir(path.join(folder, "home"));
  return folder;
}

describe.each([
  ["a file of one's own", { model: ENDPOINT, numFiles: 1, numExamples: 0 }],
  ["an example", { model: ENDPOINT, numFiles: 0, numExamples: 1 }],
  ["several files and examples", { model: "klein", numFiles: 2, numExamples: 2 }],
  ["no image", { model: "klein", numFiles: 0, numExamples: 0 }],
])("the code for %s", (_, given) => {
  it("works in a shell, in JavaScript and in Python as it is pasted", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const texts = await snippetsOf(given);
    expect(Object.keys(texts)).toEqual(["curl", "JavaScript", "AI SDK", "Python"]);
    const folder = await workingFolder();
    const options = { cwd: folder, env: environment({ HOME: path.join(folder, "home") }) };
    const sent = async (): Promise<{ prompt: string; images: number }[]> => {
      const { database } = server.service.data;
      // Of the page, and of each of its four texts.
      const rows = await database.query<{ prompt: string; images: number }>(
        `select edit ->> 'prompt' as prompt, jsonb_array_length((edit -> 'images')::jsonb) as images
         from "${database.schema}".jobs order by submitted_at desc limit 5`,
      );
      return rows;
    };

    const curl = await run("bash", ["-c", `${texts["curl"]!} --silent`], options);
    expect(JSON.parse(curl.stdout)).toMatchObject({ status: "COMPLETED" });

    await writeFile(path.join(folder, "edit.mjs"), texts["JavaScript"]!);
    expect((await run(process.execPath, ["edit.mjs"], options)).stdout).toMatch(/^COMPLETED http/);

    await writeFile(path.join(folder, "ai.mjs"), texts["AI SDK"]!);
    await run(process.execPath, ["ai.mjs"], options);
    const edited = await readFile(path.join(folder, "edited.png"));
    expect(await sharp(edited).metadata()).toMatchObject({ width: 1024, height: 1024 });

    await writeFile(path.join(folder, "edit.py"), texts["Python"]!);
    expect((await run(python, ["edit.py"], options)).stdout).toMatch(/^http/);
    const each = { prompt: PROMPT, images: given.numFiles + given.numExamples };
    expect(await sent()).toEqual(Array.from({ length: 5 }, () => each));
  });
});
