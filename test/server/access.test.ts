import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { createWrongKeys, networkOf } from "../../src/server/wrong-keys.ts";
import { documentOf, ENDPOINT, INPUT, KEY, OTHER_KEY, startServer } from "./server.ts";

describe("the API key", () => {
  it.each([`Bearer ${KEY}`, `bearer ${KEY}`, `BEARER   ${KEY}`, KEY, ` ${KEY} `])(
    "counts as %j",
    async (authorization) => {
      const { call } = await startServer();
      expect((await call("GET", "/health", { headers: { authorization } })).statusCode).toBe(200);
    },
  );

  it.each([
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong",
    "wrong",
    `Basic ${KEY}`,
    `Bearer ${KEY} x`,
    KEY + "x".repeat(400),
  ])("does not count as %j", async (authorization) => {
    const { call, lines } = await startServer();
    const response = await call("GET", "/health", { headers: { authorization } });
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    expect(response.json()).toEqual({ error: "unauthorized" });
    expect(JSON.stringify(lines)).not.toContain(KEY);
  });

  it("comes before the endpoint, the body and the job", async () => {
    const { inject, jobs } = await startServer();
    for (const [method, url] of [
      ["POST", "/v2/other/run"],
      ["POST", `${ENDPOINT}/run`],
      ["GET", `${ENDPOINT}/status/x`],
      ["GET", `${ENDPOINT}/usage`],
      ["GET", `${ENDPOINT}/loras`],
    ] as const) {
      const response = await inject({ method, url, ...(method === "POST" ? { payload: "{" } : {}) });
      expect(response.statusCode, url).toBe(401);
    }
    expect(jobs.submitted).toEqual([]);
  });

  it("cannot be checked while the database is away: 503, and not 401", async () => {
    const { call, keys } = await startServer();
    keys.verify = async () => {
      throw new RetouchError("DATABASE_UNAVAILABLE", "postgres://user:password@host does not answer.");
    };
    const response = await call("GET", "/health");
    expect([response.statusCode, response.headers["retry-after"], response.json()]).toEqual([
      503,
      "5",
      { error: "The service is unavailable at the moment; try again later." },
    ]);
  });
});

describe("wrong keys", () => {
  const limits = { wrongKeyRate: 3, rateWindowMs: 400 };
  const from = (remoteAddress: string) => ({ url: `${ENDPOINT}/health`, remoteAddress });
  const wrong = { authorization: "Bearer wrong" };

  it("are counted for each address, and only they are refused", async () => {
    const { inject } = await startServer(limits);
    const call = (address: string, headers: Record<string, string> = wrong) =>
      inject({ ...from(address), headers });
    for (let index = 0; index < 3; index += 1) expect((await call("192.0.2.1")).statusCode).toBe(401);
    const refused = await call("192.0.2.1");
    expect([refused.statusCode, refused.headers["retry-after"], refused.json()]).toEqual([
      429,
      "1",
      { error: "More than 3 calls with a wrong key in 0.4 s; try again later." },
    ]);
    // Many callers may be behind one address.
    expect((await call("192.0.2.1", { authorization: KEY })).statusCode).toBe(200);
    expect((await call("192.0.2.1", {})).statusCode).toBe(401);
    expect((await call("192.0.2.2")).statusCode).toBe(401);
    await expect.poll(async () => (await call("192.0.2.1")).statusCode, { interval: 50 }).toBe(401);
  });

  it("count the same on all routes, malformed ones too", async () => {
    const { inject } = await startServer(limits);
    for (const [url, authorization] of [
      [`${ENDPOINT}/usage`, "Basic a b"],
      ["/v1/models", "x".repeat(400)],
      [`${ENDPOINT}/status/x`, "wrong"],
    ] as const) {
      expect((await inject({ url, headers: { authorization } })).statusCode).toBe(401);
    }
    const refused = await inject({ url: "/v1/models", headers: wrong });
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({ error: { code: "rate_limit_exceeded" } });
  });

  it.each([
    ["2001:db8:1:2:3::1", "2001:db8:1:2::9"],
    ["2001:db8::1", "2001:db8:0:0:ffff::"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["fe80::1%eth0", "fe80::2%eth1"],
    ["::1", "::2"],
  ])("of %s and %s come from the same network", (one, other) => {
    expect(networkOf(one)).toBe(networkOf(other));
  });

  it.each([
    ["2001:db8:1:2::1", "2001:db8:1:3::1"],
    ["192.0.2.1", "192.0.2.2"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.2"],
  ])("of %s and %s do not", (one, other) => {
    expect(networkOf(one)).not.toBe(networkOf(other));
  });

  it("are counted for so many addresses and no more", () => {
    const wrongKeys = createWrongKeys({ wrongKeyRate: 1, rateWindowMs: 60_000 });
    wrongKeys.count("192.0.2.1");
    expect(() => wrongKeys.count("192.0.2.1")).toThrow("More than 1 calls");
    for (let index = 0; index < 10_000; index += 1) wrongKeys.count(`10.0.${index >> 8}.${index & 255}`);
    expect(() => wrongKeys.count("10.0.0.0")).toThrow("More than 1 calls");
    expect(() => wrongKeys.count("192.0.2.1")).not.toThrow();
  });
});

describe("the rate limits", () => {
  const retryAfter = expect.stringMatching(/^[1-9]\d*$/);

  it.each<[string, "GET" | "POST", number, unknown]>([
    ["/run", "POST", 1000, { input: INPUT }],
    ["/runsync?wait=1000", "POST", 2000, undefined],
    ["/status/x", "GET", 2000, undefined],
    ["/cancel/x", "POST", 100, undefined],
    ["/retry/x", "POST", 100, undefined],
    ["/health", "GET", 1000, undefined],
    ["/usage", "GET", 1000, undefined],
    ["/loras", "GET", 1000, undefined],
    ["/webhook-deliveries", "GET", 1000, undefined],
    ["/purge-queue", "POST", 2, undefined],
    ["/requests", "GET", 10, undefined],
  ])("let %s through so often and no more", async (route, method, rate, body) => {
    const { app, call } = await startServer({}, { runningWorkers: () => 0 });
    const url = `${ENDPOINT}${route}`;
    const headers = { authorization: KEY };
    for (let index = 0; index < rate; index += 1) {
      const { statusCode } = await app.inject({
        method,
        url,
        headers,
        ...(body ? { payload: body as object } : {}),
      });
      if (statusCode === 429) throw new Error(`Refused after ${index} calls.`);
    }
    const response = await call(method, route, { body });
    expect(response.statusCode).toBe(429);
    expect(response.headers["retry-after"]).toEqual(retryAfter);
    expect(response.json()).toEqual({ error: `More than ${rate} calls in 10 s; try again later.` });
    expect((await call(method, route, { body, headers: { authorization: OTHER_KEY } })).statusCode).not.toBe(
      429,
    );
  });

  it("are shared by /status, /status-sync and /stream, and by no other route", async () => {
    const { call, submit } = await startServer({ statusRate: 3 }, { runningWorkers: () => 0 });
    const id = await submit();
    for (const [method, route] of [
      ["GET", "status"],
      ["POST", "status-sync"],
      ["GET", "stream"],
    ] as const) {
      expect((await call(method, `/${route}/${id}-x`)).statusCode).toBe(404);
    }
    expect((await call("POST", `/status/${id}`)).statusCode).toBe(429);
    expect((await call("POST", `/cancel/${id}`)).statusCode).toBe(200);
  });

  it("hold on every route that needs a key", async () => {
    const rates = { runRate: 1, runsyncRate: 1, statusRate: 1, cancelRate: 1, retryRate: 1, readRate: 1 };
    const { app } = await startServer(
      { ...rates, purgeRate: 1, requestsRate: 1 },
      { runningWorkers: () => 0 },
    );
    for (const [path, operations] of Object.entries(documentOf(app).paths)) {
      for (const [method, { security }] of Object.entries(operations)) {
        if (security === undefined) continue;
        const url = path.replace("{id}", "x").replace("{model}", "x");
        const ask = { method: method.toUpperCase() as "GET", url, headers: { authorization: KEY } };
        await app.inject(ask);
        expect([url, (await app.inject(ask)).statusCode]).toEqual([url, 429]);
      }
    }
  });

  it("grow with the workers and end with the window", async () => {
    let workers = 2;
    const { call } = await startServer(
      { cancelRate: 1, ratePerWorker: 2, rateWindowMs: 300 },
      { runningWorkers: () => workers },
    );
    const cancel = async (): Promise<number> => (await call("POST", "/cancel/x")).statusCode;
    expect([await cancel(), await cancel(), await cancel(), await cancel(), await cancel()]).toEqual([
      404, 404, 404, 404, 429,
    ]);
    workers = 0;
    await expect.poll(cancel, { interval: 50 }).toBe(404);
    expect(await cancel()).toBe(429);
  });

  it("let as many through when all calls come at the same moment", async () => {
    const { call } = await startServer({ purgeRate: 4 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => call("POST", "/purge-queue")));
    expect(answers.map(({ statusCode }) => statusCode).toSorted()).toEqual([200, 200, 200, 200, 429, 429]);
  });

  it("of /purge-queue and /requests do not grow", async () => {
    const { call } = await startServer({}, { runningWorkers: () => 9 });
    const statusOf = async (method: "GET" | "POST", route: string): Promise<number> =>
      (await call(method, route)).statusCode;
    for (let index = 0; index < 10; index += 1) {
      expect(await statusOf("POST", "/purge-queue")).toBe(index < 2 ? 200 : 429);
      expect(await statusOf("GET", "/requests")).toBe(200);
    }
    expect(await statusOf("GET", "/requests")).toBe(429);
  });
});

describe("the limits of calls at the same time", () => {
  it("count the held calls of each key, and forget those that are over", async () => {
    const { call, jobs, submit } = await startServer({ statusConcurrency: 2 });
    const id = await submit();
    const held = [call("GET", `/status-sync/${id}`), call("POST", `/stream/${id}`)];
    await expect.poll(() => jobs.waiting()).toBe(2);
    const refused = await call("GET", `/status/${id}`);
    expect([refused.statusCode, refused.headers["retry-after"], refused.json()]).toEqual([
      429,
      "1",
      { error: "More than 2 calls at the same time; try again later." },
    ]);
    const other = await call("GET", `/status/${id}`, { headers: { authorization: OTHER_KEY } });
    expect(other.statusCode).toBe(404);
    jobs.change(id, { status: "cancelled" });
    await Promise.all(held);
    expect((await call("GET", `/status/${id}`)).statusCode).toBe(200);
  });
});
