/**
 * Takes a picture of every state of the playground, at each width, light and dark: `npm run screenshots`, or only of the
 * states whose names follow. Needs Chromium.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { inRepository } from "../../tools/paths.ts";
import { SERVE, Server } from "../../tools/server.ts";
import { launch } from "../chromium.ts";
import { FOLDER, openState, SCHEMES, STATES, WIDTHS } from "./states.ts";

const HEIGHT = 900;
const wanted = process.argv.slice(2);
const states = STATES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const into = inRepository(FOLDER);
await mkdir(into, { recursive: true });
const data = await mkdtemp(path.join(tmpdir(), "retouch-screenshots-"));
const stop = new AbortController();
const server = await Server.start({
  command: SERVE,
  settings: { RETOUCH_DATA_DIR: data, RETOUCH_PRICE: "0.03/megapixel" },
  signal: stop.signal,
});
const operatorKey = await makeOperatorKey(data);
const browser = await launch();
try {
  for (const state of states) {
    const context = await browser.newContext({ viewport: { width: WIDTHS[0], height: HEIGHT } });
    const page = await context.newPage();
    await openState(page, { address: server.address, key: server.key, operatorKey }, state);
    for (const width of WIDTHS) {
      for (const colorScheme of SCHEMES) {
        await page.setViewportSize({ width, height: HEIGHT });
        await page.emulateMedia({ colorScheme });
        // As tall as the page, on a phone: what stays at the edge of the screen would cover its middle.
        const tall =
          width < HEIGHT ? await page.evaluate<number>("document.documentElement.scrollHeight") : HEIGHT;
        await page.setViewportSize({ width, height: Math.max(HEIGHT, tall) });
        await page.evaluate("Promise.all([...document.images].map((one) => one.decode().catch(() => {})))");
        const file = path.join(into, `${state.name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: file, fullPage: true });
        process.stdout.write(`${file}\n`);
      }
    }
    await context.close();
  }
} finally {
  await browser.close();
  await server.stop();
  await rm(data, { recursive: true, force: true });
}

/** As an operator makes one, while the server runs. */
async function makeOperatorKey(folder: string): Promise<string> {
  const program = inRepository("bin", "retouch.js");
  const args = ["keys", "create", "night shift", "--operator", "--json", "--data-dir", folder];
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args]);
  return (JSON.parse(stdout) as { key: string }).key;
}
