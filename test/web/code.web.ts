/** The code that the playground shows, pasted where its readers would paste it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { root } from "../support/fixtures.ts";
import { environment } from "../support/served.ts";
import { KEY, startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { visit } from "./browser.ts";

const run = promisify(execFile);
const python = path.join(root, ".venv-clients", "bin", "python");
const PROMPT = `It's "night",\n$HOME \\ \`now\` {é}`;

let browser: Browser;
let server: TestService;
beforeAll(async () => {
  browser = await launch();
  server = await startTestService({ database: "PGlite" });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** The snippets of one edit, by language, with the test's key. */
async function snippetsOf(isOwnFile: boolean): Promise<Record<string, string>> {
  const { page } = await visit(browser, `${server.address}/#key=${KEY}`);
  if (isOwnFile)
    await page.getByLabel("Choose an image").setInputFiles(path.join(root, "examples", "fox.png"));
  else await page.getByRole("button", { name: "Example: fox" }).click();
  await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
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
  await copyFile(path.join(root, "examples", "fox.png"), path.join(folder, "picture.png"));
  await symlink(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  await mkdir(path.join(folder, "home"));
  return folder;
}

describe.each([
  ["a file of one's own", true],
  ["an example", false],
])("the code for %s", (_, isOwnFile) => {
  it("works in a shell, in JavaScript and in Python as it is pasted", async ({ skip }) => {
    if (!existsSync(python)) skip("no Python clients here; `npm run clients` installs them");
    const texts = await snippetsOf(isOwnFile);
    expect(Object.keys(texts)).toEqual(["curl", "JavaScript", "AI SDK", "Python"]);
    const folder = await workingFolder();
    const options = { cwd: folder, env: environment({ HOME: path.join(folder, "home") }) };
    const sent = async (): Promise<string[]> => {
      const { service } = server;
      const rows = await service.data.database.query<{ prompt: string }>(
        `select edit ->> 'prompt' as prompt from "${service.data.database.schema}".jobs order by submitted_at`,
      );
      return rows.map(({ prompt }) => prompt);
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
    expect(new Set(await sent())).toEqual(new Set([PROMPT]));
  });
});
