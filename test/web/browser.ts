/** Chromium, as Debian ships it, driven by playwright-core; nothing is downloaded. */
import { existsSync } from "node:fs";
import path from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function findBrowser(): string {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const found = [
    process.env["CHROMIUM"],
    ...NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))),
  ].find((file) => file !== undefined && existsSync(file));
  if (found === undefined) {
    throw new Error(
      "These tests need Chromium: `apt-get install chromium`, or CHROMIUM with the path of the program.",
    );
  }
  return found;
}

/** Without a sandbox of its own, which a container does not let it have. */
export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: findBrowser(), args: ["--no-sandbox"] });

export interface Visit {
  page: Page;
  /** Everything that the page complained about in its console. */
  complaints: string[];
}

/** Opens a page in a profile of its own, which ends with the test. */
export async function visit(
  browser: Browser,
  address: string,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);
  return { page, complaints };
}

/** Every rule of axe, on the page as it is now. */
export async function expectAccessible(page: Page): Promise<void> {
  // Through the debugger: the page's own policy would not let it in.
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    const results = await checker.run();
    return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n")}`);
  });
  expect(violations).toEqual([]);
}
