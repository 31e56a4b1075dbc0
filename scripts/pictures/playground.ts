/** The playground after an edit of the bluebird, the divider a third of the way. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { SERVE, Server } from "../../tools/server.ts";
import { inRepository } from "../../tools/paths.ts";
import { launch } from "../chromium.ts";
import { README_SEED } from "./edits.ts";

const VIEWPORT = { width: 1280, height: 1080 };
const DIVIDER = "35";

export async function drawPlayground(): Promise<string> {
  const file = inRepository("docs", "images", "playground.jpg");
  const folder = await mkdtemp(path.join(tmpdir(), "retouch-playground-"));
  const stop = new AbortController();
  const server = await Server.start({
    command: SERVE,
    settings: { RETOUCH_DATA_DIR: folder },
    signal: stop.signal,
  });
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: VIEWPORT });
    await page.goto(`${server.address}/#key=${server.key}`);
    await page.getByRole("button", { name: "Example: bluebird" }).click();
    await page.getByText("Settings", { exact: true }).click();
    await page.getByLabel("Seed").fill(String(README_SEED));
    await page.getByText("Settings", { exact: true }).click();
    await page.getByRole("button", { name: /^Edit image/ }).click();
    await page.getByRole("link", { name: "Download" }).waitFor();
    await page.getByLabel(/^Divider/).fill(DIVIDER);
    await page.evaluate("scrollTo(0, 0)");
    await page.screenshot({ path: file, type: "jpeg", quality: 85 });
  } finally {
    await browser.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return file;
}
