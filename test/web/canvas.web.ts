/** What surrounds an edit in the page: what the model is good for, masks, several results, and ways to look at them. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { unzipSync } from "fflate";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { root } from "../support/fixtures.ts";
import { KEY, realEngine, startTestService, type TestService } from "../support/service.ts";
import { chooseExample as example, expectAccessible, untilDone, visitReady } from "./browser.ts";

let browser: Browser;
let server: TestService;
beforeAll(async () => {
  browser = await launch();
  server = await startTestService({
    database: "PGlite",
    engine: realEngine,
    settings: { RETOUCH_PRICE: "0.03/megapixel" },
  });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

const open = async (): Promise<Page> => (await visitReady(browser, `${server.address}/#key=${KEY}`)).page;
const steps = async (page: Page, count: number): Promise<void> => {
  await page.getByText("Settings", { exact: true }).click();
  await page.getByLabel("Steps", { exact: true }).fill(String(count));
};
const edit = async (page: Page): Promise<void> => {
  await page.getByRole("button", { name: /^Edit image/ }).click();
  await untilDone(page);
};

/** The edit of the job that was submitted last. */
async function lastEdit(): Promise<Record<string, unknown>> {
  const { database } = server.service.data;
  const [job] = await database.query<{ edit: Record<string, unknown> }>(
    `select edit from "${database.schema}".jobs order by submitted_at desc limit 1`,
  );
  return job!.edit;
}

describe("the model", () => {
  it("says what it is, warns before a photograph goes to it, and how to edit those", async () => {
    const page = await open();
    await page.getByText("Retouch tiny · draws at 128 × 128").waitFor();
    const warning = page.locator("#photograph-warning");
    await example(page, "fox");
    await page.getByRole("button", { name: "Put it on a cloud" }).waitFor();
    expect(await warning.isVisible()).toBe(false);

    await page.locator("#file").setInputFiles(path.join(root, "training", "photographs", "cat.jpg"));
    await warning.getByText(/has never seen photographs/).waitFor();
    await warning.getByText("Edit photographs with the published model").click();
    expect(await warning.locator("pre").textContent()).toContain("npx retouch pull");
    // What it has to draw is not offered for them.
    expect(await page.getByRole("button", { name: "Put it on a cloud" }).count()).toBe(0);
    await expectAccessible(page);

    await page.getByRole("button", { name: "Make it sepia" }).click();
    expect(await page.getByLabel("Instruction", { exact: true }).inputValue()).toBe("Make it sepia");
  });
});

describe("a mask", () => {
  it("is painted, taken back, used, kept in the history, and shown as code", async () => {
    const page = await open();
    expect(await page.getByRole("button", { name: "Paint what may change" }).isVisible()).toBe(false);
    await example(page, "teapot");
    await steps(page, 2);
    expect(await page.getByLabel("Strength", { exact: true }).isVisible()).toBe(false);
    await page.getByRole("button", { name: "Paint what may change" }).click();
    const canvas = page.getByRole("application", { name: "Mask" });
    const box = (await canvas.boundingBox())!;
    const at = (x: number, y: number): [number, number] => [box.x + box.width * x, box.y + box.height * y];
    await expectAccessible(page);
    // A stroke that is taken back, and one that stays.
    await page.mouse.click(...at(0.1, 0.1));
    await page.getByRole("button", { name: "Undo" }).click();
    await page.mouse.move(...at(0.25, 0.75));
    await page.mouse.down();
    await page.mouse.move(...at(0.75, 0.75), { steps: 5 });
    await page.mouse.up();
    await page.getByRole("button", { name: "Use this mask" }).click();
    await page.getByRole("button", { name: "Change the mask" }).waitFor();
    await page.getByLabel("Strength", { exact: true }).fill("0.8");
    await edit(page);

    const { mask, strength } = (await lastEdit()) as { mask: string; strength: number };
    expect(strength).toBe(0.8);
    expect(mask).toBeDefined();
    const sent = await page.evaluate(async () => {
      const opening = indexedDB.open("retouch", 1);
      const database = await new Promise<IDBDatabase>((resolve) => {
        opening.addEventListener("success", () => resolve(opening.result));
      });
      const reading = database.transaction("edits").objectStore("edits").getAll();
      const [record] = await new Promise<{ mask: Blob }[]>((resolve) => {
        reading.addEventListener("success", () => resolve(reading.result as { mask: Blob }[]));
      });
      return [...new Uint8Array(await record!.mask.arrayBuffer())];
    });
    const { data, info } = await sharp(Buffer.from(sent))
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 1024, height: 1024 });
    const level = (x: number, y: number): number => data[Math.round(y * 1023) * 1024 + Math.round(x * 1023)]!;
    expect([level(0.1, 0.1), level(0.5, 0.75), level(0.5, 0.2)]).toEqual([0, 255, 0]);

    await page.getByText("This request as code").click();
    await page.getByRole("tab", { name: "Python" }).click();
    expect(await page.getByRole("tabpanel").textContent()).toContain('open("mask.png", "rb")');
    // Another image has no mask, and the history brings it back.
    await example(page, "fox");
    await page.getByRole("button", { name: "Paint what may change" }).waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().click();
    await page.getByRole("button", { name: "Change the mask" }).waitFor();
  });

  it("is painted by the keyboard alone", async () => {
    const page = await open();
    await example(page, "car");
    await page.getByRole("button", { name: "Paint what may change" }).press("Enter");
    const canvas = page.getByRole("application", { name: "Mask" });
    await expect.poll(() => canvas.evaluate((node) => node === document.activeElement)).toBe(true);
    const painted = (): Promise<number> =>
      canvas.evaluate((node) => {
        const { width, height } = node as HTMLCanvasElement;
        const { data } = (node as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
        return data.filter((value, index) => index % 4 === 3 && value > 0).length;
      });
    expect(await painted()).toBe(0);
    await page.keyboard.press("Space");
    const dot = await painted();
    expect(dot).toBeGreaterThan(0);
    await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("Shift+ArrowRight");
    expect(await painted()).toBeGreaterThan(dot);
    await page.keyboard.press("Control+z");
    expect(await painted()).toBe(0);
  });
});

describe("the result", () => {
  it("is one of several that can be chosen, each with its seed", async () => {
    const page = await open();
    await example(page, "car");
    await steps(page, 2);
    await page.getByLabel("Results", { exact: true }).fill("3");
    await page.getByLabel("Seed", { exact: true }).fill("7");
    expect(await page.locator("#estimate").textContent()).toContain("costs 0.094371");
    await edit(page);
    const seed = () => page.locator('.facts dt:text-is("Seed") + dd').textContent();
    expect(await seed()).toBe("7");
    await page.getByRole("button", { name: /seed 9/ }).click();
    await expect.poll(seed).toBe("9");
    expect(await page.getByRole("link", { name: "Download" }).getAttribute("download")).toBe("retouch-9.png");
    await expectAccessible(page);

    await page.getByRole("button", { name: "Keep this seed" }).click();
    expect(await page.getByLabel("Seed", { exact: true }).inputValue()).toBe("9");
    // The choice survives.
    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().click();
    await expect.poll(seed).toBe("9");
    expect(await page.getByLabel("Results", { exact: true }).inputValue()).toBe("3");
  });

  it("is compared, enlarged, and shown with what was kept", async () => {
    const page = await open();
    await example(page, "fox");
    await steps(page, 2);
    await edit(page);
    await page.getByRole("button", { name: "Zoom in" }).click();
    await page.getByText("150%").waitFor();
    const corner = () =>
      page.locator("img.after").evaluate((node) => new DOMMatrix(getComputedStyle(node).transform).e);
    const before = await corner();
    const frame = (await page.locator(".compare").boundingBox())!;
    await page.mouse.move(frame.x + 100, frame.y + 100);
    await page.mouse.down();
    await page.mouse.move(frame.x + 60, frame.y + 100);
    await page.mouse.up();
    expect(await corner()).toBeCloseTo(before - 40, 0);
    await page.getByRole("button", { name: "Show the whole image" }).click();
    expect(await corner()).toBe(0);

    await page.getByRole("button", { name: "What was kept" }).click();
    await page.getByRole("img", { name: "What was kept, carried over and drawn" }).waitFor();
    await page.getByText(/^[\d.]+% your own pixels$/).waitFor();
    await expectAccessible(page);
    await page.getByRole("button", { name: "Side by side" }).click();
    expect(await page.locator(".holder .compare").count()).toBe(2);
    const hold = page.getByRole("button", { name: "Hold to see the original" });
    const held = (await hold.boundingBox())!;
    await page.mouse.move(held.x + 5, held.y + 5);
    await page.mouse.down();
    await page.getByRole("img", { name: "The original" }).waitFor();
    await page.mouse.up();
    await expect.poll(() => page.getByRole("img", { name: "The original" }).count()).toBe(0);
  });

  it("leaves out steps where that was asked for, and says how many", async () => {
    const page = await open();
    await example(page, "teapot");
    await page.getByText("Settings", { exact: true }).click();
    await page.getByLabel("Speed", { exact: true }).selectOption("40");
    await edit(page);
    expect(await page.locator('.facts dt:text-is("Steps") + dd').textContent()).toMatch(
      /^\d+ computed, [1-9]\d* skipped; about \d+ dB PSNR against all steps$/,
    );
    expect(await lastEdit()).toMatchObject({ acceleration: "auto", minPsnr: 40 });
  });

  it("takes what was typed since with a new seed", async () => {
    const page = await open();
    await example(page, "car");
    await steps(page, 2);
    await edit(page);
    await page.getByLabel("Instruction", { exact: true }).fill("Make it sepia");
    await page.getByRole("button", { name: "New seed" }).click();
    await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "Make it sepia" }).waitFor();
    expect(await lastEdit()).toMatchObject({ prompt: "Make it sepia" });
  });
});

describe("the history", () => {
  it("is searched, starred, copied, packed, and each edit has an address of its own", async () => {
    const page = await open();
    await example(page, "car");
    await steps(page, 2);
    await edit(page);
    await page.getByLabel("Instruction", { exact: true }).fill("Make it sepia");
    await edit(page);
    await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "Make it sepia" }).waitFor();
    const address = page.url();
    expect(address).toMatch(/#edit=[\w-]+$/);
    expect(await page.title()).toBe("Retouch");

    // The address alone brings the edit back, with its form.
    await page.reload();
    await page.getByRole("link", { name: "Download" }).waitFor();
    await expect
      .poll(() => page.getByLabel("Instruction", { exact: true }).inputValue())
      .toBe("Make it sepia");

    await page.getByRole("link", { name: "History" }).click();
    const cards = page.locator(".card");
    await expect.poll(() => cards.count()).toBe(2);
    await page.getByRole("searchbox", { name: "Search the history" }).fill("SEPIA make");
    await expect.poll(() => cards.count()).toBe(1);
    await page.getByText(/^1 of 2 edits/).waitFor();
    await page.getByRole("button", { name: "Star: Make it sepia" }).click();
    await page.getByRole("searchbox", { name: "Search the history" }).fill("");
    await expect.poll(() => cards.count()).toBe(2);
    await page.getByLabel("Starred only").check();
    await expect.poll(() => cards.count()).toBe(1);
    await expectAccessible(page);
    await page.getByLabel("Starred only").uncheck();

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download all" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("retouch.zip");
    const packed = Object.entries(unzipSync(await readFile(await download.path())));
    expect(packed.map(([name]) => name)).toEqual([
      expect.stringMatching(/^retouch-\d+\.png$/),
      expect.stringMatching(/^retouch-\d+\.png$/),
    ]);
    for (const [, bytes] of packed) expect(await sharp(bytes).metadata()).toMatchObject({ format: "png" });

    await page.getByRole("button", { name: "Delete: Make it night" }).click();
    await expect.poll(() => cards.count()).toBe(1);
    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await expect.poll(() => cards.allTextContents()).toEqual([expect.stringContaining("Make it sepia")]);
  });
});
