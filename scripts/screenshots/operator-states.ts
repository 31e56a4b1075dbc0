/** The states of the page that operators have; what the server would have to be kept waiting for is answered in its place. */
import type { Page, Route } from "playwright-core";
import { inRepository } from "../../tools/paths.ts";
import type { State } from "./states.ts";

const json = (route: Route, body: object): Promise<void> => route.fulfill({ json: body });
const AT = "2026-12-01T09:30:00.000Z";
const UNTIL = "2026-12-04T09:30:00.000Z";
const JOB = "1f0c3a9e-6b1d-4a53-9f0e-5d1c2b7a8e90-u1";
const ENDPOINT = "black-forest-labs-flux-1-kontext-dev";
const SAFETY = {
  checker: { name: "mobilenet_v2_140_224", sha256: "5d2c".repeat(16) },
  threshold: 0.7,
  scores: [0.83],
};
const HELD = {
  jobId: JOB,
  keyId: "key_3f9a1c0b7d52e846",
  keyName: "shop",
  endpoint: ENDPOINT,
  heldAt: AT,
  until: UNTIL,
  prompt: "Put the statue in a garden",
  safety: SAFETY,
  pictures: [{ bytes: 1_234_567 }],
};
const LOG = {
  entries: [
    {
      at: AT,
      jobId: JOB,
      keyId: HELD.keyId,
      event: "approved",
      actor: { name: "night shift" },
      reason: "A statue.",
    },
    { at: AT, jobId: JOB, keyId: HELD.keyId, event: "held", actor: { name: "the service" } },
  ],
  offset: 0,
  limit: 20,
};
const COURSE = {
  id: JOB,
  keyId: HELD.keyId,
  keyName: "shop",
  endpoint: ENDPOINT,
  status: "IN_PROGRESS",
  progress: { step: 12, of: 28 },
  course: [
    { at: AT, event: "queued" },
    { at: AT, event: "started", worker: "oqk7ao1uomckye", attempt: 1 },
    {
      at: AT,
      event: "givenBack",
      worker: "oqk7ao1uomckye",
      attempt: 1,
      reason: "The engine process ended unexpectedly (SIGKILL).",
    },
    { at: AT, event: "started", worker: "p3x0b1c9d8e7f6", attempt: 2 },
  ],
  deliveries: [],
};

async function operations(page: Page, tab: string): Promise<void> {
  await page.getByText("Ready", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Operations" }).click();
  await page.getByRole("tab", { name: tab, exact: true }).click();
}

const row = (page: Page): Promise<void> => page.locator("#operations-panel tbody tr").first().waitFor();

export const OPERATOR_STATES: readonly State[] = [
  {
    name: "operations-review",
    isOperator: true,
    async prepare(page) {
      await page.route("**/operator/reviews?*", (route) =>
        json(route, { reviews: [HELD], total: 1, offset: 0, limit: 50 }),
      );
      await page.route("**/operator/reviews", (route) =>
        json(route, { reviews: [HELD], total: 1, offset: 0, limit: 50 }),
      );
      await page.route("**/operator/review-log?*", (route) => json(route, LOG));
      await page.route("**/operator/reviews/*/pictures/*", (route) =>
        route.fulfill({ path: inRepository("examples", "bluebird.png") }),
      );
    },
    async reach(page) {
      await operations(page, "Review");
      await page.locator(".review").waitFor();
      await row(page);
    },
  },
  {
    name: "operations-queue",
    isOperator: true,
    prepare: (page) =>
      page.route("**/operator/queue", (route) =>
        json(route, {
          keys: [
            {
              keyId: HELD.keyId,
              keyName: "shop",
              endpoint: ENDPOINT,
              queued: 14,
              running: 1,
              held: 1,
              oldestAt: AT,
            },
            {
              keyId: "key_77",
              keyName: "newsroom",
              endpoint: ENDPOINT,
              queued: 2,
              running: 0,
              held: 0,
              oldestAt: AT,
            },
          ],
        }),
      ),
    async reach(page) {
      await operations(page, "Queue");
      await row(page);
    },
  },
  ...(["Workers", "Disk"] as const).map((tab) => ({
    name: `operations-${tab.toLowerCase()}`,
    isOperator: true,
    async reach(page: Page) {
      await operations(page, tab);
      await row(page);
    },
  })),
  {
    name: "operations-key-created",
    isOperator: true,
    async reach(page) {
      await operations(page, "Keys");
      await page.getByLabel("Name", { exact: true }).fill("newsroom");
      await page.getByRole("button", { name: "Create key" }).click();
      await page.getByText("newsroom has a key. Copy it now: it is not shown again.").waitFor();
      await page.getByRole("button", { name: "Revoke newsroom" }).first().waitFor();
    },
  },
  {
    name: "operations-key-revoked",
    isOperator: true,
    async reach(page) {
      await operations(page, "Keys");
      await row(page);
      await page
        .getByRole("button", { name: /^Revoke / })
        .first()
        .click();
      await page.getByRole("button", { name: "Keep" }).waitFor();
    },
  },
  {
    name: "operations-job",
    isOperator: true,
    prepare: (page) => page.route("**/operator/jobs/*", (route) => json(route, COURSE)),
    async reach(page) {
      await operations(page, "Job");
      await page.getByLabel("Job", { exact: true }).last().fill(JOB);
      await page.getByRole("button", { name: "Show" }).click();
      await row(page);
    },
  },
];
