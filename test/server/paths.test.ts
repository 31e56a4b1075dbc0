import { describe, expect, it } from "vitest";
import { documentOf, ENDPOINT, INPUT, KEY, startServer } from "./server.ts";

const headers = { authorization: KEY };

describe("a path", () => {
  it.each([
    `/v2//${ENDPOINT.slice(4)}//health/`,
    `//v2/${ENDPOINT.slice(4)}/health//`,
    `${ENDPOINT}/health/?_t=1&&x[]=2&%zz`,
  ])("works as %s", async (url) => {
    const { app } = await startServer();
    expect((await app.inject({ url, headers })).statusCode).toBe(200);
  });

  it("works with slashes too many for POST and a job", async () => {
    const { app, submit } = await startServer();
    const id = await submit();
    const url = `/v2//${ENDPOINT.slice(4)}//status///${id}/`;
    expect((await app.inject({ method: "POST", url, headers })).json()).toEqual({ id, status: "IN_QUEUE" });
  });

  it.each([
    ["POST", "/v2/other/run", "endpoint not found"],
    ["GET", "/v2/other/health", "endpoint not found"],
    ["GET", "/v2/other/status/x", "endpoint not found"],
    ["POST", "/v2/other/batch", "endpoint not found"],
    ["POST", `${ENDPOINT}/batch`, "not found"],
    ["GET", `${ENDPOINT}`, "not found"],
    ["GET", `${ENDPOINT}/status`, "not found"],
    ["GET", `${ENDPOINT}/openai/v1/models`, "not found"],
    ["GET", "/v2", "not found"],
    ["GET", "/favicon.ico", "not found"],
    ["GET", "/%zz", "not found"],
  ] as const)("%s %s is %s", async (method, url, error) => {
    const { inject, jobs } = await startServer();
    const response = await inject({
      method,
      url,
      headers,
      ...(method === "POST" ? { payload: { input: INPUT } } : {}),
    });
    expect([response.statusCode, response.json()]).toEqual([404, { error }]);
    expect(response.headers["content-type"]).toMatch(/^application\/json/);
    expect(jobs.submitted).toEqual([]);
  });

  it.each([
    ["GET", `${ENDPOINT}/run`, "POST"],
    ["PUT", `${ENDPOINT}/runsync`, "POST"],
    ["DELETE", `${ENDPOINT}/status/x`, "GET, HEAD, POST"],
    ["HEAD", `${ENDPOINT}/status-sync/x`, "GET, POST"],
    ["GET", `${ENDPOINT}//cancel/x/`, "POST"],
    ["POST", `${ENDPOINT}/health`, "GET, HEAD"],
    ["OPTIONS", `${ENDPOINT}/health`, "GET, HEAD"],
    ["POST", "/files/a.png", "GET, HEAD"],
    ["PATCH", "/healthz", "GET, HEAD"],
  ] as const)("%s %s is 405", async (method, url, allow) => {
    const { app } = await startServer();
    const response = await app.inject({ method, url, headers });
    expect([response.statusCode, response.headers["allow"]]).toEqual([405, allow]);
    if (method !== "HEAD") expect(response.json()).toEqual({ error: `Only ${allow} can be used here.` });
  });

  it("that does not exist is not found, and a wrong method is one, whatever the body", async () => {
    const { app } = await startServer();
    const payload = "no json".repeat(400_000);
    const statusOf = async (method: "POST" | "PUT" | "QUERY", url: string): Promise<number> =>
      (await app.inject({ method: method as "POST", url, headers, payload })).statusCode;
    expect(await statusOf("POST", `${ENDPOINT}/batch`)).toBe(404);
    expect(await statusOf("PUT", `${ENDPOINT}/run`)).toBe(405);
    expect(await statusOf("QUERY", `${ENDPOINT}/run`)).toBe(405);
    expect(await statusOf("QUERY", "/v2")).toBe(404);
  });

  it("answers HEAD as GET, without the body", async () => {
    const { call } = await startServer();
    const [get, head] = [await call("GET", "/health"), await call("HEAD", "/health")];
    expect([head.statusCode, head.body, head.headers["content-length"]]).toEqual([
      200,
      "",
      get.headers["content-length"],
    ]);
  });
});

describe("CORS", () => {
  it("is off unless configured", async () => {
    const { call } = await startServer();
    expect((await call("GET", "/health")).headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("answers preflights and marks every answer where it is", async () => {
    const { app, call } = await startServer({ corsOrigin: "https://app.example" });
    const preflight = await app.inject({ method: "OPTIONS", url: `${ENDPOINT}/run` });
    expect([preflight.statusCode, preflight.body]).toEqual([204, ""]);
    expect(preflight.headers).toMatchObject({
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-headers": "authorization, content-type, idempotency-key, prefer, x-key",
    });
    for (const authorization of [KEY, "wrong"]) {
      const response = await call("GET", "/health", { headers: { authorization } });
      expect(response.headers["access-control-allow-origin"]).toBe("https://app.example");
    }
  });
});

describe("a defect", () => {
  it("is logged, and shown as an internal error without its text", async () => {
    const { call, jobs, lines } = await startServer();
    jobs.find = async () => {
      throw new TypeError("cannot read /home/someone/secret");
    };
    const response = await call("GET", "/status/x");
    expect([response.statusCode, response.json()]).toEqual([500, { error: "internal error" }]);
    const line = lines.find(({ level }) => level === "error");
    expect(line).toMatchObject({
      method: "GET",
      route: "/v2/black-forest-labs-flux-1-kontext-dev/status/:id",
      reqId: expect.any(String),
    });
    expect(JSON.stringify(line)).toContain("cannot read /home/someone/secret");
  });
});

describe("the log", () => {
  it("has one line for each call, with the job and without secrets", async () => {
    const { call, lines, submit } = await startServer();
    const id = await submit({ prompt: "a-private-prompt", image: "https://a.example/?token=hidden-token" });
    await call("GET", `/status/${id}?secret=hidden-query`);
    expect(lines).toEqual([
      expect.objectContaining({
        level: "debug",
        method: "POST",
        route: "/v2/black-forest-labs-flux-1-kontext-dev/run",
        status: 200,
      }),
      expect.objectContaining({
        method: "GET",
        route: "/v2/black-forest-labs-flux-1-kontext-dev/status/:id",
        jobId: id,
        status: 200,
      }),
    ]);
    expect(JSON.stringify(lines)).not.toMatch(
      /a-private-prompt|hidden-token|hidden-query|authorization|Bearer/,
    );
  });
});

describe("a refused input", () => {
  it.each(["/run", "/runsync"])("is answered once by %s, and is nothing to log", async (route) => {
    const { call, lines } = await startServer();
    const response = await call("POST", route, { body: { input: { prompt: "" } } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(response.statusCode).toBe(400);
    expect(lines).toEqual([expect.objectContaining({ level: "debug", status: 400 })]);
  });
});

describe("/openapi.json", () => {
  it("is OpenAPI 3.1 with every route, what it needs and what it may answer", async () => {
    const { app, inject } = await startServer();
    const document = (await inject({ url: "/openapi.json" })).json<{ openapi: string; paths: object }>();
    expect(document.openapi).toBe("3.1.0");
    const operations = Object.entries(documentOf(app).paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path.replace(ENDPOINT, "")}`),
    );
    expect(operations.filter((operation) => !operation.startsWith("head")).toSorted()).toEqual(
      [
        "post /bfl/v1/{model}",
        "get /bfl/v1/get_result",
        "post /replicate/v1/models/{owner}/{name}/predictions",
        "post /replicate/v1/predictions",
        "get /replicate/v1/predictions/{id}",
        "post /replicate/v1/predictions/{id}/cancel",
        "get /operator/disk",
        "get /operator/jobs/{id}",
        "get /operator/keys",
        "get /operator/queue",
        "get /operator/review-log",
        "get /operator/reviews",
        "get /operator/reviews/{id}/pictures/{place}",
        "get /operator/workers",
        "post /operator/keys",
        "post /operator/keys/{id}/revoke",
        "post /operator/reviews/{id}/approve",
        "post /operator/reviews/{id}/reject",
        "post /run",
        "post /runsync",
        "get /status/{id}",
        "post /status/{id}",
        "get /status-sync/{id}",
        "post /status-sync/{id}",
        "get /stream/{id}",
        "post /stream/{id}",
        "post /cancel/{id}",
        "post /retry/{id}",
        "post /purge-queue",
        "get /health",
        "get /requests",
        "get /usage",
        "get /loras",
        "get /estimate",
        "get /queue/{id}",
        "post /picture",
        "get /receipt/{id}",
        "get /webhook-deliveries",
        "get /.well-known/retouch-receipts.json",
        "get /files/{name}",
        "get /examples/{name}",
        "get /healthz",
        "get /readyz",
        "get /metrics",
        "post /v1/images/edits",
        "get /v1/models",
        "get /v1/models/{model}",
      ].toSorted(),
    );
    const run = document.paths[`${ENDPOINT}/run` as keyof typeof document.paths]["post"] as {
      security: object[];
      requestBody: {
        content: Record<
          string,
          { schema: { required: string[]; properties: Record<string, { properties: object }> } }
        >;
      };
      responses: object;
    };
    expect(run.security).toEqual([{ key: [] }]);
    expect(Object.keys(run.responses)).toEqual([
      "200",
      "400",
      "401",
      "404",
      "408",
      "409",
      "413",
      "429",
      "500",
      "503",
      "507",
    ]);
    const { schema } = run.requestBody.content["application/json"]!;
    expect(schema.required).toEqual(["input"]);
    expect(schema.properties["input"]!.properties).toMatchObject({
      num_inference_steps: {
        type: ["integer", "string"],
        pattern: "^auto$",
        minimum: 1,
        maximum: 50,
        default: 28,
      },
    });
  });
});
