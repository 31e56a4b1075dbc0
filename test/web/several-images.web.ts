/** A model that takes several images, or none, beside one that takes exactly one. */
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { root } from "../support/fixtures.ts";
import { ENDPOINT, KEY, realEngine, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visitReady } from "./browser.ts";

const models = `klein=${path.join(root, "test", "fixtures", "klein", "checkpoints", "plain")}`;
const SHAPES = [
  [300, 280],
  [310, 290],
  [320, 300],
  [330, 310],
  [340, 320],
] as const;

let browser: Browser;
/** Draws grey images. */
let stub: TestService;
let files: { name: string; mimeType: string; buffer: Buffer }[];
beforeAll(async () => {
  browser = await launch();
  stub = await startTestService({ database: "PGlite", settings: { RETOUCH_MODELS: models } });
  files = await Promise.all(
    SHAPES.map(async ([width, height], index) => ({
      name: `${index + 1}.png`,
      mimeType: "image/png",
      buffer: await sharp({ create: { width, height, channels: 3, background: "teal" } })
        .png()
        .toBuffer(),
    })),
  );
});
afterAll(async () => {
  await browser?.close();
  await stub?.close();
});

/** The page of one of the models. */
async function open(
  model: string,
  { server = stub, width = 1280 }: { server?: TestService; width?: number } = {},
) {
  const viewport = { width, height: 900 };
  return visitReady(browser, `${server.address}/?model=${model}#key=${KEY}`, { viewport });
}

const instruction = (page: Page) => page.getByRole("textbox", { name: "Instruction", exact: true });
const add = (page: Page, ...indices: number[]) =>
  page.locator("#file").setInputFiles(indices.map((index) => files[index]!));
const note = (page: Page) => page.locator("#source-note");
const removers = (page: Page) => page.getByRole("button", { name: /^Remove image/ });
const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** Submits the form. @returns what was sent as `image`, and where to */
async function submit(page: Page, name: RegExp): Promise<{ image: unknown; endpoint: string }> {
  const submitted = page.waitForRequest(/\/run$/);
  await page.getByRole("button", { name }).click();
  const request = await submitted;
  await page.getByRole("link", { name: "Download" }).waitFor();
  const { input } = request.postDataJSON() as { input: { image?: unknown } };
  return { image: input.image, endpoint: new URL(request.url()).pathname };
}

/** Width and height of the images that were sent. */
const shapesOf = (images: unknown): Promise<(readonly [number, number])[]> =>
  Promise.all(
    [images as string | string[]].flat().map(async (text) => {
      const { width, height } = await sharp(Buffer.from(text.split(",")[1]!, "base64")).metadata();
      return [width, height] as const;
    }),
  );

/** The code of one language. */
async function codeOf(page: Page, language: string): Promise<string> {
  await page.getByRole("tab", { name: language }).click();
  return (await page.getByRole("tabpanel").textContent())!;
}

describe("a model that takes several images", () => {
  it("sends them in order, with the one that was put first, and remembers them", async () => {
    const { page, complaints } = await open("klein");
    await add(page, 0, 1, 2);
    await note(page).getByText("300 × 280, 3 of up to 4 images; the first is edited").waitFor();
    await page.getByRole("button", { name: "Image 3: edit this one" }).click();
    await note(page).getByText("320 × 300, 3 of up to 4 images; the first is edited").waitFor();
    await page.getByRole("button", { name: "Remove image 2" }).click();
    await expectAccessible(page);
    await page.getByRole("button", { name: "Example: fox" }).click();
    await note(page).getByText("3 of up to 4 images").waitFor();
    // An example that is not edited suggests nothing.
    expect(await instruction(page).inputValue()).toBe("");
    await instruction(page).fill("Put them together");
    const { image, endpoint } = await submit(page, /^Edit image/);
    expect(endpoint).toBe("/v2/klein/run");
    expect(await shapesOf(image)).toEqual([SHAPES[2], SHAPES[1], [1024, 1024]]);
    await page.getByText("3, the first edited").waitFor();
    await page.getByLabel(/^Divider/).waitFor();

    await page.getByText("This request as code").click();
    const fox = JSON.stringify(`${stub.address}/examples/fox.png`);
    expect(await codeOf(page, "JavaScript")).toContain(
      'image: [`data:image/png;base64,${picture1.toString("base64")}`, ' +
        `\`data:image/png;base64,\${picture2.toString("base64")}\`, ${fox}],`,
    );
    expect(await codeOf(page, "Python")).toContain(
      `"image": ["data:image/png;base64," + picture1, "data:image/png;base64," + picture2, ${fox}],`,
    );
    expect(await codeOf(page, "AI SDK")).toContain(
      "images: [new Uint8Array(picture1), new Uint8Array(picture2), new Uint8Array(picture3)]",
    );

    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().waitFor();
    expect(await page.locator(".card img").count()).toBe(4);
    await expectAccessible(page);
    await page.locator(".card").first().click();
    await note(page).getByText("320 × 300, 3 of up to 4 images").waitFor();
    expect(complaints).toEqual([]);
  });

  it("says where it is full, and takes pasted and dropped images up to there", async () => {
    const { page } = await open("klein");
    await add(page, 0);
    await note(page).getByText("300 × 280, 1 of up to 4 images").waitFor();
    for (const [kind, indices] of [
      ["paste", [1]],
      ["drop", [2, 3, 4]],
    ] as const) {
      const texts = indices.map((index) => files[index]!.buffer.toString("base64"));
      await page.evaluate(
        ([what, ...given]) => {
          const data = new DataTransfer();
          for (const text of given) {
            const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
            data.items.add(new File([bytes], "a.png", { type: "image/png" }));
          }
          const options = { bubbles: true, cancelable: true };
          if (what === "paste")
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, ...options }));
          else
            document
              .getElementById("drop")!
              .dispatchEvent(new DragEvent("drop", { dataTransfer: data, ...options }));
        },
        [kind, ...texts] as const,
      );
    }
    await note(page)
      .getByText("This model takes up to 4 images: remove one to add another.", { exact: true })
      .waitFor();
    await instruction(page).fill("x");
    expect(await shapesOf((await submit(page, /^Edit image/)).image)).toEqual(SHAPES.slice(0, 4));
  });

  it("is worked by keyboard in a narrow window", async () => {
    const { page } = await open("klein", { width: 375 });
    await add(page, 0, 1, 2, 3);
    await note(page).getByText("4 of up to 4 images").waitFor();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await expectAccessible(page);
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    await removers(page).nth(1).focus();
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Remove image 2");
    expect(await removers(page).count()).toBe(3);
    // The next control makes the third image the first.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await note(page).getByText("330 × 310, 3 of up to 4 images").waitFor();
    for (let left = 3; left > 0; left -= 1) {
      await removers(page).last().focus();
      await page.keyboard.press("Enter");
    }
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("file");
    expect(await page.getByRole("img", { name: "The image to edit" }).isVisible()).toBe(false);
    await page.getByText("Drop an image here").waitFor();
  });

  it("sends what is too large together made smaller", async () => {
    const { page } = await open("klein");
    const [width, height] = [1300, 1300];
    const noise = { type: "gaussian" as const, mean: 128, sigma: 60 };
    const buffer = await sharp({ create: { width, height, channels: 3, background: "black", noise } })
      .png()
      .toBuffer();
    expect(buffer.length).toBeGreaterThan(3.5 * 2 ** 20);
    await page
      .locator("#file")
      .setInputFiles([1, 2, 3].map((name) => ({ name: `${name}.png`, mimeType: "image/png", buffer })));
    await note(page).getByText("1300 × 1300, 3 of up to 4 images").waitFor();
    await instruction(page).fill("x");
    const { image } = await submit(page, /^Edit image/);
    expect((image as string[]).join("").length).toBeLessThan(10_000_000);
    expect(image).toHaveLength(3);
  });
});

describe("a model that needs no image", () => {
  it("draws without one, shows the result alone, and remembers that there was none", async () => {
    const server = await startTestService({
      database: "PGlite",
      engine: realEngine,
      settings: { RETOUCH_MODELS: models },
    });
    try {
      const { page, complaints } = await open("klein", { server });
      await page.getByText("Or leave it out: this model can also draw from the instruction alone.").waitFor();
      await page.getByRole("button", { name: /^Draw an image/ }).click();
      await page.getByText("Describe what to draw.").waitFor();
      await instruction(page).fill("A lighthouse");
      await page.getByText("Settings").click();
      await page.getByLabel("Size", { exact: true }).selectOption("custom");
      await page.getByLabel("Width × height").fill("320*256");
      expect((await submit(page, /^Draw an image/)).image).toBeUndefined();
      const drawn = page.getByRole("img", { name: "Drawn from: A lighthouse" });
      await drawn.waitFor();
      expect(
        await drawn.evaluate((node: HTMLImageElement) => [node.naturalWidth, node.naturalHeight]),
      ).toEqual([320, 256]);
      expect(await page.getByLabel(/^Divider/).count()).toBe(0);
      await expectAccessible(page);
      await page.getByText("This request as code").click();
      for (const language of ["curl", "JavaScript", "Python"])
        expect(await codeOf(page, language)).not.toMatch(/image"?:/);
      expect(await codeOf(page, "AI SDK")).toContain('prompt: "A lighthouse"');

      // What was drawn is edited, and is the first of its chain.
      await page.getByRole("button", { name: "Edit this result" }).click();
      await instruction(page).fill("Make it night");
      await submit(page, /^Edit image/);
      await page.getByLabel(/^Divider/).waitFor();
      expect(await page.getByText("This continues an earlier edit").count()).toBe(0);

      await page.reload();
      await page.getByRole("link", { name: "History" }).click();
      const oldest = page.locator(".card").nth(1);
      expect(await oldest.textContent()).toContain("drawn without an image");
      expect(await oldest.locator("img").count()).toBe(1);
      await expectAccessible(page);
      await oldest.click();
      await page.getByRole("button", { name: /^Draw an image/ }).waitFor();
      await drawn.waitFor();
      expect(complaints).toEqual([]);
    } finally {
      await server.close();
    }
  });
});

describe("a history of an earlier version", () => {
  it("is shown, and its edits come back into the form", async () => {
    const { page, complaints } = await open(ENDPOINT);
    const base64 = files[0]!.buffer.toString("base64");
    await page.evaluate(async (text) => {
      const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      const picture = new Blob([bytes], { type: "image/png" });
      const parameters = { size: "300*280", num_inference_steps: 9, guidance: 2, seed: 7, loras: [] };
      const record = {
        id: "old",
        jobId: "old",
        createdAt: 1,
        prompt: "Make it old",
        status: "completed",
        parameters,
        source: picture,
        result: picture,
      };
      const opening = indexedDB.open("retouch", 1);
      await new Promise((resolve) => opening.addEventListener("success", resolve));
      const transaction = opening.result.transaction("edits", "readwrite");
      transaction.objectStore("edits").put(record);
      await new Promise((resolve) => transaction.addEventListener("complete", resolve));
    }, base64);
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card", { hasText: "Make it old" }).click();
    await note(page).getByText("300 × 280", { exact: true }).waitFor();
    await page.getByLabel(/^Divider/).waitFor();
    expect(await instruction(page).inputValue()).toBe("Make it old");
    expect(complaints).toEqual([]);
  });
});

describe("another model for the same images", () => {
  it("says which of them are sent where it takes one, and has them all for the way back", async () => {
    const { page, complaints } = await open("klein");
    await add(page, 0, 1, 2);
    await note(page).getByText("3 of up to 4 images").waitFor();
    await instruction(page).fill("Make it day");
    await page.getByLabel("Model").selectOption(ENDPOINT);
    await page.waitForURL(/\?model=black/);
    await note(page).getByText("This model takes one image: only the first is sent.").waitFor();
    expect(await page.locator("#tray").getByText("not sent").count()).toBe(2);
    expect(await instruction(page).inputValue()).toBe("Make it day");
    await page.getByText("Ready", { exact: true }).waitFor();
    await expectAccessible(page);
    const { image, endpoint } = await submit(page, /^Edit image/);
    expect(endpoint).toBe(`/v2/${ENDPOINT}/run`);
    expect(image).toBeTypeOf("string");
    expect(await shapesOf(image)).toEqual([SHAPES[0]]);
    await page.getByLabel("Model").selectOption("klein");
    await page.waitForURL(/\?model=klein/);
    await note(page).getByText("300 × 280, 3 of up to 4 images").waitFor();
    expect(complaints).toEqual([]);
  });

  it("takes several all the same where the user says how, and says so to the server", async () => {
    const { page } = await open(ENDPOINT);
    await add(page, 0);
    await note(page).getByText(SHAPES[0].join(" × "), { exact: true }).waitFor();
    await page.getByText("Settings", { exact: true }).click();
    await page.getByLabel("Images", { exact: true }).selectOption("stitch");
    await add(page, 1);
    await note(page).getByText("300 × 280, 2 of up to 4 images; the first is edited").waitFor();
    await instruction(page).fill("x");
    const submitted = page.waitForRequest(/\/run$/);
    expect(await shapesOf((await submit(page, /^Edit image/)).image)).toEqual([SHAPES[0], SHAPES[1]]);
    const { input } = (await submitted).postDataJSON() as { input: { image_layout?: string } };
    expect(input.image_layout).toBe("stitch");
    // The history has it, too, and with one image it is not sent.
    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().click();
    await removers(page).nth(1).click();
    const again = page.waitForRequest(/\/run$/);
    await submit(page, /^Edit image/);
    expect((await again).postDataJSON()).not.toHaveProperty("input.image_layout");
  });

  it("is with one image, and one model that takes one, as it was", async () => {
    const { page } = await open(ENDPOINT);
    expect(await page.getByText(/^Or none/).isVisible()).toBe(false);
    expect(await page.locator("#file").getAttribute("multiple")).toBeNull();
    for (const index of [0, 1]) {
      await add(page, index);
      await note(page).getByText(SHAPES[index]!.join(" × "), { exact: true }).waitFor();
    }
    expect(await page.locator("#tray").isVisible()).toBe(false);
    await page.getByText("Choose an image", { exact: true }).waitFor();
    await instruction(page).fill("x");
    expect(await shapesOf((await submit(page, /^Edit image/)).image)).toEqual([SHAPES[1]]);
  });
});
