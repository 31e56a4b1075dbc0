/** A page of the playground in Chromium, and what is asked of it. */
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";

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
  // An edit by a real engine that starts for it, beside other tests.
  page.setDefaultTimeout(90_000);
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
