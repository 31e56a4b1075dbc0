/** Images from wherever they are, edits before they are sent, and results beside each other. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { KEY, realEngine, startTestService, type TestService } from "../support/service.ts";
import { chooseExample, visitReady } from "./browser.ts";

const solid = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: { r: 20, g: 120, b: 140 } } });

let browser: Browser;
/** Does as the prompt says. */
let stub: TestService;
let real: TestService;
/** Elsewhere, with an image that a page may not load itself. */
let elsewhere: Server;
beforeAll(async () => {
  const picture = await solid(321, 234).webp().toBuffer();
  elsewhere = createServer((request, response) => {
    if (request.url === "/picture.webp") response.end(picture);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  browser = await launch();
  [stub, real] = await Promise.all([
    startTestService({ database: "PGlite" }),
    startTestService({ database: "PGlite", engine: realEngine }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await stub?.close();
  await real?.close();
  elsewhere?.close();
});

const open = async (server: TestService, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> =>
  (await visitReady(browser, `${server.address}/#key=${KEY}`, options)).page;
const note = (page: Page, text: string) => page.locator("#source-note", { hasText: text }).waitFor();
const written = (page: Page) => page.getByLabel("Instruction", { exact: true });
const steps = (page: Page) => page.getByLabel("Steps", { exact: true });
const settings = (page: Page) => page.getByText("Settings", { exact: true }).click();

async function run(page: Page, prompt: string): Promise<void> {
  await written(page).fill(prompt);
  await page.keyboard.press("Control+Enter");
  await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: prompt }).waitFor();
}

/** What the job that was submitted last edits. */
async function lastSize(server: TestService): Promise<unknown> {
  const { database } = server.service.data;
  const [job] = await database.query<{ size: unknown }>(
    `select edit #> '{images,0,size}' as size from "${database.schema}".jobs order by submitted_at desc limit 1`,
  );
  return job!.size;
}

describe("an image", () => {
  it("is fetched from an address by the server, also one that is pasted, and is refused in a sentence", async () => {
    const page = await open(stub);
    const { port } = elsewhere.address() as AddressInfo;
    await page.getByRole("button", { name: "From an address" }).click();
    const field = page.getByLabel("Address of an image");
    await field.fill("picture.webp");
    await page.getByRole("button", { name: "Fetch" }).click();
    await page.getByText("An address begins with http:// or https://.").waitFor();
    await field.fill(`http://127.0.0.1:${port}/picture.webp`);
    await field.press("Enter");
    await note(page, "321 × 234");
    await field.fill(`http://127.0.0.1:${port}/nothing`);
    await field.press("Enter");
    await note(page, "the server answered with status 404");
    await page.getByRole("button", { name: "Remove" }).click();
    await page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text/plain", text);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    }, `http://127.0.0.1:${port}/picture.webp`);
    await note(page, "321 × 234");
    await run(page, "x");
    expect(await lastSize(stub)).toEqual({ width: 321, height: 234 });
  });

  it("may be AVIF, which the browser reads, and TIFF, which the server reads for it", async () => {
    const page = await open(stub);
    await page.locator("#file").setInputFiles({
      name: "a.avif",
      mimeType: "image/avif",
      buffer: await solid(310, 260).avif().toBuffer(),
    });
    await note(page, "310 × 260");
    await page.locator("#file").setInputFiles({
      name: "a.tiff",
      mimeType: "image/tiff",
      buffer: await solid(320, 270).tiff({ compression: "deflate" }).toBuffer(),
    });
    await note(page, "320 × 270");
    await run(page, "x");
    expect(await lastSize(stub)).toEqual({ width: 320, height: 270 });
    await page.locator("#file").setInputFiles({
      name: "b.tiff",
      mimeType: "image/tiff",
      buffer: (await solid(320, 270).tiff().toBuffer()).subarray(0, 100),
    });
    await note(page, "image is damaged or cut short");
  });

  it("is cropped by mouse, by keyboard and to a shape", async () => {
    const page = await open(stub);
    await page.locator("#file").setInputFiles({
      name: "a.png",
      mimeType: "image/png",
      buffer: await solid(800, 400).png().toBuffer(),
    });
    await note(page, "800 × 400");
    await page.getByRole("button", { name: "Crop", exact: true }).click();
    const box = page.getByRole("application", { name: /^Part to keep/ });
    await page.locator("#crop-picture").evaluate((image: HTMLImageElement) => image.decode());
    // The frame lies on the picture once the dialog has its size.
    const boxOf = async () => (await page.locator("#crop-frame").boundingBox())!;
    await expect.poll(async () => (await boxOf()).width).toBeGreaterThan(250);
    const frame = await boxOf();
    await page.mouse.move(frame.x + 4, frame.y + 4);
    await page.mouse.down();
    await page.mouse.move(frame.x + frame.width / 4, frame.y + frame.height / 4, { steps: 8 });
    await page.mouse.up();
    const [, width] = /(\d+) × (\d+)/.exec((await page.locator("#crop-size").textContent())!)!;
    expect(Number(width)).toBeGreaterThan(590);
    expect(Number(width)).toBeLessThan(620);
    await page.getByLabel("Shape").selectOption("1:1");
    await page.locator("#crop-size", { hasText: "400 × 400" }).waitFor();
    await box.press("ArrowRight");
    await box.press("Shift+ArrowUp");
    await page.locator("#crop-size", { hasText: "396 × 396" }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Crop", exact: true }).click();
    await note(page, "396 × 396");
    await run(page, "x");
    expect(await lastSize(stub)).toEqual({ width: 396, height: 396 });
  });
});

describe("the form", () => {
  it("is as it was after a reload, the stage and the way to look at it too", async () => {
    const page = await open(real);
    await chooseExample(page, "teapot");
    await note(page, "1024 × 1024");
    await settings(page);
    await steps(page).fill("2");
    await run(page, "Make it night");
    await page.getByRole("button", { name: "Side by side" }).click();
    // Another image, other words, other values, and a mask, none of them sent.
    await chooseExample(page, "car");
    await note(page, "1024 × 1024");
    await written(page).fill("Make it snow");
    await steps(page).fill("51");
    await page.getByRole("button", { name: "Paint what may change" }).click();
    await page.getByRole("application", { name: "Mask" }).press("Space");
    await page.getByRole("button", { name: "Use this mask" }).click();
    await page.getByRole("button", { name: "Change the mask" }).waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().waitFor();
    await page.waitForTimeout(600);

    await page.reload();
    await page.locator(".card").first().waitFor();
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    await page.getByRole("button", { name: "Change the mask" }).waitFor();
    expect(await written(page).inputValue()).toBe("Make it snow");
    expect(await steps(page).inputValue()).toBe("51");
    expect(await page.locator('.facts dt:text-is("Instruction") + dd').textContent()).toBe("Make it night");
    expect(await page.locator(".holder .compare").count()).toBe(2);
  });

  it("says what steps and strength cost in time, and moves both by sliders", async () => {
    const page = await open(real);
    await chooseExample(page, "car");
    await note(page, "1024 × 1024");
    await settings(page);
    await page.getByText(/^About [\d.]+ s in all, [\d.]+ s a step$/).waitFor();
    const seconds = async (): Promise<number> =>
      Number(/about ([\d.]+) s/.exec((await page.locator("#estimate").textContent())!)![1]);
    await steps(page).fill("10");
    const few = await seconds();
    const slider = page.getByLabel("Steps, slider");
    expect(await slider.inputValue()).toBe("10");
    await slider.fill("50");
    expect(await steps(page).inputValue()).toBe("50");
    expect(await seconds()).toBeGreaterThan(few);
    await page.getByRole("button", { name: "Paint what may change" }).click();
    await page.getByRole("application", { name: "Mask" }).press("Space");
    await page.getByRole("button", { name: "Use this mask" }).click();
    await page.getByLabel("Strength, slider").fill("0.5");
    await page.getByText(/leaves out 25 of 50 steps$/).waitFor();
    expect(await page.getByLabel("Strength", { exact: true }).inputValue()).toBe("0.5");
  });
});

describe("an edit that waits", () => {
  it("tells its place in the queue", async () => {
    const page = await open(stub);
    const begin = async (prompt: string): Promise<void> => {
      const submitted = page.waitForResponse(/\/run$/);
      await written(page).fill(prompt);
      await page.keyboard.press("Control+Enter");
      await submitted;
    };
    await chooseExample(page, "fox");
    for (const prompt of ["sleep 8000", "sleep 50", "sleep 51", "sleep 52"]) await begin(prompt);
    await page.getByText(/^Waiting, 2 before it/).waitFor();
    await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "sleep 52" }).waitFor();
  });
});

describe("results", () => {
  it("are compared, any two of the history and of one edit", async () => {
    const page = await open(stub);
    await chooseExample(page, "fox");
    await settings(page);
    await page.getByLabel("Results", { exact: true }).fill("2");
    await page.getByLabel("Seed", { exact: true }).fill("7");
    await run(page, "one");
    await page.getByRole("button", { name: "Compare: result 2" }).click();
    await page.getByText("Choose another result to compare with “one, seed 8”.").waitFor();
    await run(page, "two");
    await page.getByRole("link", { name: "History" }).click();
    await page.getByRole("button", { name: "Compare: two" }).click();
    const dialog = page.getByRole("dialog", { name: "Two results" });
    await dialog.getByLabel("Divider between first and second").waitFor();
    expect(await dialog.locator("dd").allTextContents()).toEqual(["one, seed 8", "two, seed 7"]);
    await dialog.getByRole("button", { name: "Close" }).click();
    expect(await page.locator("#compare-bar").isVisible()).toBe(false);
  });

  it("are a tree of edits, each with its drift from the first image", async () => {
    const page = await open(real);
    await chooseExample(page, "fox");
    await note(page, "1024 × 1024");
    await settings(page);
    await steps(page).fill("2");
    await run(page, "Make it night");
    const first = page.url();
    const again = async (prompt: string): Promise<void> => {
      await page.getByRole("button", { name: "Edit this result" }).click();
      await expect.poll(() => written(page).inputValue()).toBe("");
      await run(page, prompt);
    };
    await again("Make it snow");
    await again("Make it sepia");
    await page.goto(first);
    await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "Make it night" }).waitFor();
    await again("Make it old");
    await page
      .getByText(
        /^(?:The \d+% kept by every edit: |No pixel was kept by every edit; the whole image: \d+ dB\.)/,
      )
      .waitFor();
    const tree = page.getByRole("list", { name: "All edits of the first image" });
    // Below the first image the first edit, and below that one both that continue it.
    const below = (path: string) =>
      tree.locator(path).evaluateAll((nodes) => nodes.map((node) => (node as HTMLElement).title));
    expect(await below(":scope > li > ul > li > .node > button")).toEqual(["Make it night"]);
    expect(await below(":scope > li > ul > li > ul > li > .node > button")).toEqual([
      "Make it snow",
      "Make it old",
    ]);
    expect(await below("[aria-current]")).toEqual(["Make it old"]);
    expect((await tree.locator(".caption").allTextContents()).slice(1)).toEqual(
      Array(4).fill(expect.stringMatching(/^(?:\d+ dB|unchanged)$/)),
    );
    await tree.locator('button[title="Make it sepia"]').click();
    await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "Make it sepia" }).waitFor();
  });

  it("made elsewhere are shown as pictures, and can be edited", async () => {
    const { status } = (
      await stub.call("/runsync", {
        body: { input: { prompt: "elsewhere", image: `${stub.address}/examples/fox.png`, seed: 4711 } },
      })
    ).body;
    expect(status).toBe("COMPLETED");
    const page = await open(stub);
    await page.getByRole("link", { name: "History" }).click();
    const picture = page.getByRole("button", { name: /^Edit this result: .*seed 4711$/ });
    await picture.waitFor();
    await picture.click();
    await note(page, "1024 × 1024");
    await written(page).fill("x");
  });
});

describe("on a phone", () => {
  it("progress and Cancel are in view wherever the page is scrolled, and so is the button that begins", async () => {
    const page = await open(stub, { viewport: { width: 375, height: 720 }, hasTouch: true });
    const inView = (name: RegExp | string) =>
      page.getByRole("button", { name }).evaluate((node) => {
        const { top, bottom } = node.getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight;
      });
    await chooseExample(page, "fox");
    await note(page, "1024 × 1024");
    await page.evaluate(() => scrollTo(0, 0));
    expect(await inView(/^Edit image/)).toBe(true);
    expect(await page.getByText("Take a photo").isVisible()).toBe(true);
    await written(page).fill("sleep 20000");
    await page.getByRole("button", { name: /^Edit image/ }).click();
    await page.getByText(/^Step \d+ of 28/).waitFor();
    for (const place of [0, 1e6]) {
      await page.evaluate((top) => scrollTo(0, top), place);
      expect(await inView("Cancel")).toBe(true);
      expect(await page.locator("progress").isVisible()).toBe(true);
    }
    const heights = await page
      .locator("button:visible, .button:visible")
      .evaluateAll((nodes) => nodes.map((node) => node.getBoundingClientRect().height));
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(32);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled", { exact: true }).waitFor();
  });
});
