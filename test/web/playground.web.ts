/** The playground as people use it, in Chromium, against the whole service. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { root } from "../support/fixtures.ts";
import { KEY, realEngine, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";

let browser: Browser;
/** Does as the prompt says, with pictures that are grey. */
let stub: TestService;
let real: TestService;
beforeAll(async () => {
  browser = await launch();
  [stub, real] = await Promise.all([
    startTestService({
      database: "PGlite",
      settings: {
        RETOUCH_LORAS: "ink=ink.safetensors,snow=snow.safetensors",
        RETOUCH_PRICE: "0.03/megapixel",
      },
    }),
    startTestService({
      database: "PGlite",
      engine: realEngine,
      settings: { RETOUCH_PRICE: "0.03/megapixel" },
    }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await stub?.close();
  await real?.close();
});

const withKey = ({ address }: TestService): string => `${address}/#key=${KEY}`;
const example = (page: Page, name = "bluebird") =>
  page.getByRole("button", { name: `Example: ${name}` }).click();
const instruct = (page: Page, prompt: string) => page.getByLabel("Instruction", { exact: true }).fill(prompt);
const press = (page: Page) => page.getByRole("button", { name: /^Edit image/ }).click();
const fact = (page: Page, name: string) => page.locator(`.facts dt:text-is("${name}") + dd`).textContent();

/** Keeps an example from the page until the function that it returns is called. */
async function holdExample(page: Page, name: string): Promise<() => void> {
  let letGo = (): void => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  await page.route(
    (url) => url.pathname === `/examples/${name}.png`,
    async (route) => {
      // Its thumbnail has the same address.
      if (route.request().resourceType() === "fetch") await held;
      await route.continue();
    },
  );
  return letGo;
}

describe("the playground", () => {
  it("takes the key from the address, and out of it", async () => {
    const { page, complaints } = await visit(browser, withKey(stub));
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(page.url()).toBe(`${stub.address}/#edit`);
    expect(await page.evaluate(() => localStorage.getItem("retouch.key"))).toBe(KEY);
    await page.reload();
    await page.getByText("Ready", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("edits by mouse: an example, an instruction, before and after, and the cost that it foretold", async () => {
    const { page, complaints } = await visit(browser, withKey(real));
    await example(page);
    await instruct(page, "Make it night");
    const estimate = /costs ([\d.]+)/.exec((await page.locator("#estimate").textContent()) ?? "")![1];
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(await fact(page, "Cost")).toBe(estimate);
    expect(await fact(page, "Seed")).toMatch(/^\d+$/);

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download" }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^retouch-\d+\.png$/);
    const bytes = await readFile(await download.path());
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "png", width: 1024, height: 1024 });

    // The divider moves with the mouse.
    const frame = (await page.locator(".compare").boundingBox())!;
    await page.mouse.click(frame.x + frame.width * 0.8, frame.y + frame.height / 2);
    expect(Number(await page.getByLabel(/^Divider/).inputValue())).toBeGreaterThan(70);
    await expectAccessible(page);
    expect(complaints).toEqual([]);
  });

  it("edits by keyboard alone", async () => {
    const { page } = await visit(browser, withKey(real));
    await page.getByText("Ready", { exact: true }).waitFor();
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
    const tabTo = async (isThere: () => Promise<boolean>): Promise<void> => {
      for (let count = 0; count < 40 && !(await isThere()); count += 1) await page.keyboard.press("Tab");
      expect(await isThere()).toBe(true);
    };
    const hasFocus = (selector: string) => () =>
      page.locator(selector).evaluate((node) => node === document.activeElement);
    await tabTo(hasFocus('button:has(img[alt="Example: fox"])'));
    await page.keyboard.press("Enter");
    await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
    await tabTo(hasFocus("#prompt"));
    await page.keyboard.press("Control+A");
    await page.keyboard.type("Make it night");
    await page.keyboard.press("Control+Enter");
    await page.getByRole("link", { name: "Download" }).waitFor();
    await tabTo(hasFocus(".divider"));
    for (let count = 0; count < 5; count += 1) await page.keyboard.press("ArrowLeft");
    expect(await page.getByLabel(/^Divider/).inputValue()).toBe("45");
    await tabTo(async () => (await focused()) === "Edit this result");
    await page.keyboard.press("Enter");
    await expect.poll(hasFocus("#prompt")).toBe(true);
  });

  it("suggests an instruction for an example, never over what somebody wrote", async () => {
    const { page } = await visit(browser, withKey(stub));
    const written = page.getByLabel("Instruction", { exact: true });
    await example(page, "fox");
    await expect.poll(() => written.inputValue()).toBe("Make it snow");
    await example(page, "teapot");
    await expect.poll(() => written.inputValue()).toBe("Put it underwater");
    await written.fill("Make it blue");
    await example(page, "car");
    await page.getByRole("img", { name: "The image to edit" }).waitFor();
    expect(await written.inputValue()).toBe("Make it blue");
  });

  it("suggests before the example is here, so that nobody is interrupted in the middle of a sentence", async () => {
    const { page } = await visit(browser, withKey(stub));
    const written = page.getByLabel("Instruction", { exact: true });
    const letGo = await holdExample(page, "fox");
    await example(page, "fox");
    await expect.poll(() => written.inputValue()).toBe("Make it snow");
    await written.fill("");
    letGo();
    await page.getByRole("img", { name: "The image to edit" }).waitFor();
    expect(await written.inputValue()).toBe("");
  });

  it("waits for a picture that is still coming, of several for the one that was chosen last", async () => {
    const { page } = await visit(browser, withKey(stub));
    const letGo = await holdExample(page, "fox");
    await example(page, "fox");
    await example(page, "car");
    await page.getByRole("img", { name: "The image to edit" }).waitFor();
    const shown = () => page.getByRole("img", { name: "The image to edit" }).getAttribute("src");
    const car = await shown();
    const late = page.waitForResponse((response) => response.url().endsWith("/examples/fox.png"));
    letGo();
    await (await late).finished();
    expect(await shown()).toBe(car);

    const letTeapotGo = await holdExample(page, "teapot");
    await example(page, "teapot");
    await press(page);
    letTeapotGo();
    await page.getByRole("link", { name: "Download" }).waitFor();
    await page.getByText("This request as code").click();
    expect(await page.locator("#code").textContent()).toContain("/examples/teapot.png");
  });

  it("takes a picture that is pasted or dropped, and says of another file that it is none", async () => {
    const { page } = await visit(browser, withKey(stub));
    await page.getByText("Ready", { exact: true }).waitFor();
    const give = (kind: "paste" | "drop", type: string, base64: string) =>
      page.evaluate(
        ([what, mime, text]) => {
          const bytes = Uint8Array.from(atob(text!), (character) => character.charCodeAt(0));
          const data = new DataTransfer();
          data.items.add(new File([bytes], "a", { type: mime! }));
          if (what === "paste") {
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
          } else {
            const target = document.getElementById("drop")!;
            target.dispatchEvent(
              new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }),
            );
          }
        },
        [kind, type, base64] as const,
      );
    const picture = async (width: number, height: number): Promise<string> => {
      const create = { width, height, channels: 3 as const, background: "teal" };
      return (await sharp({ create }).png().toBuffer()).toString("base64");
    };
    await give("paste", "image/png", await picture(640, 480));
    await page.getByText("640 × 480", { exact: true }).waitFor();
    await give("drop", "image/png", await picture(300, 700));
    await page.getByText("300 × 700", { exact: true }).waitFor();
    expect(await page.locator("#estimate").textContent()).toContain("300 × 700");
    await give("drop", "text/plain", btoa("no picture"));
    await page.getByText("This is not a PNG, JPEG, WebP, GIF, AVIF or TIFF image.").waitFor();
    await give("drop", "image/png", btoa("no picture either"));
    await page.getByText("This image cannot be read.").waitFor();
    await instruct(page, "x");
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(await fact(page, "Size")).toContain("300 × 700");
  });

  it("shows steps while it runs, and cancels", async () => {
    const { page } = await visit(browser, withKey(stub));
    await example(page);
    await instruct(page, "sleep 20000");
    await press(page);
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    await expectAccessible(page);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled", { exact: true }).waitFor();
    expect((await stub.call("/health")).body.jobs.inProgress).toBe(0);
  });

  it("shows the picture as it forms, and not where that is switched off", async () => {
    const { page } = await visit(browser, withKey(real));
    await example(page);
    await page.getByText("Settings").click();
    await page.getByLabel("Steps", { exact: true }).fill("50");
    const forming = page.getByRole("img", { name: "The image as it forms" });
    await press(page);
    await forming.waitFor();
    expect(await forming.getAttribute("src")).toMatch(/^data:image\/jpeg;base64,/);
    await page.getByRole("link", { name: "Download" }).waitFor();

    await page.getByLabel("Show the image as it forms").uncheck();
    const streams: string[] = [];
    page.on("response", async (response) => {
      if (response.url().includes("/stream/")) streams.push(await response.text().catch(() => ""));
    });
    await press(page);
    await page.locator("progress").waitFor({ state: "attached" });
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(streams.join("")).toContain("progress");
    expect(streams.join("")).not.toContain("preview");
  });

  it("shows the sentence of a failed edit in its place", async () => {
    const { page } = await visit(browser, withKey(stub));
    await example(page);
    await instruct(page, "fail The picture is <b>too</b> dark.");
    await press(page);
    await page.getByText("The picture is <b>too</b> dark.", { exact: true }).waitFor();
    await expectAccessible(page);
    await instruct(page, "better");
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
  });

  it("refuses wrong parameters before anything is sent, each beside its field", async () => {
    const { page } = await visit(browser, withKey(stub));
    await press(page);
    await page.getByText("Choose an image first.").waitFor();
    await example(page);
    await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
    await instruct(page, " ");
    await press(page);
    await page.getByText("Describe what to change.").waitFor();
    await instruct(page, "x");
    await page.getByText("Settings").click();
    for (const [label, wrong, sentence] of [
      ["Steps", "51", "A whole number from 1 to 50."],
      ["Steps", "2.5", "A whole number from 1 to 50."],
      ["Guidance", "10.5", "A number from 0 to 10."],
      ["Negative strength", "0.5", "A number from 1 to 10."],
      ["Seed", "-2", "A whole number from -1."],
    ] as const) {
      const field = page.getByLabel(label, { exact: true });
      const before = await field.inputValue();
      await field.fill(wrong);
      await press(page);
      await page.getByText(sentence, { exact: true }).waitFor();
      expect(await field.getAttribute("aria-invalid")).toBe("true");
      await field.fill(before);
    }
    await page.getByLabel("Size", { exact: true }).selectOption("custom");
    await page.getByLabel("Width × height").fill("100*5000");
    await press(page);
    await page.getByText("Width and height, each from 256 to 1536, such as 1024*768.").waitFor();
    await expectAccessible(page);
    expect((await stub.call("/health")).body.jobs.inQueue).toBe(0);
    await page.getByLabel("Width × height").fill("300*500");
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(await fact(page, "Size")).toContain("300 × 500");
  });

  it("offers the server's LoRAs, one more once one is taken, and sends their strengths", async () => {
    const { page } = await visit(browser, withKey(stub));
    await example(page);
    await instruct(page, "in ink");
    await page.getByText("Settings").click();
    const [first, second] = ["LoRA 1", "LoRA 2"].map((name) => page.getByLabel(name, { exact: true }));
    await first!.waitFor();
    expect(await second!.isVisible()).toBe(false);
    await first!.selectOption("ink");
    await second!.selectOption("snow");
    const strength = page.getByLabel("Strength of LoRA 2");
    await strength.fill("11");
    await press(page);
    await page.getByText("A number from -10 to 10.", { exact: true }).waitFor();
    expect(await strength.getAttribute("aria-invalid")).toBe("true");
    await expectAccessible(page);
    await strength.fill("-0.5");
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    const wanted = [
      { name: "ink", scale: 1 },
      { name: "snow", scale: -0.5 },
    ];
    const { database } = stub.service.data;
    const [job] = await database.query<{ loras: object }>(
      `select edit -> 'loras' as loras from "${database.schema}".jobs order by submitted_at desc limit 1`,
    );
    expect(job!.loras).toEqual(wanted);

    await page.getByText("This request as code").click();
    await page.getByRole("tab", { name: "Python" }).click();
    expect(await page.getByRole("tabpanel").textContent()).toContain(
      '"loras": [{"name": "ink", "scale": 1}, {"name": "snow", "scale": -0.5}],',
    );
    // The history has them, too.
    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().click();
    await page.getByText("Settings").click();
    expect(await first!.inputValue()).toBe("ink");
    expect(await strength.inputValue()).toBe("-0.5");
  });

  it("has no LoRAs where the server has none", async () => {
    const { page } = await visit(browser, withKey(real));
    await page.getByText("Ready", { exact: true }).waitFor();
    await page.getByText("Settings").click();
    await page.getByLabel("Steps", { exact: true }).waitFor();
    expect(await page.getByLabel("LoRA 1", { exact: true }).isVisible()).toBe(false);
  });

  it("goes on after a reload in the middle", async () => {
    const { page } = await visit(browser, withKey(stub));
    await example(page);
    await instruct(page, "sleep 8000");
    await press(page);
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    await page.reload();
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    expect(await page.getByLabel("Instruction", { exact: true }).inputValue()).toBe("sleep 8000");
    await page.getByRole("link", { name: "Download" }).waitFor();
  });

  it("keeps a history with its pictures and parameters, edits a result again, and knows the way back", async () => {
    const { page } = await visit(browser, withKey(real));
    await example(page);
    await instruct(page, "Make it night");
    await page.getByText("Settings").click();
    await page.getByLabel("Steps", { exact: true }).fill("4");
    await press(page);
    await page.getByRole("button", { name: "Edit this result" }).click();
    await expect.poll(() => page.getByLabel("Instruction", { exact: true }).inputValue()).toBe("");
    await instruct(page, "Make it snow");
    await press(page);
    await page
      .getByText(
        /This continues an earlier edit\. Its colours are [\d.]+% away from those of the first image\./,
      )
      .waitFor();
    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    const cards = page.locator(".card");
    await cards.nth(1).waitFor();
    expect(await cards.count()).toBe(2);
    expect(await cards.nth(0).textContent()).toMatch(/Make it snow.*4 steps.*edit of an edit/);
    await expectAccessible(page);

    await cards.nth(0).click();
    await page.getByRole("button", { name: "Start from the first image" }).click();
    expect(await page.getByLabel("Steps", { exact: true }).inputValue()).toBe("4");
    await page.getByRole("button", { name: "Same seed" }).click();
    await page.locator("progress").waitFor({ state: "attached" });
    await page.getByRole("link", { name: "Download" }).waitFor();

    await page.getByRole("link", { name: "History" }).click();
    page.once("dialog", (dialog) => void dialog.accept());
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText("No edits yet").waitFor();
  });

  it("repeats an edit by its seed to the same picture, and to another by a new one", async () => {
    const { page } = await visit(browser, withKey(real));
    await example(page, "car");
    await instruct(page, "Make it night");
    await page.getByText("Settings").click();
    await page.getByLabel("Steps", { exact: true }).fill("4");
    const result = async (): Promise<string> => {
      await page.getByRole("link", { name: "Download" }).waitFor();
      return page.evaluate(async () => {
        const image = document.querySelector<HTMLImageElement>("img.after")!;
        await image.decode();
        const context = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d")!;
        context.drawImage(image, 0, 0);
        const pixels = context.getImageData(0, 0, image.naturalWidth, image.naturalHeight).data;
        const hash = await crypto.subtle.digest("SHA-256", pixels);
        return [...new Uint8Array(hash)].join(" ");
      });
    };
    await press(page);
    const first = await result();
    const repeat = async (name: string): Promise<string> => {
      await page.getByRole("button", { name }).click();
      await page.locator("progress").waitFor({ state: "attached" });
      return result();
    };
    expect(await repeat("Same seed")).toBe(first);
    expect(await repeat("New seed")).not.toBe(first);
  });

  it("asks for a key where there is none or a wrong one, and takes another", async () => {
    const { page } = await visit(browser, stub.address);
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Use this key" }).click();
    await dialog.getByText("Paste a key first.").waitFor();
    await dialog.getByLabel("Key").fill("a-wrong-key-of-sixteen");
    await dialog.getByRole("button", { name: "Use this key" }).click();
    await page.getByText("The server does not recognise this key.").first().waitFor();
    await dialog.getByLabel("Key").fill(KEY);
    await dialog.getByRole("button", { name: "Use this key" }).click();
    await page.getByText("Ready", { exact: true }).waitFor();
  });

  it("shows usage and cost by day", async () => {
    const { page } = await visit(browser, withKey(stub));
    await stub.call("/runsync", {
      body: {
        input: {
          prompt: "x",
          image: (await readFile(path.join(root, "examples", "fox.png"))).toString("base64"),
        },
      },
    });
    await page.getByRole("link", { name: "Usage" }).click();
    await page.getByText("The price is 0.03 for each megapixel; failed edits cost nothing.").waitFor();
    const { total } = (await stub.call("/usage")).body;
    await expect
      .poll(() => page.locator("tfoot td").allTextContents())
      .toEqual([String(total.completed), String(total.failed), String(total.cost)]);
    await expectAccessible(page);
  });

  it.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 375],
    ["dark", 375],
  ] as const)("fits and can be read, %s at %d pixels", async (colorScheme, width) => {
    const { page } = await visit(browser, withKey(real), { colorScheme, viewport: { width, height: 800 } });
    await page.getByText("Ready", { exact: true }).waitFor();
    await expectAccessible(page);
    await example(page);
    await instruct(page, "Make it night");
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    await page.getByText("Settings").click();
    await page.getByText("This request as code").click();
    await expectAccessible(page);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(await overflow()).toBeLessThanOrEqual(0);
    for (const name of ["History", "Usage"]) {
      await page.getByRole("link", { name }).click();
      await expectAccessible(page);
      expect(await overflow()).toBeLessThanOrEqual(0);
    }
    await page.getByRole("link", { name: "API" }).click();
    await page.getByRole("heading", { name: "The API" }).waitFor();
    await page.locator(".call").first().waitFor();
    await expectAccessible(page);
    expect(await overflow()).toBeLessThanOrEqual(0);
  });
});
