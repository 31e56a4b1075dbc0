import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { type Job } from "../../src/jobs/job.ts";
import { createKey } from "../../src/storage/storage.ts";
import { resultOf } from "./fakes.ts";
import { ENDPOINT, INPUT, KEY, OTHER_KEY, startServer, type TestServer } from "./server.ts";

const RUN: Partial<Job> = { startedAt: new Date(), delayMs: 18, workerId: "oqk7ao1uomckye" };
const RUNNING: Partial<Job> = { ...RUN, status: "running", executionMs: 40 };
const key = createKey("outputs", "png");
const COMPLETED: Partial<Job> = {
  ...RUN,
  status: "completed",
  executionMs: 4521,
  endedAt: new Date(),
  result: resultOf(key),
};

const endSoon = async ({ jobs }: TestServer, changes: Partial<Job>): Promise<void> => {
  await expect.poll(() => jobs.submitted.length > 0 && jobs.waiting() > 0).toBe(true);
  const { jobs: all } = await jobs.list(`id-of-${KEY}`, { offset: 0, limit: 10 });
  jobs.change(all[0]!.id, changes);
};

describe("POST /run", () => {
  it("answers with the id and IN_QUEUE, and nothing else", async () => {
    const { call } = await startServer();
    const response = await call("POST", "/run", { body: { input: INPUT } });
    expect(response.headers["content-type"]).toMatch(/^application\/json/);
    expect(response.json()).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}-u1$/), status: "IN_QUEUE" });
  });

  it("takes a body of another content type, or of none", async () => {
    const { call, inject } = await startServer();
    const body = JSON.stringify({ input: INPUT });
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json; charset=x",
      "nonsense;;",
      "*/*",
    ]) {
      const response = await call("POST", "/run", { body, headers: { "content-type": type } });
      expect(response.statusCode, type).toBe(200);
    }
    const headers = { authorization: KEY };
    const response = await inject({ method: "POST", url: `${ENDPOINT}/run`, headers, payload: body });
    expect(response.statusCode).toBe(200);
  });

  it.each([
    ["QUEUE_FULL", 429, { error: "too many" }, "5"],
    ["IDEMPOTENCY_CONFLICT", 409, { error: "too many" }, undefined],
    [
      "DATABASE_UNAVAILABLE",
      503,
      { error: "The service is unavailable at the moment; try again later." },
      "5",
    ],
    ["OUTPUT_UNWRITABLE", 503, { error: "The service is unavailable at the moment; try again later." }, "5"],
  ] as const)("answers %s with %i, and keeps no picture", async (code, status, body, retryAfter) => {
    const { call, jobs, storage } = await startServer();
    jobs.refuseNext(new RetouchError(code, "too many"));
    const image = Buffer.alloc(60, 1).toString("base64");
    const response = await call("POST", "/run", { body: { input: { ...INPUT, image } } });
    expect([response.statusCode, response.json(), response.headers["retry-after"]]).toEqual([
      status,
      body,
      retryAfter,
    ]);
    expect(storage.objects.size).toBe(0);
  });

  it("refuses what would take too long as an input that is wrong", async () => {
    const { call, jobs } = await startServer();
    jobs.refuseNext(new RetouchError("ESTIMATE_TOO_LONG", "policy.executionTimeout: 90 s, and 5 s."));
    const response = await call("POST", "/run", { body: { input: INPUT } });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      status: "FAILED",
      error: "policy.executionTimeout: 90 s, and 5 s.",
    });
  });
});

describe("POST /runsync", () => {
  it("waits for the end and answers with the whole job", async () => {
    const server = await startServer();
    const held = server.call("POST", "/runsync", { body: { input: INPUT } });
    await endSoon(server, COMPLETED);
    const response = await held;
    expect(response.json()).toMatchObject({
      id: expect.stringMatching(/^sync-[0-9a-f-]{36}-u1$/),
      status: "COMPLETED",
      delayTime: 18,
      executionTime: 4521,
      workerId: "oqk7ao1uomckye",
      output: { image_url: expect.stringMatching(/^http:\/\/localhost:80\/files\//), cost: 0.031457 },
    });
  });

  it.each(["failed", "cancelled", "timedOut"] as const)(
    "answers 200 for a job that is %s",
    async (status) => {
      const server = await startServer();
      const held = server.call("POST", "/runsync", { body: { input: INPUT } });
      await endSoon(server, { ...RUN, status, executionMs: 3, error: "It did not work." });
      expect((await held).statusCode).toBe(200);
    },
  );

  it("answers with the present state when the time is up, in range and by default", async () => {
    const { call, jobs } = await startServer({ syncWaitMs: 30 });
    const waits: number[] = [];
    const { waitForEnd } = jobs;
    jobs.waitForEnd = (id, keyId, options) => {
      waits.push(options.waitMs);
      return waitForEnd(id, keyId, { ...options, waitMs: 5 });
    };
    for (const query of [
      "",
      "?wait=10",
      "?wait=999999",
      "?wait=abc",
      "?wait=",
      "?wait=2000&wait=3000",
      "?wait=-1",
    ]) {
      const response = await call("POST", `/runsync${query}`, { body: { input: INPUT } });
      expect(response.json()).toEqual({ id: expect.any(String), status: "IN_QUEUE" });
    }
    expect(waits).toEqual([30, 1000, 300_000, 30, 30, 2000, 1000]);
  });
});

describe("/status", () => {
  const error = "The picture cannot be downloaded.";
  it.each<[string, Partial<Job>, object]>([
    ["IN_QUEUE", { delayMs: 3, workerId: "x" }, {}],
    ["IN_PROGRESS", RUNNING, { delayTime: 18, executionTime: 40, workerId: "oqk7ao1uomckye" }],
    [
      "IN_PROGRESS",
      { ...RUNNING, progress: { step: 4, of: 28 } },
      { delayTime: 18, executionTime: 40, workerId: "oqk7ao1uomckye", output: { progress: "4/28" } },
    ],
    [
      "FAILED",
      { ...RUN, status: "failed", executionMs: 7, error, progress: { step: 1, of: 2 } },
      { delayTime: 18, executionTime: 7, workerId: "oqk7ao1uomckye", error },
    ],
    ["TIMED_OUT", { status: "timedOut", error }, { error }],
    ["CANCELLED", { status: "cancelled", retries: 2 }, { retries: 2 }],
  ])("shows a job that is %s, by either method", async (status, changes, fields) => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    jobs.change(id, changes);
    for (const method of ["GET", "POST"] as const) {
      const response = await call(method, `/status/${id}`);
      expect(response.json()).toEqual({ id, status, ...fields });
    }
  });

  it("shows a result with all that was in effect", async () => {
    const { call, jobs, submit } = await startServer({ publicUrl: "https://edit.example/base" });
    const id = await submit();
    jobs.change(id, {
      ...COMPLETED,
      result: resultOf(key, {
        isNegativeUsed: true,
        acceleration: { computedSteps: 12, reusedSteps: 16, estimatedPsnr: 41.2 },
        safetyScore: 0.01,
        changedShare: 0.123456,
        unchangedMask: "data:image/png;base64,AA",
        notices: ["The prompt was cut."],
      }),
    });
    const { output } = (await call("GET", `/status/${id}`)).json<{ output: Record<string, unknown> }>();
    const address = output["image_url"] as string;
    expect(address.startsWith(`https://edit.example/base/files/${key.slice("outputs/".length)}?`)).toBe(true);
    expect(output).toEqual({
      image_url: address,
      result: address,
      cost: 0.031457,
      seed: 7,
      size: "1024*1024",
      working_size: "128*128",
      reference_size: "144*96",
      num_inference_steps: 28,
      guidance: 2,
      acceleration: { computed_steps: 12, reused_steps: 16, estimated_psnr: 41.2 },
      negative_prompt_used: true,
      true_cfg_scale: 2,
      output_format: "png",
      model: "tiny",
      precision: "float32",
      safety_score: 0.01,
      changed_share: 0.1235,
      unchanged_mask: "data:image/png;base64,AA",
      notices: ["The prompt was cut."],
    });
  });

  it("shows the caller's bucket or the picture itself where the result went there", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    for (const [image, url] of [
      [{ kind: "address", url: "https://s3.example/a?b" }, "https://s3.example/a?b"],
      [{ kind: "inline", dataUrl: "data:image/png;base64,AAAA" }, "data:image/png;base64,AAAA"],
    ] as const) {
      jobs.change(id, { ...COMPLETED, result: resultOf(key, { image }) });
      expect((await call("GET", `/status/${id}`)).json()).toMatchObject({
        output: { image_url: url, result: url },
      });
    }
  });

  it("shortens the life of a result by ttl, and ignores one that is no number", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    const asked: number[] = [];
    jobs.shortenRetention = async (_id, _keyId, ttlMs) => {
      asked.push(ttlMs);
      return undefined;
    };
    for (const query of ["?ttl=abc", "?ttl=-5", "?_t=123"]) {
      expect((await call("GET", `/status/${id}${query}`)).statusCode).toBe(200);
    }
    expect((await call("GET", `/status/${id}?ttl=2000`)).statusCode).toBe(404);
    expect(asked).toEqual([2000]);
  });
});

describe("/status-sync", () => {
  it("is held until the job ends, by either method", async () => {
    for (const method of ["GET", "POST"] as const) {
      const server = await startServer();
      const id = await server.submit();
      const held = server.call(method, `/status-sync/${id}`);
      await endSoon(server, COMPLETED);
      expect((await held).json()).toMatchObject({ id, status: "COMPLETED", executionTime: 4521 });
    }
  });

  it("answers with the present state when the time is up", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    jobs.change(id, RUNNING);
    const before = performance.now();
    expect((await call("GET", `/status-sync/${id}?wait=1000`)).json()).toMatchObject({
      status: "IN_PROGRESS",
    });
    expect(performance.now() - before).toBeGreaterThan(990);
  });
});

describe("/stream", () => {
  it("hands each piece out once, and ends with a state and an empty list", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    jobs.change(id, RUNNING);
    jobs.addChunk(id, { kind: "progress", progress: { step: 1, of: 2 } });
    jobs.addChunk(id, {
      kind: "progress",
      progress: { step: 2, of: 2, preview: "data:image/png;base64,AA" },
    });
    expect((await call("GET", `/stream/${id}`)).json()).toEqual({
      id,
      status: "IN_PROGRESS",
      delayTime: 18,
      stream: [
        { output: { progress: "1/2" } },
        { output: { progress: "2/2", preview: "data:image/png;base64,AA" } },
      ],
    });
    jobs.change(id, COMPLETED);
    jobs.addChunk(id, { kind: "result", result: resultOf(key) });
    const last = (await call("POST", `/stream/${id}`)).json<{
      stream: { output: { image_url: string } }[];
    }>();
    expect(last).toMatchObject({ status: "COMPLETED", stream: [{ output: { cost: 0.031457 } }] });
    const status = (await call("GET", `/status/${id}`)).json<{ output: object }>();
    expect(last.stream[0]!.output).toEqual(status.output);
    expect((await call("GET", `/stream/${id}`)).json()).toMatchObject({ status: "COMPLETED", stream: [] });
  });

  it("is held while there is nothing, for 5 s unless the call says otherwise", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    const waits: number[] = [];
    jobs.takeChunks = async (_id, _keyId, { waitMs }) => {
      waits.push(waitMs);
      return undefined;
    };
    await call("GET", `/stream/${id}`);
    await call("GET", `/stream/${id}?wait=1`);
    expect(waits).toEqual([5000, 1000]);
  });

  it("has no HEAD, which would take pieces out and show none", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    jobs.addChunk(id, { kind: "progress", progress: { step: 1, of: 2 } });
    const response = await call("HEAD", `/stream/${id}`);
    expect([response.statusCode, response.headers["allow"]]).toEqual([405, "GET, POST"]);
    expect(jobs.chunksLeft(id)).toBe(1);
  });
});

describe("/cancel, /retry and /purge-queue", () => {
  it.each([
    ["{} as JSON", "{}", "application/json"],
    ["nothing as JSON", "", "application/json"],
    ["nothing without a type", "", ""],
  ])("take %s", async (_, body, type) => {
    const { call, jobs, submit } = await startServer();
    const headers = { "content-type": type };
    const [first, second] = [await submit(), await submit()];
    expect((await call("POST", `/cancel/${first}`, { body, headers })).json()).toEqual({
      id: first,
      status: "CANCELLED",
    });
    jobs.change(first, { status: "failed", error: "x" });
    expect((await call("POST", `/retry/${first}`, { body, headers })).json()).toEqual({
      id: first,
      status: "IN_QUEUE",
    });
    expect((await call("GET", `/status/${first}`)).json()).toEqual({
      id: first,
      status: "IN_QUEUE",
      retries: 1,
    });
    expect((await call("POST", "/purge-queue", { body, headers })).json()).toEqual({
      removed: 2,
      status: "completed",
    });
    expect((await call("GET", `/status/${second}`)).json()).toMatchObject({ status: "CANCELLED" });
  });

  it("leave a job that has ended as it is", async () => {
    const { call, jobs, submit } = await startServer();
    const id = await submit();
    jobs.change(id, COMPLETED);
    expect((await call("POST", `/cancel/${id}`)).json()).toMatchObject({ status: "COMPLETED", output: {} });
    const response = await call("POST", `/retry/${id}`);
    expect([response.statusCode, response.json()]).toEqual([
      409,
      { error: "Only failed and timed-out jobs can be retried." },
    ]);
  });
});

describe("the endpoint's lists and figures", () => {
  it("/requests pages through the jobs, newest first", async () => {
    const { call, jobs, submit } = await startServer({ requestsRate: 100 });
    const ids = [await submit(), await submit(), await submit()];
    jobs.change(ids[2]!, COMPLETED);
    const page = (await call("GET", "/requests?limit=2")).json();
    expect(page).toMatchObject({ total: 3, offset: 0, limit: 2, hasMore: true });
    expect(page).toMatchObject({
      requests: [
        { id: ids[2], status: "COMPLETED", output: {}, completedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
        { id: ids[1], status: "IN_QUEUE" },
      ],
    });
    expect((await call("GET", "/requests?limit=2&offset=2")).json()).toMatchObject({
      requests: [{ id: ids[0] }],
      hasMore: false,
    });
    expect((await call("GET", "/requests?limit=999&offset=-3")).json()).toMatchObject({
      limit: 100,
      offset: 0,
    });
  });

  it("/usage sums the days up", async () => {
    const { call, jobs } = await startServer();
    jobs.usageOf = [
      { date: "2026-01-01", completed: 1, failed: 2, cost: 0.1 },
      { date: "2026-01-02", completed: 3, failed: 0, cost: 0.2 },
    ];
    expect((await call("GET", "/usage?from=2026-01-01&to=2026-01-31")).json()).toEqual({
      from: "2026-01-01",
      to: "2026-01-31",
      days: jobs.usageOf,
      total: { completed: 4, failed: 2, cost: 0.3 },
      price: { amount: 0.03, per: "megapixel", is_set: false },
    });
    const { from, to } = (await call("GET", "/usage?from=x&to=2026-02-31")).json<Record<string, string>>();
    expect(Date.parse(to!) - Date.parse(from!)).toBe(30 * 86_400_000);
  });

  it("/loras has the names that an edit may use, and not their files", async () => {
    const loras = { ink: "/srv/loras/ink.safetensors", snow: "/srv/loras/snow.safetensors" };
    const { call } = await startServer({ loras });
    expect((await call("GET", "/loras")).json()).toEqual({ loras: ["ink", "snow"] });
    const without = await startServer();
    expect((await without.call("GET", "/loras")).json()).toEqual({ loras: [] });
  });

  it("/webhook-deliveries shows what became of them", async () => {
    const { call, jobs } = await startServer();
    const createdAt = new Date("2026-01-01T00:00:00Z");
    jobs.deliveriesOf = [
      { jobId: "a", url: "https://a.example/", status: "pending", attempts: 0, createdAt },
      {
        jobId: "b",
        url: "https://a.example/",
        status: "failed",
        attempts: 3,
        createdAt,
        lastAttemptAt: createdAt,
        lastStatus: 500,
        lastError: "500",
      },
    ];
    const { deliveries } = (await call("GET", "/webhook-deliveries")).json<{ deliveries: unknown[] }>();
    expect(deliveries).toEqual([
      {
        jobId: "a",
        url: "https://a.example/",
        status: "pending",
        attempts: 0,
        createdAt: "2026-01-01T00:00:00.000Z",
      },
      expect.objectContaining({
        lastAttemptAt: "2026-01-01T00:00:00.000Z",
        lastStatus: 500,
        lastError: "500",
      }),
    ]);
  });
});

describe("a job", () => {
  it("does not exist for another key", async () => {
    const { call, submit } = await startServer();
    const id = await submit();
    const headers = { authorization: OTHER_KEY };
    for (const [method, route] of [
      ["GET", "status"],
      ["GET", "status-sync"],
      ["GET", "stream"],
      ["POST", "cancel"],
      ["POST", "retry"],
    ] as const) {
      const response = await call(method, `/${route}/${id}`, { headers });
      expect([response.statusCode, response.json()]).toEqual([404, { error: "job not found" }]);
    }
    expect((await call("POST", "/purge-queue", { headers })).json()).toMatchObject({ removed: 0 });
    expect((await call("GET", "/requests", { headers })).json()).toMatchObject({ requests: [], total: 0 });
    expect((await call("GET", `/status/${id}`)).json()).toEqual({ id, status: "IN_QUEUE" });
  });

  it("of an odd id does not exist either", async () => {
    const { call, inject } = await startServer();
    for (const id of ["x", "a.b", "%00", "%F0%9F%90%A6", "'--", "a".repeat(101), "$ne"]) {
      const response = await call("GET", `/status/${id}`);
      expect([response.statusCode, response.json()], id).toEqual([404, { error: "job not found" }]);
    }
    for (const id of ["%zz", "%", "%C3%28", "a".repeat(300), "a/b", "%2F"]) {
      const url = `${ENDPOINT}/status/${id}`;
      const response = await inject({ url, headers: { authorization: KEY } });
      expect(response.statusCode, id).toBe(404);
      expect(response.json()).toEqual({ error: expect.stringMatching(/not found$/) });
    }
  });
});

describe("Idempotency-Key", () => {
  const send = (server: TestServer, idempotencyKey: string, prompt = "p", route = "/run") =>
    server.call("POST", route, {
      body: { input: { prompt, image: Buffer.alloc(60, 7).toString("base64") } },
      headers: { "idempotency-key": idempotencyKey },
    });

  it("gives the same job for the same body, and keeps one picture", async () => {
    const server = await startServer();
    const [first, second] = [await send(server, "k 1"), await send(server, "k 1")];
    expect(second.json()).toEqual(first.json());
    expect(server.storage.objects.size).toBe(1);
    const { idempotency } = server.jobs.submitted[0]!;
    expect(idempotency).toEqual({
      route: "run",
      key: "k 1",
      bodyHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("refuses another body, and keeps nothing of it", async () => {
    const server = await startServer();
    await send(server, "k");
    expect((await send(server, "k", "another")).statusCode).toBe(409);
    expect(server.storage.objects.size).toBe(1);
  });

  it("counts for each route by itself, and a repeat on /runsync waits for the first", async () => {
    const server = await startServer();
    await send(server, "k");
    const held = [send(server, "k", "p", "/runsync"), send(server, "k", "p", "/runsync")];
    await expect.poll(() => server.jobs.waiting()).toBe(2);
    await endSoon(server, COMPLETED);
    const [first, second] = await Promise.all(held);
    expect(first!.json()).toMatchObject({ status: "COMPLETED" });
    expect(second!.json()).toEqual(first!.json());
  });

  it.each(["", "k".repeat(256), "k\u00e9"])("refuses %j", async (idempotencyKey) => {
    const server = await startServer();
    const response = await send(server, idempotencyKey);
    expect([response.statusCode, response.json()]).toEqual([
      400,
      { error: "Idempotency-Key must be 1 to 255 printable ASCII characters." },
    ]);
  });
});

describe("a picture", () => {
  const picture = Buffer.alloc(90, 3);
  const submitted = async (server: TestServer, image: string, headers = {}) => {
    const response = await server.call("POST", "/run", { body: { input: { prompt: "p", image } }, headers });
    expect(response.statusCode, response.body).toBe(200);
    return server.jobs.submitted.at(-1)!;
  };

  it("that comes inline is kept, as a data URL and bare", async () => {
    const server = await startServer();
    const base64 = picture.toString("base64");
    for (const image of [base64, `data:image/png;base64,${base64}`]) {
      const { edit } = await submitted(server, image);
      const sha256 = createHash("sha256").update(picture).digest("hex");
      expect(edit.images[0]).toEqual({ kind: "stored", key: expect.stringMatching(/^inputs\//), sha256 });
      const stored = server.storage.objects.get((edit.images[0] as { key: string }).key);
      expect(Buffer.from(stored!)).toEqual(picture);
    }
  });

  it("of this server is found by its address, under its public URL and where it was called", async () => {
    const server = await startServer({ publicUrl: "https://edit.example/base" });
    const path = server.signedUrls.sign(key, new Date());
    for (const origin of [
      "https://edit.example/base",
      "HTTPS://EDIT.example:443/base",
      "http://localhost:80",
      "http://here:81",
    ]) {
      const { edit, baseUrl } = await submitted(server, origin + path, {
        host: origin.slice(7) === "here:81" ? "here:81" : "localhost:80",
      });
      expect(edit.images[0]).toEqual({ kind: "stored", key });
      expect(baseUrl).toBe("https://edit.example/base");
    }
    const elsewhere = `https://other.example${path}`;
    expect((await submitted(server, elsewhere)).edit.images[0]).toEqual({ kind: "url", url: elsewhere });
    expect(server.storage.objects.size).toBe(0);
  });

  it("of this server is refused where the address was made up, or has ended", async () => {
    const server = await startServer();
    const refuse = async (path: string): Promise<string> => {
      const input = { prompt: "p", image: `http://localhost:80${path}` };
      const response = await server.call("POST", "/run", { body: { input } });
      expect(response.statusCode).toBe(400);
      return response.json<{ error: string }>().error;
    };
    const path = server.signedUrls.sign(key, new Date());
    const madeUp = "image: the address is not one that this server gave out.";
    const changed = path.replace(/signature=(.)/, (_, first) => `signature=${first === "-" ? "_" : "-"}`);
    expect(await refuse(changed)).toBe(madeUp);
    expect(await refuse("/files/%2e%2e%2fkeys?expires=1&signature=a")).toBe(madeUp);
    expect(await refuse(server.signedUrls.sign(key, new Date(0)))).toBe("image: the address has expired.");
  });

  it("that ships as an example is read from the disk", async () => {
    const server = await startServer();
    const { edit } = await submitted(server, "http://localhost:80/examples/bluebird.png");
    expect(edit.images[0]!.kind).toBe("stored");
    const unknown = await submitted(server, "http://here.example/examples/../package.json", {
      host: "here.example",
    });
    expect(unknown.edit.images[0]!.kind).toBe("url");
  });

  it("of this server is found wherever it listens, and nothing else is asked of such an address", async () => {
    const server = await startServer();
    for (const host of ["127.0.0.1:8000", "[::1]:8000", "10.0.0.1", "box.localhost"]) {
      const example = await submitted(server, `http://${host}/examples/bluebird.png`, { host });
      expect(example.edit.images[0]!.kind).toBe("stored");
      const path = server.signedUrls.sign(key, new Date());
      expect((await submitted(server, `http://${host}${path}`, { host })).edit.images[0]).toEqual({
        kind: "stored",
        key,
      });
      const input = { prompt: "p", image: `http://${host}/metrics` };
      const response = await server.call("POST", "/run", { body: { input }, headers: { host } });
      expect(response.statusCode).toBe(400);
      expect(response.json().error).toMatch(/^image: the address of \S+ is not public/);
    }
  });

  it("is kept where nobody knows whether its job was written", async () => {
    const server = await startServer();
    server.jobs.refuseNext(new RetouchError("COMMIT_UNDECIDED", "The connection to db.internal is lost."));
    const body = { input: { prompt: "p", image: picture.toString("base64") } };
    const response = await server.call("POST", "/run", { body });
    expect([response.statusCode, response.headers["retry-after"], response.json()]).toEqual([
      503,
      "5",
      { error: "The service is unavailable at the moment; try again later." },
    ]);
    expect(server.storage.objects.size).toBe(1);
  });

  it("is not kept where the storage refuses it", async () => {
    const server = await startServer();
    server.storage.put = async () => {
      throw new RetouchError("OUTPUT_UNWRITABLE", "The disk at /secret/path is full.");
    };
    const body = { input: { prompt: "p", image: picture.toString("base64") } };
    const response = await server.call("POST", "/run", { body });
    expect(response.statusCode).toBe(503);
    expect(response.body).not.toContain("/secret/path");
    expect(server.jobs.submitted).toEqual([]);
  });
});
