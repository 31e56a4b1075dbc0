/** Links that carry an API key, for a browser that has none and for one that has. */
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { KEY, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";
import { allowedHosts, byHost, launchWithHosts } from "./hosts.ts";

const OTHER_KEY = "another-key-of-sixteen";

let browser: Browser;
let server: TestService;
let page: Page;
let complaints: string[];
/** The keys of all calls of the page, in their order. */
let sent: string[];
beforeAll(async () => {
  browser = await launchWithHosts();
  server = await startTestService({ database: "PGlite", settings: { ...allowedHosts } });
  await server.service.keys.ensure(OTHER_KEY, "other");
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const dialog = () => page.getByRole("dialog", { name: "Replace the API key?" });
const keep = () => dialog().getByRole("button", { name: "Keep the current key" });
const replace = () => dialog().getByRole("button", { name: "Use the link's key" });
const stored = () => page.evaluate(() => localStorage.getItem("retouch.key"));
const link = (key: string): string => `${server.address}/#key=${encodeURIComponent(key)}`;
/** As a link does that is opened in another window of the same browser. */
async function follow(address: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(address);
}

/** Neither the address nor any of those behind it has a key. */
async function expectNoKeyInHistory(): Promise<void> {
  await expect.poll(() => page.url()).toBe(`${server.address}/#edit`);
  const session = await page.context().newCDPSession(page);
  const { entries } = await session.send("Page.getNavigationHistory");
  expect(entries.map(({ url }) => url).filter((url) => url.includes("key="))).toEqual([]);
}

beforeEach(async () => {
  ({ page, complaints } = await visit(browser, "about:blank"));
  sent = [];
  page.on("request", (request) => {
    const { authorization } = request.headers();
    if (authorization) sent.push(authorization.replace("Bearer ", ""));
  });
});

/** A browser that has a key. */
async function withStoredKey(): Promise<void> {
  await page.goto(link(KEY));
  await page.getByText("Ready", { exact: true }).waitFor();
  expect(await stored()).toBe(KEY);
  sent = [];
}

/** Two ways of one link: into a page that is loaded, and into one that is there. */
const WAYS = [
  ["opened", follow],
  ["followed on the page", (address: string) => page.goto(address)],
] as const;

describe.each(WAYS)("a link with a key that is %s", (_, open) => {
  it("asks where the browser has another key, which counts until there is an answer, and stays", async () => {
    await withStoredKey();
    await open(link(OTHER_KEY));
    await dialog().waitFor();
    await expectNoKeyInHistory();
    expect(await dialog().locator("dd").allTextContents()).toEqual(["test-k…", "anoth…"]);
    await expectAccessible(page);
    expect(await keep().evaluate((node) => node === document.activeElement)).toBe(true);
    await expect.poll(() => page.locator("#server-state").textContent()).toBe("Ready");
    expect(await stored()).toBe(KEY);
    await page.keyboard.press("Enter");
    await dialog().waitFor({ state: "hidden" });
    await page.getByRole("link", { name: "Usage" }).click();
    await page.locator("#usage table").waitFor();
    expect(await stored()).toBe(KEY);
    expect(new Set(sent)).toEqual(new Set([KEY]));
    expect(complaints).toEqual([]);
  });

  it("replaces the key where somebody says so, by keyboard as well", async () => {
    await withStoredKey();
    await open(link(OTHER_KEY));
    await dialog().waitFor();
    await page.keyboard.press("Tab");
    expect(await replace().evaluate((node) => node === document.activeElement)).toBe(true);
    await page.keyboard.press("Enter");
    await expect.poll(stored).toBe(OTHER_KEY);
    await expectNoKeyInHistory();
    await expect.poll(() => sent.at(-1)).toBe(OTHER_KEY);
    await page.reload();
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(await stored()).toBe(OTHER_KEY);
    expect(await dialog().isVisible()).toBe(false);
  });

  it("keeps the present key at the Escape key, also after the other answer to an earlier link", async () => {
    await withStoredKey();
    await open(link(OTHER_KEY));
    await replace().click();
    await expect.poll(stored).toBe(OTHER_KEY);
    await open(link(KEY));
    await dialog().waitFor();
    await page.keyboard.press("Escape");
    await dialog().waitFor({ state: "hidden" });
    expect(await stored()).toBe(OTHER_KEY);
    await expectNoKeyInHistory();
  });

  it("asks nothing where it is the present key", async () => {
    await withStoredKey();
    await open(link(KEY));
    await page.getByText("Ready", { exact: true }).waitFor();
    await expectNoKeyInHistory();
    expect(await page.getByRole("dialog").count()).toBe(0);
    expect(await stored()).toBe(KEY);
  });

  it.each([
    ["is empty", ""],
    ["is longer than any key", "k".repeat(201)],
    ["is much longer", "k".repeat(100_000)],
    ["cannot be decoded", "%E0%A4%A"],
    ["has a blank", "a%20key%20of%20sixteen"],
    ["has a line break", "a-key-of-sixteen%0Aand-more"],
    ["has letters that no header takes", "%E2%80%9Ca-key-of-sixteen%E2%80%9D"],
  ])("says that it was ignored where it %s, and keeps the present one", async (__, text) => {
    await withStoredKey();
    await open(`${server.address}/#key=${text}`);
    const sentence = page.getByText("The API key in the link was ignored: it is not a valid key.");
    await sentence.waitFor();
    await page.getByText("Ready", { exact: true }).waitFor();
    await expectNoKeyInHistory();
    expect(await stored()).toBe(KEY);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Close" }).click();
    expect(await sentence.isVisible()).toBe(false);
    expect(complaints).toEqual([]);
  });
});

describe("a link with a key", () => {
  it("is taken by a page that asks for one, without a question", async () => {
    await page.goto(server.address);
    await page.getByRole("dialog", { name: "API key" }).waitFor();
    await page.goto(link(KEY));
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);
    await expectNoKeyInHistory();
  });

  it("asks about the link that came last", async () => {
    await withStoredKey();
    await page.goto(link("first-key-of-sixteen"));
    await page.goto(link(OTHER_KEY));
    await expect.poll(() => page.locator("#offered-key").textContent()).toBe("anoth…");
    await replace().click();
    await expect.poll(stored).toBe(OTHER_KEY);
  });

  it("asks no more once the present key comes by a link", async () => {
    await withStoredKey();
    await page.goto(link(OTHER_KEY));
    await dialog().waitFor();
    await page.goto(link(KEY));
    await dialog().waitFor({ state: "hidden" });
    expect(await stored()).toBe(KEY);
  });

  it("asks before the page asks for another key in the place of one that is refused", async () => {
    const other = page.getByRole("dialog", { name: "API key", exact: true });
    await page.goto(link("a-wrong-key-of-sixteen"));
    await other.waitFor();
    await page.goto(link(KEY));
    await dialog().waitFor();
    expect(await other.isVisible()).toBe(false);
    await keep().click();
    await other.waitFor();
    await page.goto(link(KEY));
    await replace().click();
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);
  });

  it("loses no edit that runs with the key before", async () => {
    await withStoredKey();
    await page.getByLabel("Choose an image").setInputFiles(path.join(root, "examples", "fox.png"));
    await page.getByLabel("Instruction", { exact: true }).fill("sleep 6000");
    await page.keyboard.press("Control+Enter");
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    await page.goto(link(OTHER_KEY));
    await replace().click();
    await expect.poll(stored).toBe(OTHER_KEY);
    await page.getByRole("link", { name: "Download" }).waitFor();
  });

  it("counts for the address that it names, and asks alike at one without TLS", async () => {
    await withStoredKey();
    const address = byHost(server.address, "retouch.test");
    await page.goto(`${address}/#key=${OTHER_KEY}`);
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(await page.evaluate(() => isSecureContext)).toBe(false);
    await page.goto(`${address}/#key=${KEY}`);
    await dialog().waitFor();
    await keep().click();
    expect(await stored()).toBe(OTHER_KEY);
  });

  it("fits into a narrow window, in the dark as well", async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    await page.emulateMedia({ colorScheme: "dark" });
    await withStoredKey();
    await page.goto(link(OTHER_KEY));
    await dialog().waitFor();
    await expectAccessible(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
    const { x, width } = (await replace().boundingBox())!;
    expect(x + width).toBeLessThanOrEqual(320);
  });
});

it("says of a typed text that it can be no key, before it is sent", async () => {
  await page.goto(server.address);
  const other = page.getByRole("dialog", { name: "API key", exact: true });
  await other.getByLabel("Key").fill("“a-key-of-sixteen”");
  await other.getByRole("button", { name: "Use this key" }).click();
  await other
    .getByText("A key has at most 200 characters: Latin letters, digits and punctuation, without spaces.")
    .waitFor();
  expect(sent).toEqual([]);
});
