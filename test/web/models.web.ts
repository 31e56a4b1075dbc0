/** The choice between several models of one server, also in a narrow window and by the keyboard. */
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { ENDPOINT, KEY, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";
import { allowedHosts, launchWithHosts } from "./hosts.ts";

let browser: Browser;
let server: TestService;
beforeAll(async () => {
  browser = await launchWithHosts();
  const models = `other=${path.join(root, "checkpoints", "tiny")}`;
  server = await startTestService({
    database: "PGlite",
    settings: { ...allowedHosts, RETOUCH_MODELS: models },
  });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const modelOf = (page: Page) => page.getByLabel("Model");

it("edits with the model that was chosen, and keeps what was written", async () => {
  const { page, complaints } = await visit(browser, `${server.address}/#key=${KEY}`);
  await page.setViewportSize({ width: 375, height: 700 });
  await page.getByText("Ready", { exact: true }).waitFor();
  expect(await modelOf(page).locator("option").allTextContents()).toEqual([
    `${ENDPOINT} (28 steps)`,
    "other (28 steps)",
  ]);
  await expectAccessible(page);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(375);

  await page.getByRole("textbox", { name: "Instruction", exact: true }).fill("Make it day");
  await modelOf(page).focus();
  await page.keyboard.press("ArrowDown");
  await page.waitForURL(/\?model=other/);
  await page.getByText("Ready", { exact: true }).waitFor();
  expect(await modelOf(page).inputValue()).toBe("other");
  expect(await page.getByRole("textbox", { name: "Instruction", exact: true }).inputValue()).toBe(
    "Make it day",
  );

  await page.getByRole("button", { name: "Example: car" }).click();
  const submitted = page.waitForRequest(/\/run$/);
  await page.getByRole("button", { name: /^Edit image/ }).click();
  expect(new URL((await submitted).url()).pathname).toBe("/v2/other/run");
  await page
    .getByRole("link", { name: /Download/ })
    .first()
    .waitFor();
  expect(complaints).toEqual([]);
});
