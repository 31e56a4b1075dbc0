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

/** The same, once the page has found its server and its key works. */
export async function visitReady(...given: Parameters<typeof visit>): Promise<Visit> {
  const visited = await visit(...given);
  await visited.page.getByText("Ready", { exact: true }).waitFor();
  return visited;
}

/** Waits for the result of an edit on the stage. */
export const untilDone = (page: Page): Promise<void> =>
  page.getByRole("link", { name: "Download" }).waitFor();

/** Chooses an example image. */
export const chooseExample = (page: Page, name: string): Promise<void> =>
  page.getByRole("button", { name: `Example: ${name}` }).click();

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
