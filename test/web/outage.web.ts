/** The playground while its server goes away and comes back, and what it keeps meanwhile. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { serve } from "../support/served.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { visit } from "./browser.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

it("finishes an edit whose server was killed and started again, and still has the ones before", async () => {
  const settings = { RETOUCH_DATA_DIR: await temporaryFolder(), RETOUCH_API_KEY: "chosen-by-the-operator" };
  const first = await serve(settings);
  const { page } = await visit(browser, `${first.address}/#key=chosen-by-the-operator`);
  await page.getByText("Ready", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Example: teapot" }).click();
  const run = async (prompt: string): Promise<void> => {
    await page.getByLabel("Instruction", { exact: true }).fill(prompt);
    await page.keyboard.press("Control+Enter");
  };
  await run("Make it snow");
  await page.getByRole("link", { name: "Download" }).waitFor();

  await page.getByText("Settings").click();
  await page.getByLabel("Steps", { exact: true }).fill("50");
  await run("Make it night");
  await page.locator("progress").waitFor();
  await first.end("SIGKILL");
  await page.getByText("The server is not responding. Trying again; nothing is lost.").waitFor();
  // Nothing can be begun now, and that is said.
  await page.getByRole("button", { name: /^Edit image/ }).click();
  await page.locator("#prompt-error", { hasText: "The server does not answer." }).waitFor();

  const second = await serve({ ...settings, RETOUCH_PORT: new URL(first.address).port });
  try {
    await page.getByRole("link", { name: "Download" }).waitFor();
    await expect.poll(() => page.locator("#banner").isVisible()).toBe(false);
    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").nth(1).waitFor();
    expect(await page.locator(".card-prompt").allTextContents()).toEqual(["Make it night", "Make it snow"]);
    expect(await page.locator(".card img[alt=After]").count()).toBe(2);
  } finally {
    await second.end("SIGTERM");
  }
});
