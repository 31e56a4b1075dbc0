/** The playground at plain-http addresses that are not this machine's own, and at others than the public one. */
import { readFile } from "node:fs/promises";
import { request as sendRequest, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { root } from "../support/fixtures.ts";
import { usedNames } from "../support/secure-contexts.ts";
import { ENDPOINT, KEY, realEngine, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";
import { allowedHosts, byHost, launchWithHosts } from "./hosts.ts";

let browser: Browser;
/** With no public address, with one that leads nowhere from here, and with one that has a path. */
let plain: TestService;
let elsewhere: TestService;
let prefixed: TestService;
const PUBLIC_URL = "https://edit.example.invalid";
const PREFIXED_URL = "https://edit.example.invalid/retouch";
beforeAll(async () => {
  browser = await launchWithHosts();
  const start = (settings: Record<string, string>, engine?: URL) =>
    startTestService({
      database: "PGlite",
      settings: { ...allowedHosts, RETOUCH_PRICE: "0.03/megapixel", ...settings },
      ...(engine && { engine }),
    });
  [plain, elsewhere, prefixed] = await Promise.all([
    start({}, realEngine),
    start({ RETOUCH_PUBLIC_URL: PUBLIC_URL }),
    start({ RETOUCH_PUBLIC_URL: PREFIXED_URL }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await plain?.close();
  await elsewhere?.close();
  await prefixed?.close();
});

/** Chromium says of an address without TLS that it cannot give it this protection; nothing is broken. */
const isAboutOpener = (complaint: string): boolean => complaint.includes("Cross-Origin-Opener-Policy");

async function open(address: string, { isSecure = false } = {}) {
  const { page, complaints } = await visit(browser, `${address}/#key=${KEY}`);
  await page.getByText("Ready", { exact: true }).waitFor();
  expect(await page.evaluate(() => [isSecureContext, "clipboard" in navigator])).toEqual([
    isSecure,
    isSecure,
  ]);
  return { page, complaints: () => complaints.filter((text) => !isAboutOpener(text)) };
}

const instruct = (page: Page, prompt: string) => page.getByLabel("Instruction", { exact: true }).fill(prompt);
const press = (page: Page) => page.getByRole("button", { name: /^Edit image/ }).click();
const chooseFile = (page: Page, name: string) =>
  page.getByLabel("Choose an image").setInputFiles(path.join(root, "examples", `${name}.png`));

async function downloaded(page: Page): Promise<Buffer> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).click(),
  ]);
  return readFile(await download.path());
}

/** What the clipboard has, as somebody pastes it. */
async function pasted(page: Page): Promise<string> {
  await instruct(page, "");
  await page.getByLabel("Instruction", { exact: true }).focus();
  await page.keyboard.press("Control+V");
  return page.getByLabel("Instruction", { exact: true }).inputValue();
}

/** An edit of a file, its result edited again, kept through a reload. */
async function editTwice(page: Page): Promise<void> {
  await chooseFile(page, "fox");
  await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
  await instruct(page, "Make it night");
  await press(page);
  await page.getByRole("link", { name: "Download" }).waitFor();
  const first = await downloaded(page);
  expect(await sharp(first).metadata()).toMatchObject({ format: "png", width: 1024, height: 1024 });
  await page.getByRole("button", { name: "Edit this result" }).click();
  // It is emptied once the picture was read.
  await expect.poll(() => page.getByLabel("Instruction", { exact: true }).inputValue()).toBe("");
  await instruct(page, "Make it snow");
  await press(page);
  await page.getByText(/^This continues an earlier edit\. Its colours are/).waitFor();
  await page.reload();
  await page.getByRole("link", { name: "History" }).click();
  await page.locator(".card").nth(1).waitFor();
  expect(await page.locator(".card-prompt").allTextContents()).toEqual(["Make it snow", "Make it night"]);
  await page.locator(".card").nth(1).click();
  expect(await downloaded(page)).toEqual(first);
}

describe("at a plain-http address that is not localhost, the playground", () => {
  it("does a whole edit: a file, the steps, before and after, the download, the history, the code, the usage", async () => {
    const { page, complaints } = await open(byHost(plain.address, "retouch.test"));
    await chooseFile(page, "bluebird");
    await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
    await instruct(page, "Make it night");
    await page.getByText("Settings").click();
    await page.getByLabel("Steps", { exact: true }).fill("50");
    await press(page);
    await page.getByText(/^Step \d+ of 50$/).waitFor();
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(await sharp(await downloaded(page)).metadata()).toMatchObject({ width: 1024, height: 1024 });
    const frame = (await page.locator(".compare").boundingBox())!;
    await page.mouse.click(frame.x + frame.width * 0.8, frame.y + frame.height / 2);
    expect(Number(await page.getByLabel(/^Divider/).inputValue())).toBeGreaterThan(70);
    await expectAccessible(page);

    await page.getByText("This request as code").click();
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const code = (await page.locator("#code code").textContent())!;
    expect(code).toContain(`'${byHost(plain.address, "retouch.test")}/v2/${ENDPOINT}/runsync'`);
    expect(await pasted(page)).toBe(code);

    await page.reload();
    await page.getByRole("link", { name: "History" }).click();
    await page.locator(".card").first().click();
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(await page.getByLabel("Steps", { exact: true }).inputValue()).toBe("50");
    await page.getByRole("link", { name: "Usage" }).click();
    await page.getByText("The price is 0.03 for each megapixel; failed edits cost nothing.").waitFor();
    await page.getByRole("link", { name: "API" }).click();
    await page.locator(".call").first().waitFor();
    await expectAccessible(page);
    expect(complaints()).toEqual([]);
  });

  it("selects the code and says so where the browser lets it copy nothing", async () => {
    const { page } = await open(byHost(elsewhere.address, "retouch.test"));
    await page.evaluate(() => (document.execCommand = () => false));
    await chooseFile(page, "fox");
    await instruct(page, "x");
    await press(page);
    await page.getByText("This request as code").click();
    await page.getByRole("tab", { name: "Python" }).click();
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    const sentence = page.getByText("This browser does not allow copying from a page. The code is selected:");
    await sentence.waitFor();
    const code = await page.locator("#code code").textContent();
    expect(await page.evaluate(() => getSelection()!.toString())).toBe(code);
    await expectAccessible(page);
    await page.getByRole("tab", { name: "curl" }).click();
    expect(await sentence.isVisible()).toBe(false);
  });
});

it("the playground's sources name nothing that this browser has in secure contexts only, but where there is another way", async () => {
  const { page } = await visit(browser, plain.address);
  const namesAt = async (host: "127.0.0.1" | "retouch.test"): Promise<Record<string, string[]>> => {
    await page.goto(byHost(plain.address, host));
    return page.evaluate(() => {
      const own = Object.getOwnPropertyNames(globalThis).map((name) => {
        const { prototype } =
          (globalThis as unknown as Record<string, { prototype?: object } | null>)[name] ?? {};
        return [name, typeof prototype === "object" ? Object.getOwnPropertyNames(prototype) : []] as const;
      });
      return Object.fromEntries(own);
    });
  };
  const [secure, insecure] = [await namesAt("127.0.0.1"), await namesAt("retouch.test")];
  const globals = new Set(Object.keys(secure).filter((name) => !(name in insecure)));
  const members = new Set(
    Object.entries(insecure).flatMap(([name, there]) =>
      (secure[name] ?? []).filter((member) => !there.includes(member)),
    ),
  );
  expect([...globals]).toEqual(expect.arrayContaining(["Clipboard", "caches", "SubtleCrypto"]));
  expect([...members]).toEqual(expect.arrayContaining(["clipboard", "randomUUID"]));
  expect(usedNames({ globals, members })).toEqual({ "clipboard.ts": ["Clipboard", "clipboard"] });
});

describe("in a secure context, the playground", () => {
  it("copies the other way where the browser refuses the first", async () => {
    const { page } = await open(elsewhere.address, { isSecure: true });
    await page.evaluate(
      () => (navigator.clipboard.writeText = () => Promise.reject(new DOMException("no", "NotAllowedError"))),
    );
    await chooseFile(page, "fox");
    await instruct(page, "x");
    await press(page);
    await page.getByText("This request as code").click();
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const code = await page.locator("#code code").textContent();
    expect(await pasted(page)).toBe(code);
  });
});

describe("where RETOUCH_PUBLIC_URL leads nowhere from this browser, the playground", () => {
  it.each(["127.0.0.1", "localhost", "retouch.test", "other.test"] as const)(
    "edits, edits again and keeps at http://%s",
    async (host) => {
      const { page, complaints } = await open(byHost(elsewhere.address, host), {
        isSecure: !host.endsWith(".test"),
      });
      await editTwice(page);
      expect(complaints()).toEqual([]);
    },
  );

  it("edits an example, and shows code for the address that leads there", async () => {
    const address = byHost(elsewhere.address, "retouch.test");
    const { page, complaints } = await open(address);
    await page.getByRole("button", { name: "Example: teapot" }).click();
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    await page.getByText("This request as code").click();
    const code = (await page.locator("#code code").textContent())!;
    expect(code).toContain(`"image": "${address}/examples/teapot.png"`);
    expect(code).toContain(`'${address}/v2/${ENDPOINT}/runsync'`);
    expect(code).not.toContain(PUBLIC_URL);
    expect(complaints()).toEqual([]);
  });

  it("fetches a result by the address that the server names where its own path has none", async () => {
    const { page } = await open(elsewhere.address, { isSecure: true });
    const picture = await readFile(path.join(root, "examples", "fox.png"));
    await page.route(
      (url) => url.pathname.startsWith("/files/"),
      (route) =>
        new URL(route.request().url()).origin === PUBLIC_URL
          ? route.fulfill({
              body: picture,
              contentType: "image/png",
              headers: { "access-control-allow-origin": "*" },
            })
          : route.fulfill({ body: "<p>Log in</p>", contentType: "text/html" }),
    );
    await page.getByRole("button", { name: "Example: car" }).click();
    await press(page);
    await page.getByRole("link", { name: "Download" }).waitFor();
    expect(await downloaded(page)).toEqual(picture);
  });
});

/** A proxy that takes a path away before it asks the server, and gives the server's answers as they are. */
async function startPrefixProxy(target: string, prefix: string): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const url = incoming.url!;
    if (!url.startsWith(`${prefix}/`)) return void outgoing.writeHead(404).end();
    const { method = "GET", headers } = incoming;
    const forwarded = sendRequest(target + url.slice(prefix.length), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

describe("behind a proxy that puts a path in front, the playground", () => {
  it.each(["127.0.0.1", "retouch.test"] as const)(
    "edits and shows the API at http://%s/retouch/",
    async (host) => {
      const proxy = await startPrefixProxy(prefixed.address, "/retouch");
      const address = `${byHost(proxy, host)}/retouch`;
      const { page, complaints } = await open(address, { isSecure: host === "127.0.0.1" });
      expect(page.url()).toBe(`${address}/#edit`);
      await editTwice(page);
      await page.getByText("This request as code").click();
      expect(await page.locator("#code code").textContent()).toContain(`'${address}/v2/${ENDPOINT}/runsync'`);
      await page.getByRole("link", { name: "API" }).click();
      await page.locator(".call").first().waitFor();
      expect(page.url()).toBe(`${address}/docs`);
      await page.goto(`${address}/docs/`);
      await page.locator(".call").first().waitFor();
      await page.getByRole("link", { name: "Usage", exact: true }).click();
      await page.getByText("The price is 0.03 for each megapixel; failed edits cost nothing.").waitFor();
      expect(page.url()).toBe(`${address}/#usage`);
      expect(complaints()).toEqual([]);
    },
  );
});
