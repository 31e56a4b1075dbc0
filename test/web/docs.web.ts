/** The API's reference in Chromium, on a service with the shipped model. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { root } from "../support/fixtures.ts";
import { type Served, serve, untilReady } from "../support/served.ts";
import { expectAccessible, visit } from "./browser.ts";

const MAX_SCRIPT = 60 * 1024;
let browser: Browser;
let served: Served;

beforeAll(async () => {
  browser = await launch();
  served = await serve();
  await untilReady(served);
});
afterAll(async () => {
  await browser?.close();
  await served?.end("SIGKILL");
});

async function open(fragment = "", options: Parameters<Browser["newContext"]>[0] = {}) {
  const made = await visit(browser, `${served.address}/docs${fragment}`, options);
  made.page.setDefaultTimeout(30_000);
  await made.page.locator(".call").first().waitFor();
  return made;
}

const callOf = (page: Page, name: string) =>
  page.locator(".call", { has: page.getByRole("heading", { name, exact: true }) });

/** With the key that the playground's own dialog would have stored. */
async function withKey(page: Page): Promise<void> {
  await page.getByLabel("Key", { exact: true }).fill(served.key);
  await page.getByLabel("Key", { exact: true }).blur();
}

describe("the API's reference", () => {
  it("marks what is required, and shows limits, choices, defaults and code without marks", async () => {
    const { page, complaints } = await open();
    const run = callOf(page, "Queue an edit");
    expect(await run.locator("> .fields dt", { has: page.locator(".required") }).allTextContents()).toEqual([
      "input required",
      "prompt required",
      "accessId required",
      "accessSecret required",
      "bucketName required",
      "endpointUrl required",
    ]);
    const format = run.locator("dt", { hasText: /^output_format$/ }).locator("+ dd");
    expect(await format.textContent()).toContain(
      'One of "png", "jpeg", "webp", "avif" or "jpg"Default "png"',
    );
    const guidance = run.locator("dt", { hasText: /^guidance$/ }).locator("+ dd");
    expect(await guidance.textContent()).toContain("0 to 10");
    const text = await page.locator(".docs-body").innerText();
    expect(text.replaceAll(/^.*(?:curl|await|print).*$/gm, "")).not.toContain("`");
    expect(complaints).toEqual([]);
  });

  it("finds calls by words and fields, and opens one by its address", async () => {
    const { page } = await open();
    await page.getByLabel("Find a call").fill("webhook-deliveries");
    expect(await page.locator(".call:visible h3").allTextContents()).toEqual([
      "List this key's webhook deliveries",
    ]);
    expect(await page.locator("#filter-state").textContent()).toMatch(/^1 of \d+ calls$/);
    await page.getByLabel("Find a call").fill("");
    const id = await page.locator(".call", { hasText: "Cancel a job" }).getAttribute("id");
    const { page: linked } = await open(`#${id}`);
    await expect
      .poll(() =>
        linked.locator(`#${id}`).evaluate((node) => Math.abs(node.getBoundingClientRect().top) < 100),
      )
      .toBe(true);
  });

  it("sends a call with the key, shows its answer and picture, and fills in the job elsewhere", async () => {
    const { page, complaints } = await open();
    const call = callOf(page, "Queue an edit and wait for the result");
    await call.getByText("Try it").click();
    await call.getByRole("button", { name: "Send request" }).click();
    await call.getByText("Enter an API key at the top of the page first.").waitFor();
    await withKey(page);
    await call.getByLabel("Body, JSON").fill("{");
    await call.getByRole("button", { name: "Send request" }).click();
    await call.getByText(/^The body is not valid JSON/).waitFor();
    const input = {
      prompt: "Make it night",
      image: `${served.address}/examples/bluebird.png`,
      size: "256*256",
      num_inference_steps: 2,
    };
    await call.getByLabel("Body, JSON").fill(JSON.stringify({ input }));
    await call.getByRole("button", { name: "Send request" }).click();
    await call.locator(".try-result strong").waitFor({ timeout: 90_000 });
    expect(await call.locator(".try-result").textContent()).toMatch(/^200 OK/);
    expect(await call.locator(".try-result").textContent()).toContain('"status": "COMPLETED"');
    const picture = call.locator(".try-picture").first();
    await expect.poll(() => picture.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBe(256);
    const status = callOf(page, "Get a job's state");
    await status.getByText("Try it").click();
    expect(await status.locator("input").first().inputValue()).toBe("");
    expect(await status.locator(".job-id-field").inputValue()).toMatch(/^sync-/);
    await status.getByRole("button", { name: "Send request" }).click();
    await status.locator(".try-result strong").waitFor();
    expect(await status.locator(".try-result").textContent()).toMatch(/^200 OK/);
    const example = callOf(page, "Download an example image");
    await example.getByText("Try it").click();
    await example.getByRole("button", { name: "Send request" }).click();
    await example.getByText("image/png").last().waitFor();
    await expect.poll(() => example.locator(".try-picture").count()).toBe(1);
    await page.reload();
    expect(await page.getByLabel("Key", { exact: true }).inputValue()).toBe(served.key);
    expect(complaints).toEqual([]);
  });

  it.each([1440, 1280, 375])("fits and can be read at %i pixels, light and dark", async (width) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await open("", { viewport: { width, height: 900 }, colorScheme });
      await callOf(page, "Queue an edit").getByText("Try it").click();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      await expectAccessible(page);
    }
  });

  it("is small", () => {
    const assets = path.join(root, "dist", "web");
    const html = readFileSync(path.join(assets, "docs.html"), "utf8");
    const scripts = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)].map((match) => match[1]!);
    expect(scripts.length).toBeGreaterThan(0);
    const bytes = scripts.map((name) => gzipSync(readFileSync(path.join(assets, name))).length);
    expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(MAX_SCRIPT);
  });
});
