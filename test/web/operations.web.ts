/** The operations page in Chromium: there for operators alone, and every decision of a review on it. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { KEY, startTestService, type TestService, until } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";

let browser: Browser;
let server: TestService;
let operatorKey: string;
beforeAll(async () => {
  browser = await launch();
  server = await startTestService({
    database: "PGlite",
    settings: { RETOUCH_SAFETY_FLAGGED: "hold", RETOUCH_PRICE: "0.03/megapixel" },
  });
  operatorKey = (await server.service.keys.create("night shift", { isOperator: true })).key;
  await server.service.keys.create("shop with a long name of its own", { safetyThreshold: 0.4 });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const operations = (): string => `${server.address}/#key=${operatorKey}`;
const stateOf = async (id: string): Promise<string> => (await server.call(`/status/${id}`)).body.status;

/** Submits an edit whose result is held. @returns its id */
async function hold(prompt: string, more: object = {}): Promise<string> {
  const input = {
    prompt,
    image: `${server.address}/examples/bluebird.png`,
    size: "512*384",
    num_inference_steps: 2,
    ...more,
  };
  const { id } = (await server.call("/run", { body: { input } })).body;
  await until(
    () => server.call(`/status/${id}`),
    ({ body }) => body.status === "IN_PROGRESS" && /^(\d+)\/\1$/.test(body.output?.progress),
  );
  return id;
}

async function openOperations(page: Page): Promise<void> {
  await page.getByRole("link", { name: "Operations" }).click();
  await page.getByRole("heading", { name: "Operations" }).waitFor();
}

const choose = (page: Page, tab: string) => page.getByRole("tab", { name: tab, exact: true }).click();
const cards = (page: Page) => page.locator(".review");

describe("the operations", () => {
  it("are not there for a client's key, not even by their address", async () => {
    const { page, complaints } = await visit(browser, `${server.address}/#key=${KEY}`);
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "Operations" }).isVisible()).toBe(false);
    await page.evaluate(() => (location.hash = "operations"));
    await page.getByText("This page is for operators' keys.").waitFor();
    expect(complaints).toEqual([]);
  });

  it("decide on a held result by mouse, after a look at it", async () => {
    const id = await hold("score 0.9");
    const { page, complaints } = await visit(browser, operations());
    await openOperations(page);
    const card = cards(page).filter({ hasText: "score 0.9" });
    await card.waitFor();
    const blurOf = () => card.locator("img").evaluate((image) => getComputedStyle(image).filter);
    expect(await blurOf()).toContain("blur(24px)");
    await card.getByRole("button", { name: "Show picture" }).click();
    expect(await blurOf()).toBe("none");
    await expect
      .poll(() => card.locator("img").evaluate((image: HTMLImageElement) => image.naturalWidth))
      .toBe(512);
    await card.getByLabel("Reason, for the log").fill("A statue.");
    await card.getByRole("button", { name: "Approve" }).click();
    await page.getByText("Approved.").waitFor();
    await card.waitFor({ state: "detached" });
    expect(await stateOf(id)).toBe("COMPLETED");
    await page.getByRole("row", { name: /^approved .* night shift .* A statue\.$/ }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("decide by keyboard, but on nothing that nobody has looked at, and say who was first", async () => {
    const first = await hold("score 0.81");
    const second = await hold("score 0.82");
    const { page } = await visit(browser, operations());
    await openOperations(page);
    await expect.poll(() => cards(page).count()).toBe(2);
    await cards(page).first().focus();
    await page.keyboard.press("r");
    await page.getByText("Look at it first: press s.").waitFor();
    await page.keyboard.press("s");
    await page.keyboard.press("r");
    await page.getByText("Rejected.").waitFor();
    expect(await stateOf(first)).toBe("FAILED");
    expect(await stateOf(second)).toBe("IN_PROGRESS");
    // The next one has the focus.
    await expect.poll(() => page.evaluate(() => document.activeElement?.className)).toBe("review");
    const decided = server.service.app.inject({
      method: "POST",
      url: `/operator/reviews/${second}/approve`,
      headers: { authorization: `Bearer ${operatorKey}` },
    });
    expect((await decided).statusCode).toBe(200);
    await page.keyboard.press("s");
    await page.keyboard.press("r");
    await page
      .getByText(/^The review of this job is over: approved at .* by night shift\.$/)
      .or(page.getByText("Nothing waits for a decision."))
      .first()
      .waitFor();
    expect(await stateOf(second)).toBe("COMPLETED");
  });

  it("show queue, workers, keys and disk, and the course of a job", async () => {
    const id = await hold("score 0.83");
    const { page } = await visit(browser, operations());
    await openOperations(page);
    await choose(page, "Queue");
    await page.getByRole("row", { name: /^test .* 0 0 1/ }).waitFor();
    await choose(page, "Workers");
    await page.getByRole("row", { name: /idle .* stub cpu \(float32\)/ }).waitFor();
    await choose(page, "Keys");
    await page
      .getByRole("row", {
        name: /^shop with a long name of its own .* client Revoke shop with a long name of its own never .* 0\.4$/,
      })
      .waitFor();
    await page.getByRole("row", { name: /^night shift .* operator / }).waitFor();
    await choose(page, "Disk");
    await page.getByRole("row", { name: /^Results with an address \d+ / }).waitFor();
    await choose(page, "Job");
    await page.getByLabel("Job", { exact: true }).last().fill(id);
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("row", { name: /^Held for review / }).waitFor();
    await page.getByText("IN_PROGRESS, waits for a review").waitFor();
    await page.getByLabel("Job", { exact: true }).last().fill("unknown");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByText("There is no such job, or it is no longer kept.").waitFor();
    await server.call(`/cancel/${id}`, { method: "POST" });
  });

  it("create a key, show it once, and revoke it at the second press", async () => {
    const { page, complaints } = await visit(browser, operations());
    await openOperations(page);
    await choose(page, "Keys");
    await page.getByLabel("Name", { exact: true }).fill("a new shop");
    await page.getByLabel("Flag results from").fill("0.3");
    await page.getByRole("button", { name: "Create key" }).click();
    await page.getByText("a new shop has a key. Copy it now: it is not shown again.").waitFor();
    await expectAccessible(page);
    const key = await page.locator(".made-key code").first().textContent();
    expect((await server.call("/health", { key: key! })).status).toBe(200);
    await page.getByRole("button", { name: "Done" }).click();
    expect(await page.getByText(key!).count()).toBe(0);
    const row = page.getByRole("row", { name: /^a new shop .* client .* 0\.3$/ });
    await row.getByRole("button", { name: "Revoke a new shop" }).click();
    await row.getByRole("button", { name: "Keep" }).click();
    await row.getByRole("button", { name: "Revoke a new shop" }).click();
    // The question stays, although the list is read anew.
    await page.waitForTimeout(6000);
    await row.getByRole("button", { name: "Revoke for good: a new shop" }).click();
    await page.getByRole("row", { name: /^a new shop .* revoked / }).waitFor();
    expect((await server.call("/health", { key: key! })).status).toBe(401);
    expect(complaints).toEqual([]);
  });

  it("say why a key is not revoked, and keep what is typed where one cannot be created", async () => {
    const { page } = await visit(browser, operations());
    await openOperations(page);
    await choose(page, "Keys");
    const own = page.getByRole("row", { name: /^night shift / });
    await own.getByRole("button", { name: "Revoke night shift" }).click();
    await own.getByRole("button", { name: "Revoke for good: night shift" }).click();
    await page.getByText("A key cannot revoke itself.").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("two\u200elines");
    await page.route("**/operator/keys", (route) =>
      route.request().method() === "POST" ? route.abort() : route.continue(),
    );
    await page.getByRole("button", { name: "Create key" }).click();
    await page.locator("#operations-panel .error").filter({ hasText: /./ }).waitFor();
    expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("two\u200elines");
  });

  it("ask the server for nothing while nobody looks at them", async () => {
    const { page } = await visit(browser, operations());
    await openOperations(page);
    await page.getByText("Nothing waits for a decision.").waitFor();
    await page.getByRole("link", { name: "Usage" }).click();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    // Once around the refresh of all that is asked for.
    await page.waitForTimeout(11_000);
    expect(asked.filter((to) => to.startsWith("/operator/"))).toEqual([]);
    expect(asked.length).toBeGreaterThan(0);
  });

  it.each([
    [1440, "light"],
    [1280, "dark"],
    [375, "light"],
    [375, "dark"],
  ] as const)("fit and are accessible at %i pixels, %s", async (width, colorScheme) => {
    const id = await hold("score 0.84,0.1", { num_images: 2 });
    const { page } = await visit(browser, operations(), { viewport: { width, height: 900 }, colorScheme });
    await openOperations(page);
    await cards(page).first().waitFor();
    for (const tab of ["Review", "Queue", "Workers", "Keys", "Disk", "Job"]) {
      await choose(page, tab);
      if (tab === "Job") {
        await page.getByLabel("Job", { exact: true }).last().fill(id);
        await page.getByRole("button", { name: "Show" }).click();
      }
      await page.locator("#operations-panel").locator("table, .review").first().waitFor();
      await expectAccessible(page);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, tab).toBeLessThanOrEqual(0);
      if (process.env["SHOTS"]) {
        await page.screenshot({
          path: `${process.env["SHOTS"]}/${tab}-${width}-${colorScheme}.png`,
          fullPage: true,
        });
      }
    }
    await server.call(`/cancel/${id}`, { method: "POST" });
  });
});
