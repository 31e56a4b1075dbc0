/** How fast the playground is on a slow machine behind a slow connection, and with a large result. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { root } from "../support/fixtures.ts";
import { KEY, startTestService, type TestService } from "../support/service.ts";
import { chooseExample, untilDone, visit, visitReady } from "./browser.ts";

const MAX_SCRIPT_BYTES = 60 * 1024;
const MAX_PAINT_MS = 1000;
const MAX_LOADS = 8;
/** Four times slower, as a cheap phone on 3G. */
const SLOW_CPU = 4;
const SLOW_NETWORK = {
  offline: false,
  latency: 150,
  downloadThroughput: 1.6e6 / 8,
  uploadThroughput: 1.6e6 / 8,
};
/** A pause of this length is felt as a hitch, not as a page that hangs. */
const MAX_PAUSE_MS = 500;

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

/** Notes layout shifts, and for how long the page answered nothing, from the first moment on. */
async function observe(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const seen = { shift: 0, longest: 0 };
    Object.assign(globalThis, { seen });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { value, hadRecentInput } = entry as PerformanceEntry & {
          value: number;
          hadRecentInput: boolean;
        };
        if (!hadRecentInput) seen.shift += value;
      }
    }).observe({ type: "layout-shift", buffered: true });
    let last = performance.now();
    setInterval(() => {
      const now = performance.now();
      seen.longest = Math.max(seen.longest, now - last);
      last = now;
    }, 10);
  });
}

const seenBy = (page: Page): Promise<{ shift: number; longest: number }> =>
  page.evaluate(() => (globalThis as unknown as { seen: { shift: number; longest: number } }).seen);

describe("the playground", () => {
  it("has at most 60 KB of script, as it is sent", async () => {
    const { page } = await visit(browser, "about:blank");
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    const scripts = new Set<string>();
    let bytes = 0;
    session.on("Network.responseReceived", ({ requestId, type, response }) => {
      if (type !== "Script") return;
      scripts.add(requestId);
      expect(response.headers["content-encoding"]).toMatch(/^(?:br|gzip)$/);
    });
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (scripts.has(requestId)) bytes += encodedDataLength;
    });
    await page.goto(`${server.address}/#key=${KEY}`);
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(scripts.size).toBeGreaterThan(0);
    expect(bytes).toBeGreaterThan(1000);
    expect(bytes).toBeLessThanOrEqual(MAX_SCRIPT_BYTES);
  });

  it.each([1440, 375])(
    "paints within a second and moves nothing, slowed down, at %d pixels",
    async (width) => {
      const paints: number[] = [];
      // What else this machine does comes on top of the slowed processor: the best of some loads tells of the page.
      while (paints.length < MAX_LOADS && !paints.some((paint) => paint <= MAX_PAINT_MS)) {
        const { page } = await visit(browser, "about:blank", { viewport: { width, height: 900 } });
        await observe(page);
        const session = await page.context().newCDPSession(page);
        await session.send("Network.enable");
        await session.send("Network.emulateNetworkConditions", SLOW_NETWORK);
        await session.send("Emulation.setCPUThrottlingRate", { rate: SLOW_CPU });
        await page.goto(`${server.address}/#key=${KEY}`);
        await page.getByText("Ready", { exact: true }).waitFor();
        await page.getByText(/^1024 × 1024, about /).waitFor();
        const paint = await page.evaluate(
          () => performance.getEntriesByName("first-contentful-paint")[0]!.startTime,
        );
        paints.push(Math.round(paint));
        expect((await seenBy(page)).shift).toBe(0);
        await page.context().close();
      }
      console.log(`First contentful paint after ${paints.join(", ")} ms, at ${width} pixels.`);
      expect(Math.min(...paints)).toBeLessThanOrEqual(MAX_PAINT_MS);
    },
  );

  it("is not held up by a result of 24 megapixels", async () => {
    const { page } = await visit(browser, "about:blank");
    await observe(page);
    const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
    const create = { width: 6000, height: 4000, channels: 3, background: "teal", noise } as const;
    const large = await sharp({ create }).jpeg({ quality: 90 }).toBuffer();
    await page.route("**/files/**", (route) =>
      route.fulfill({ body: large, headers: { "content-type": "image/jpeg" } }),
    );
    await page.goto(`${server.address}/#key=${KEY}`);
    await page.getByText("Ready", { exact: true }).waitFor();
    await chooseExample(page, "fox");
    await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
    await page.evaluate(() => ((globalThis as unknown as { seen: { longest: number } }).seen.longest = 0));
    await page.getByRole("button", { name: /^Edit image/ }).click();
    await untilDone(page);
    await page.waitForFunction(
      () => document.querySelector<HTMLImageElement>("img.after")!.naturalWidth === 6000,
    );
    for (const view of ["Side by side", "Result", "Compare"]) {
      await page
        .getByRole("group", { name: "View" })
        .getByRole("button", { name: view, exact: true })
        .click();
      await page.evaluate(
        () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
      );
    }
    await page.getByRole("button", { name: "Zoom in" }).click();
    await page.getByText("150%").waitFor();
    const { longest } = await seenBy(page);
    console.log(`Longest pause with 24 megapixels: ${Math.round(longest)} ms.`);
    expect(longest).toBeLessThanOrEqual(MAX_PAUSE_MS);
    // One that is made is seen.
    await page.evaluate((ms) => {
      const until = performance.now() + ms;
      while (performance.now() < until);
    }, MAX_PAUSE_MS);
    await expect.poll(async () => (await seenBy(page)).longest).toBeGreaterThanOrEqual(MAX_PAUSE_MS);
  });

  it("uses one address for the same bytes, however often the view changes", async () => {
    const { page } = await visitReady(browser, `${server.address}/#key=${KEY}`);
    await page.evaluate(() => {
      const counted = globalThis as unknown as { made: number };
      counted.made = 0;
      const make = URL.createObjectURL.bind(URL);
      URL.createObjectURL = (bytes) => ((counted.made += 1), make(bytes));
    });
    const made = (): Promise<number> => page.evaluate(() => (globalThis as unknown as { made: number }).made);
    await page.locator("#file").setInputFiles({
      name: "fox.png",
      mimeType: "image/png",
      buffer: await readFile(path.join(root, "examples", "fox.png")),
    });
    await page.getByLabel("Instruction", { exact: true }).fill("x");
    await page.keyboard.press("Control+Enter");
    await untilDone(page);
    const before = await made();
    expect(before).toBeGreaterThan(0);
    for (let count = 0; count < 5; count += 1) {
      for (const view of ["Side by side", "Result", "Compare"])
        await page
          .getByRole("group", { name: "View" })
          .getByRole("button", { name: view, exact: true })
          .click();
    }
    expect(await made()).toBe(before);
  });
});
