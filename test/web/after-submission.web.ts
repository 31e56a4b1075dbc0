/** The playground in browsers that fail it once an edit is submitted: the job and its picture are not lost. */
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { KEY, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";
import { allowedHosts, byHost, launchWithHosts } from "./hosts.ts";

let browser: Browser;
let server: TestService;
beforeAll(async () => {
  browser = await launchWithHosts();
  server = await startTestService({ database: "PGlite", settings: { ...allowedHosts } });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** The page over plain http. @param spoil what is wrong with the browser, done before the page's own programs */
async function open(spoil: () => void): Promise<Page> {
  const { page } = await visit(browser, "about:blank");
  await page.addInitScript(spoil);
  await page.goto(`${byHost(server.address, "retouch.test")}/#key=${KEY}`);
  await page.getByText("Ready", { exact: true }).waitFor();
  return page;
}

async function edit(page: Page, prompt: string): Promise<void> {
  await page.getByLabel("Choose an image").setInputFiles(path.join(root, "examples", "fox.png"));
  await page.getByLabel("Instruction", { exact: true }).fill(prompt);
  await page.keyboard.press("Control+Enter");
}

const download = (page: Page) => page.getByRole("link", { name: "Download" });

describe("an edit that is submitted", () => {
  it("is finished and shown where the browser keeps no more, and that is said", async () => {
    const page = await open(() => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    await edit(page, "x");
    await download(page).waitFor();
    await page.getByText("This browser could not save the edit in its history.").waitFor();
    await expectAccessible(page);
  });

  it("is finished and said to be unkept where the disk is full only in the end", async () => {
    const page = await open(() => {
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function (
        this: IDBObjectStore,
        value: unknown,
      ): IDBRequest<IDBValidKey> {
        const request = put.call(this, value);
        request.addEventListener("success", () => this.transaction.abort());
        return request;
      };
    });
    await edit(page, "x");
    await download(page).waitFor();
    await page.getByText("This browser could not save the edit in its history.").waitFor();
  });

  it("is finished in a browser that lets pages keep nothing, whose history lasts as long as the page", async () => {
    const page = await open(() => {
      const refuse = (): never => {
        throw new DOMException("denied", "SecurityError");
      };
      Object.defineProperty(globalThis, "localStorage", { get: refuse });
      IDBFactory.prototype.open = refuse;
    });
    await page.getByText("This browser does not let the page store anything:").waitFor();
    await edit(page, "x");
    await download(page).waitFor();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().click();
    await download(page).waitFor();
  });

  it("is found again after the page could not show it", async () => {
    const page = await open(() => {
      if (sessionStorage.getItem("spoilt") !== null) return;
      sessionStorage.setItem("spoilt", "once");
      HTMLProgressElement.prototype.setAttribute = () => {
        throw new Error("broken");
      };
    });
    await edit(page, "sleep 3000");
    await page.getByText("The edit was submitted and is running, but this page cannot show it.").waitFor();
    await page.reload();
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    await download(page).waitFor();
  });

  it("is shown in a browser that cannot compare it with its first picture", async () => {
    const page = await open(() => {
      Reflect.deleteProperty(globalThis, "OffscreenCanvas");
    });
    await edit(page, "x");
    await page.getByRole("button", { name: "Edit this result" }).click();
    // It is emptied once the picture was read.
    await expect.poll(() => page.getByLabel("Instruction", { exact: true }).inputValue()).toBe("");
    await page.getByLabel("Instruction", { exact: true }).fill("y");
    await page.keyboard.press("Control+Enter");
    await page.getByText("This continues an earlier edit.").waitFor();
    await download(page).waitFor();
    expect(await page.locator(".lineage p").textContent()).toBe(
      "This continues an earlier edit. Start from the first image",
    );
  });

  it("gets its picture once the connection is back that broke before it came", async () => {
    const page = await open(() => {});
    let broken = 0;
    await page.route(
      (url) => url.pathname.startsWith("/files/"),
      async (route) => {
        broken += 1;
        if (broken === 1) await route.abort("connectionreset");
        else if (broken === 2) await route.fulfill({ status: 502, body: "bad gateway" });
        else await route.continue();
      },
    );
    await edit(page, "x");
    await page.getByText("The server is not responding. Trying again; nothing is lost.").waitFor();
    await download(page).waitFor();
    expect(broken).toBe(3);
    await expect.poll(() => page.locator("#banner").isVisible()).toBe(false);
  });

  it("says where its picture should be where it is not there", async () => {
    const page = await open(() => {});
    await page.route(
      (url) => url.pathname.startsWith("/files/"),
      (route) => route.fulfill({ status: 404, json: { error: "file not found" } }),
    );
    await edit(page, "x");
    const address = byHost(server.address, "retouch.test");
    await page
      .getByText(`The edit is done, but its image cannot be fetched from ${address}/files/`)
      .waitFor();
    await expectAccessible(page);
  });

  it("says that another key may have it, where the key has changed while the page was away", async () => {
    const page = await open(() => {});
    await server.service.keys.ensure("another-key-of-sixteen", "other");
    await edit(page, "sleep 20000");
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    const address = page.url();
    await page.goto("about:blank");
    await page.goto(`${new URL(address).origin}/#key=another-key-of-sixteen`);
    await page.getByText(/^Step \d+ of 28$/).waitFor();
    await page.getByRole("button", { name: "Use the link's key" }).click();
    await page.reload();
    await page
      .getByText("There is no such job for this API key: it belongs to another key, or the server")
      .waitFor();
  });
});
