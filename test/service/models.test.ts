/** Several endpoints of one server: each has its own jobs, queue, counts and schema. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import {
  type Answer,
  call,
  type CallInit,
  type DatabaseName,
  ENDPOINT,
  startTestService,
  type TestService,
  until,
} from "../support/service.ts";
import { refusal } from "../support/refusal.ts";

const SHIPPED = path.join(root, "checkpoints", "tiny");
const databases: readonly DatabaseName[] =
  postgresMissing === undefined ? ["PGlite", "PostgreSQL"] : ["PGlite"];

describe.each(databases)("two endpoints on %s", (database) => {
  let server: TestService;
  beforeAll(async () => {
    server = await startTestService({
      database,
      settings: { RETOUCH_MODELS: `other=${SHIPPED}`, RETOUCH_MODEL_TURN: "0ms" },
    });
  });
  afterAll(() => server.close());

  const at = (endpoint: string, to: string, init?: CallInit): Promise<Answer> =>
    call(`${server.address}/v2/${endpoint}${to}`, init);
  const body = (prompt: string) => ({
    input: { prompt, image: `${server.address}/examples/bluebird.png`, num_inference_steps: 2 },
  });
  const start = async (endpoint: string, prompt: string): Promise<string> => {
    const queued = await at(endpoint, "/run", { body: body(prompt) });
    expect([queued.status, queued.body]).toEqual([200, { id: expect.any(String), status: "IN_QUEUE" }]);
    return queued.body.id;
  };
  const ended = (endpoint: string, id: string): Promise<Answer> =>
    at(endpoint, `/status-sync/${id}?wait=60000`);

  it("edit under both ids, each its own jobs", async () => {
    const ids = [await start(ENDPOINT, "one"), await start("other", "two")] as const;
    expect((await ended(ENDPOINT, ids[0])).body).toMatchObject({ status: "COMPLETED" });
    expect((await ended("other", ids[1])).body).toMatchObject({ status: "COMPLETED" });
    for (const [endpoint, id] of [
      ["other", ids[0]],
      [ENDPOINT, ids[1]],
    ] as const) {
      for (const [method, to] of [
        ["GET", `/status/${id}`],
        ["GET", `/status-sync/${id}`],
        ["GET", `/stream/${id}`],
        ["POST", `/cancel/${id}`],
        ["POST", `/retry/${id}`],
      ] as const) {
        const { status, body: refused } = await at(endpoint, to, { method });
        expect([to, status, refused]).toEqual([to, 404, { error: "job not found" }]);
      }
      const listed = await at(endpoint, "/requests");
      expect(listed.body.requests.map((job: { id: string }) => job.id)).not.toContain(id);
    }
    const { body: usage } = await at("other", "/usage");
    expect(usage.total).toMatchObject({ completed: 1, failed: 0 });
  });

  it("wait for a worker each in its own queue, and count and purge their own", async () => {
    const running = await start(ENDPOINT, "sleep 60000");
    await until(
      () => at(ENDPOINT, `/status/${running}`),
      (answer) => answer.body.status === "IN_PROGRESS",
    );
    const waiting = [
      await start(ENDPOINT, "three"),
      await start("other", "four"),
      await start("other", "five"),
    ];
    const health = async (endpoint: string) => (await at(endpoint, "/health")).body;
    expect((await health(ENDPOINT)).jobs).toMatchObject({ inProgress: 1, inQueue: 1 });
    expect((await health("other")).jobs).toMatchObject({ inProgress: 0, inQueue: 2, completed: 1 });
    expect((await health("other")).workers).toMatchObject({ ready: 1 });
    expect((await at("other", "/purge-queue", { method: "POST" })).body).toMatchObject({ removed: 2 });
    expect((await at(ENDPOINT, `/status/${waiting[0]}`)).body.status).toBe("IN_QUEUE");
    await at(ENDPOINT, `/cancel/${running}`, { method: "POST" });
    expect((await ended(ENDPOINT, waiting[0]!)).body.status).toBe("COMPLETED");
  });

  it("tell idempotency keys apart", async () => {
    const headers = { "idempotency-key": "the same" };
    const ids = new Set<string>();
    for (const endpoint of [ENDPOINT, "other", ENDPOINT, "other"]) {
      const { status, body: queued } = await at(endpoint, "/run", { body: body(endpoint), headers });
      expect(status).toBe(200);
      ids.add(queued.id);
    }
    expect(ids.size).toBe(2);
  });

  it("run a failed job again where it belongs", async () => {
    const id = await start("other", "fail Because.");
    expect((await ended("other", id)).body).toMatchObject({ status: "FAILED", error: "Because." });
    expect((await at("other", `/retry/${id}`, { method: "POST" })).status).toBe(200);
    expect((await ended("other", id)).body.status).toBe("FAILED");
    expect((await at("other", "/health")).body.jobs.retried).toBe(1);
    expect((await at(ENDPOINT, "/health")).body.jobs.retried).toBe(0);
  });

  it("answer as OpenAI's models, by name", async () => {
    const listed = await call(`${server.address}/v1/models`);
    expect(listed.body.data.map((model: { id: string }) => model.id)).toEqual([ENDPOINT, "other"]);
    const edit = (model?: string): Promise<Answer> =>
      call(`${server.address}/v1/images/edits`, {
        body: {
          model,
          prompt: "six",
          image: `${server.address}/examples/bluebird.png`,
          response_format: "url",
        },
      });
    const done = await edit("other");
    expect(done.status).toBe(200);
    expect((await at("other", `/status/${done.body.data[0].id}`)).status).toBe(200);
    const unnamed = await edit();
    expect((await at(ENDPOINT, `/status/${unnamed.body.data[0].id}`)).status).toBe(200);
    expect(await edit("gpt-image-1")).toMatchObject({
      status: 400,
      body: { error: { param: "model", message: `model: there is none but ${ENDPOINT}, other.` } },
    });
  });

  it("both stand in the document", async () => {
    const { body: document } = await call(`${server.address}/openapi.json`);
    for (const endpoint of [ENDPOINT, "other"]) {
      expect(Object.keys(document.paths)).toContain(`/v2/${endpoint}/run`);
    }
    expect(await at("third", "/run", { body: body("six") })).toMatchObject({
      status: 404,
      body: { error: "endpoint not found" },
    });
  });
});

describe("a server", () => {
  const started = (settings: Record<string, string>): Promise<unknown> =>
    startTestService({ database: "PGlite", settings });

  it.each([
    [`a=${SHIPPED},a=${SHIPPED}`, /^RETOUCH_MODELS must be id=checkpoint.* not "a=.*tiny"\.$/],
    [`a b=${SHIPPED}`, /^RETOUCH_MODELS must be .* not "a b=/],
    [`${ENDPOINT}=${SHIPPED}`, /^RETOUCH_MODELS: ".*tiny" has the id of the default endpoint/],
    ["a=/no/such/folder", /^RETOUCH_MODELS: a: The checkpoint folder \/no\/such\/folder does not exist\.$/],
    [`a=${root}`, /^RETOUCH_MODELS: a: .*model_index\.json/],
  ])("refuses to start with the models %s", async (models, sentence) => {
    await expect(started({ RETOUCH_MODELS: models })).rejects.toEqual(refusal("CONFIG_INVALID", sentence));
  });

  it("refuses workers of endpoints that there are not", async () => {
    await expect(started({ RETOUCH_WORKER_ENDPOINTS: "other" })).rejects.toEqual(
      refusal("CONFIG_INVALID", `RETOUCH_WORKER_ENDPOINTS must be ${ENDPOINT}, not "other".`),
    );
  });

  it("leaves the jobs of endpoints that its workers do not serve", async () => {
    const server = await startTestService({
      database: "PGlite",
      settings: { RETOUCH_MODELS: `other=${SHIPPED}`, RETOUCH_WORKER_ENDPOINTS: "other" },
    });
    try {
      const input = { prompt: "one", image: `${server.address}/examples/bluebird.png` };
      const queued = await call(`${server.endpoint}/run`, { body: { input } });
      const done = await call(`${server.address}/v2/other/runsync`, { body: { input } });
      expect(done.body.status).toBe("COMPLETED");
      expect((await call(`${server.endpoint}/status/${queued.body.id}`)).body.status).toBe("IN_QUEUE");
      expect((await call(`${server.endpoint}/health`)).body.workers).toMatchObject({ ready: 0 });
      expect((await call(`${server.address}/v2/other/health`)).body.workers).toMatchObject({ ready: 1 });
    } finally {
      await server.close();
    }
  });
});
