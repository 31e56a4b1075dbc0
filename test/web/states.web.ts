/** Every state of the playground that has a picture: it can be read by everybody, and fits, at each width, light and dark. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "../../scripts/chromium.ts";
import { openState, SCHEMES, STATES, WIDTHS } from "../../scripts/screenshots/states.ts";
import { KEY, realEngine, startTestService, type TestService } from "../support/service.ts";
import { expectAccessible, visit } from "./browser.ts";

let browser: Browser;
let server: TestService;
let operatorKey: string;
beforeAll(async () => {
  browser = await launch();
  server = await startTestService({
    database: "PGlite",
    engine: realEngine,
    settings: { RETOUCH_PRICE: "0.03/megapixel" },
  });
  operatorKey = (await server.service.keys.create("night shift", { isOperator: true })).key;
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

describe("the playground", () => {
  it.each(STATES.map((state) => [state.name, state] as const))(
    "fits and can be read: %s",
    async (_, state) => {
      const { page } = await visit(browser, "about:blank");
      await openState(page, { address: server.address, key: KEY, operatorKey }, state);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        for (const colorScheme of SCHEMES) {
          await page.emulateMedia({ colorScheme });
          await expectAccessible(page);
        }
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, `at ${width}`).toBeLessThanOrEqual(0);
      }
    },
  );
});
