/** The states of the playground: how a page that was just opened gets into each of them. */
import path from "node:path";
import type { Page, Route } from "playwright-core";
import { inRepository } from "../../tools/paths.ts";
import { OPERATOR_STATES } from "./operator-states.ts";

export interface State {
  name: string;
  /** @default true */
  hasKey?: boolean;
  /** Whether that is an operator's. @default false */
  isOperator?: boolean;
  /** What the page is opened with, before anything is done; the server's answers may be replaced. */
  prepare?(page: Page): Promise<unknown>;
  reach(page: Page): Promise<void>;
}

const STEPS = "2";
const POLL_MS = 50;
const json = (route: Route, body: object, status = 200): Promise<void> =>
  route.fulfill({ status, json: body });
const ready = (page: Page): Promise<void> => page.getByText("Ready", { exact: true }).waitFor();
const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: true });
const written = (page: Page) => page.getByLabel("Instruction", { exact: true });

async function example(page: Page, name: string): Promise<void> {
  await ready(page);
  await page.getByRole("button", { name: `Example: ${name}` }).click();
  await page.locator("#source-note", { hasText: "1024 × 1024" }).waitFor();
}

async function settings(page: Page): Promise<void> {
  await page.getByText("Settings", { exact: true }).click();
}

async function fewSteps(page: Page): Promise<void> {
  await settings(page);
  await page.getByLabel("Steps", { exact: true }).fill(STEPS);
  await settings(page);
}

const submit = (page: Page): Promise<void> => page.locator("#run").click();
const done = (page: Page): Promise<void> => page.getByRole("link", { name: "Download" }).waitFor();

/** An edit of two steps. */
async function edit(page: Page, name = "fox", instruction?: string): Promise<void> {
  await example(page, name);
  await fewSteps(page);
  if (instruction !== undefined) await written(page).fill(instruction);
  const before = page.url();
  await submit(page);
  // The address names the edit on the stage.
  while (page.url() === before) await page.waitForTimeout(POLL_MS);
  await done(page);
}

/** An edit of the result on the stage. */
async function editAgain(page: Page, instruction: string): Promise<void> {
  await button(page, "Edit this result").click();
  while ((await written(page).inputValue()) !== "") await page.waitForTimeout(POLL_MS);
  await written(page).fill(instruction);
  await submit(page);
  await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: instruction }).waitFor();
}

async function history(page: Page): Promise<void> {
  await page.getByRole("link", { name: "History" }).click();
  await page.locator(".card").first().waitFor();
}

/** A job that never gets further than these pieces of its stream. */
async function holdJob(page: Page, status: string, stream: object[], place?: object): Promise<void> {
  let isTold = false;
  await page.route("**/stream/**", async (route) => {
    // As the server does: news at once, then a long wait.
    if (isTold) await new Promise((resolve) => setTimeout(resolve, 5000));
    isTold = true;
    await json(route, { id: "x", status, stream }).catch(() => {});
  });
  if (place) await page.route("**/queue/**", (route) => json(route, { status, ...place }));
}

export const STATES: readonly State[] = [
  { name: "start", reach: ready },
  {
    name: "key-missing",
    hasKey: false,
    reach: (page) => page.getByRole("dialog").waitFor(),
  },
  {
    name: "key-wrong",
    prepare: (page) =>
      page.route("**/usage", (route) => json(route, { error: "The API key is not valid." }, 401)),
    reach: (page) => page.locator("#key-error", { hasText: "does not recognise this key" }).waitFor(),
  },
  { name: "image", reach: (page) => example(page, "bluebird") },
  {
    name: "photograph",
    async reach(page) {
      await ready(page);
      await page.locator("#file").setInputFiles(inRepository("training", "photographs", "cat.jpg"));
      await page.locator("#photograph-warning").waitFor();
    },
  },
  {
    name: "image-unreadable",
    async reach(page) {
      await ready(page);
      await page
        .locator("#file")
        .setInputFiles({ name: "a.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
      await page.getByText("This image cannot be read.").waitFor();
    },
  },
  {
    name: "address-refused",
    async reach(page) {
      await ready(page);
      await button(page, "From an address").click();
      await page.getByLabel("Address of an image").fill("http://10.0.0.1/picture.jpg");
      await button(page, "Fetch").click();
      await page.getByText(/address of 10\.0\.0\.1 is not public/).waitFor();
    },
  },
  {
    name: "crop",
    async reach(page) {
      await example(page, "car");
      await button(page, "Crop").click();
      await page.getByLabel("Shape").selectOption("4:3");
    },
  },
  {
    name: "mask",
    async reach(page) {
      await example(page, "teapot");
      await button(page, "Paint what may change").click();
      const box = (await page.getByRole("application", { name: "Mask" }).boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.6);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.6, { steps: 4 });
      await page.mouse.up();
    },
  },
  {
    name: "settings",
    async reach(page) {
      await example(page, "fox");
      await settings(page);
      await page.getByText(/^About .* in all, .* a step$/).waitFor();
    },
  },
  {
    name: "field-refused",
    async reach(page) {
      await example(page, "fox");
      await settings(page);
      await page.getByLabel("Steps", { exact: true }).fill("51");
      await submit(page);
      await page.getByText("A whole number from 1 to 50.", { exact: true }).waitFor();
    },
  },
  {
    name: "queued",
    prepare: (page) => holdJob(page, "IN_QUEUE", [], { jobs_ahead: 2, wait_ms: 40_000 }),
    async reach(page) {
      await example(page, "fox");
      await submit(page);
      await page.getByText("Waiting, 2 before it, about 40 s").waitFor();
    },
  },
  {
    name: "running",
    prepare: (page) =>
      holdJob(page, "IN_PROGRESS", [{ output: { progress: "0/28" } }, { output: { progress: "11/28" } }]),
    async reach(page) {
      await example(page, "fox");
      await submit(page);
      await page.getByText(/^Step 11 of 28/).waitFor();
    },
  },
  { name: "result", reach: (page) => edit(page, "bluebird") },
  {
    name: "result-side-by-side",
    async reach(page) {
      await edit(page);
      await button(page, "Side by side").click();
    },
  },
  {
    name: "result-map",
    async reach(page) {
      await edit(page);
      await button(page, "What was kept").click();
      await page.getByRole("img", { name: "What was kept, carried over and drawn" }).waitFor();
    },
  },
  {
    name: "results",
    async reach(page) {
      await example(page, "car");
      await fewSteps(page);
      await settings(page);
      await page.getByLabel("Results", { exact: true }).fill("4");
      await settings(page);
      await submit(page);
      await done(page);
    },
  },
  {
    name: "lineage",
    async reach(page) {
      await edit(page, "fox", "Make it night");
      await editAgain(page, "Make it snow");
      await history(page);
      await page.locator(".card", { hasText: "Make it night" }).click();
      await done(page);
      await editAgain(page, "Make it sepia");
      await page.getByText(/kept by every edit/).waitFor();
    },
  },
  {
    name: "failed",
    prepare: (page) =>
      page.route("**/stream/**", (route) => json(route, { id: "x", status: "FAILED", stream: [] })),
    async reach(page) {
      await page.route("**/status/**", (route) =>
        json(route, { id: "x", status: "FAILED", error: "image is damaged or cut short." }),
      );
      await example(page, "fox");
      await submit(page);
      await page.getByText("This edit failed").waitFor();
    },
  },
  {
    name: "disk-full",
    prepare: (page) =>
      page.route("**/run", (route) => json(route, { error: "The disk of the server is full." }, 507)),
    async reach(page) {
      await example(page, "fox");
      await submit(page);
      await page.getByText("The disk of the server is full.").waitFor();
    },
  },
  {
    name: "server-lost",
    async reach(page) {
      await example(page, "fox");
      await page.route("**/run", (route) => route.abort("connectionrefused"));
      await submit(page);
      await page.locator("#banner", { hasText: "is not responding" }).waitFor();
    },
  },
  {
    name: "history",
    async reach(page) {
      await edit(page, "car");
      await edit(page, "fox", "Make it night");
      await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "Make it night" }).waitFor();
      await history(page);
      await page.getByRole("button", { name: "Compare: Make it night" }).last().click();
    },
  },
  {
    name: "comparison",
    async reach(page) {
      await edit(page, "fox", "Make it night");
      await button(page, "Compare with another").click();
      await written(page).fill("Make it snow");
      await submit(page);
      await page.locator('.facts dt:text-is("Instruction") + dd', { hasText: "Make it snow" }).waitFor();
      await button(page, "Compare with another").click();
      await page.getByRole("dialog", { name: "Two results" }).waitFor();
    },
  },
  {
    name: "usage",
    async reach(page) {
      await ready(page);
      await page.getByRole("link", { name: "Usage" }).click();
      await page.locator("tfoot").waitFor();
    },
  },
  ...OPERATOR_STATES,
];

export const WIDTHS = [1440, 1280, 375] as const;
export const SCHEMES = ["light", "dark"] as const;

/** Opens the page of a server in a profile of its own, in a state. */
export async function openState(
  page: Page,
  { address, key, operatorKey }: { address: string; key: string; operatorKey: string },
  { hasKey = true, isOperator = false, prepare, reach }: State,
): Promise<void> {
  await prepare?.(page);
  await page.goto(hasKey ? `${address}/#key=${isOperator ? operatorKey : key}` : address);
  await reach(page);
}

/** Where the pictures go; git does not know the folder. */
export const FOLDER = path.join("out", "screenshots");
