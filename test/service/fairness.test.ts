/** What one key does beside another, on a service as it is run: slow sources, a long queue, many pictures, many servers. */
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import { call, ENDPOINT, KEY, startTestService, type TestService, until } from "../support/service.ts";

const OTHER_KEY = "another-key-of-sixteen-or-more";
const picture = await readFile(path.join(root, "examples", "bluebird.png"));
const image = `data:image/png;base64,${picture.toString("base64")}`;
const input = (changes: object = {}) => ({
  input: { prompt: "Make it night", image, size: "256*256", num_inference_steps: 2, ...changes },
});

describe("one key beside another", () => {
  let service: TestService;
  let slow: { address: string; waiting: () => number; close: () => void };
  beforeAll(async () => {
    const settings = { RETOUCH_IMAGE_TIMEOUT: "5m", RETOUCH_KEEP_ORIGINALS: "false" };
    service = await startTestService({ database: "PGlite", settings });
    await service.service.keys.ensure(OTHER_KEY, "other");
    slow = await startSlowHost();
  });
  afterAll(async () => {
    slow.close();
    await service.close();
  });
  const post = (route: string, body: unknown, key = KEY) =>
    service.call(route, { method: "POST", body, key });
  const status = async (id: string, key = KEY) => (await service.call(`/status/${id}`, { key })).body;
  const requests = async (key: string): Promise<{ id: string; startedAt?: string }[]> =>
    (await service.call("/requests?limit=100", { key })).body.requests;
  /** Jobs that do not outlive their test, so that it can be tried again. */
  const cancelledAfterwards = (): string[] => {
    const ids: string[] = [];
    onTestFinished(async () => {
      for (const id of ids) await post(`/cancel/${id}`, {});
    });
    return ids;
  };

  it("has its edit done at once while ten slow hosts keep the other's pictures back", async () => {
    const ids = cancelledAfterwards();
    for (let count = 0; count < 10; count += 1) {
      const { body } = await post("/run", input({ image: `${slow.address}/${count}.png` }));
      ids.push(body.id);
    }
    await until(
      async () => slow.waiting(),
      (count) => count > 0,
    );
    const done = await post("/runsync?wait=60000", input(), OTHER_KEY);
    expect(done.body).toMatchObject({ status: "COMPLETED" });
    // And so does a picture from elsewhere.
    const far = await post("/runsync?wait=60000", input({ image: `${slow.address}/quick.png` }), OTHER_KEY);
    expect(far.body).toMatchObject({ status: "COMPLETED" });
    expect(await status(ids[0]!)).toMatchObject({ status: "IN_QUEUE" });
    expect(slow.waiting()).toBeLessThanOrEqual(2);
    for (const id of ids) await post(`/cancel/${id}`, {});
    await until(
      async () => slow.waiting(),
      (count) => count === 0,
    );
  });

  it("runs after one job of the other's, however many wait", async () => {
    const ids = cancelledAfterwards();
    for (let count = 0; count < 6; count += 1) {
      ids.push((await post("/run", input({ prompt: "sleep 1000" }))).body.id);
    }
    const asked = new Date().toISOString();
    const done = await post("/runsync?wait=60000", input(), OTHER_KEY);
    expect(done.body).toMatchObject({ status: "COMPLETED" });
    const { startedAt: begun } = (await requests(OTHER_KEY)).find(({ id }) => id === done.body.id)!;
    const between = (await requests(KEY)).filter(
      ({ id, startedAt = "" }) => ids.includes(id) && startedAt > asked && startedAt < begun!,
    );
    // A busy machine may need the time of one until it has the call.
    expect(between.length).toBeLessThanOrEqual(2);
  });

  it("leaves no picture of a cancelled job behind, whatever may be repeated", async () => {
    const folder = inputsOf(service);
    const order = randomUUID();
    for (let count = 0; count < 10; count += 1) {
      const headers = { "idempotency-key": `${order}-${count}` };
      const { body } = await service.call("/run", {
        method: "POST",
        body: input({ prompt: "sleep 5000" }),
        headers,
      });
      await post(`/cancel/${body.id}`, {});
    }
    await until(
      async () => readdir(folder),
      (names) => names.length === 0,
    );
  });
});

/** Pictures that never end, but for one. */
async function startSlowHost() {
  let waiting = 0;
  const server = createServer((request, response) => {
    if (request.url === "/quick.png") return void response.end(picture);
    waiting += 1;
    response.on("close", () => (waiting -= 1));
    response.write(picture.subarray(0, 100));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    waiting: () => waiting,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const inputsOf = ({ folder }: TestService): string => path.join(folder, "files", "inputs");

describe("a disk that is nearly full", () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({
      database: "PGlite",
      settings: { RETOUCH_MIN_FREE_DISK: "900000GB" },
    });
  });
  afterAll(() => service.close());

  it("refuses edits in one sentence and leaves everything else alone", async () => {
    for (const route of ["/run", "/runsync"]) {
      const refused = await service.call(route, { method: "POST", body: input() });
      expect([refused.status, refused.body]).toEqual([
        507,
        { error: "The disk of this server is nearly full; try again later." },
      ]);
    }
    for (const route of ["/health", "/requests", "/usage"]) {
      expect((await service.call(route)).status).toBe(200);
    }
    expect((await fetch(`${service.address}/readyz`)).status).toBe(200);
  });
});

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? "two servers of one database", () => {
  let one: TestService;
  let other: TestService;
  beforeAll(async () => {
    one = await startTestService({ database: "PostgreSQL", settings: LIMITS });
    other = await startTestService({
      database: "PostgreSQL",
      settings: { ...LIMITS, RETOUCH_DATABASE_SCHEMA: one.schema, RETOUCH_WORKERS: "0" },
    });
  });
  afterAll(async () => {
    await other.close();
    await one.close();
  });
  const LIMITS = {
    RETOUCH_RATE_PER_WORKER: "0",
    RETOUCH_CANCEL_RATE: "40",
    RETOUCH_MAX_QUEUED: "3",
    RETOUCH_MAX_QUEUED_PER_WORKER: "0",
    RETOUCH_STATUS_CONCURRENCY: "4",
  };
  const ask = (at: number, route: string, init: object = {}) =>
    call(`${[one, other][at % 2]!.address}/v2/${ENDPOINT}${route}`, init);
  const statusesOf = async (count: number, route: string, init: object = {}): Promise<number[]> => {
    const all = await Promise.all(Array.from({ length: count }, (_, at) => ask(at, route, init)));
    return all.map(({ status }) => status);
  };

  it("hold low and high rates together", async () => {
    const purge: number[] = [];
    for (let at = 0; at < 4; at += 1) purge.push((await ask(at, "/purge-queue", { method: "POST" })).status);
    expect(purge).toEqual([200, 200, 429, 429]);
    const cancel = await statusesOf(100, "/cancel/x", { method: "POST" });
    expect(cancel.filter((status) => status === 404)).toHaveLength(40);
  });

  it("hold the queue's cap of a key together", async () => {
    const body = input({ prompt: "sleep 20000" });
    const statuses: number[] = [];
    for (let at = 0; at < 8; at += 1) statuses.push((await ask(at, "/run", { method: "POST", body })).status);
    const accepted = statuses.filter((status) => status === 200).length;
    // One may have begun to run.
    expect(accepted).toBeGreaterThanOrEqual(4);
    expect(accepted).toBeLessThanOrEqual(5);
    expect(new Set(statuses.slice(accepted))).toEqual(new Set([429]));
  });

  it("hold the number of calls at the same time together", async () => {
    const { requests } = (await ask(0, "/requests")).body;
    const statuses = await statusesOf(12, `/status-sync/${requests[0].id}?wait=1500`);
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    expect(statuses.filter((status) => status === 429)).toHaveLength(8);
  });
});
