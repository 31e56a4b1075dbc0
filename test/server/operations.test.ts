import { describe, expect, it } from "vitest";
import type { NotReady } from "../../src/server/routes/operations.ts";
import { startServer } from "./server.ts";

describe("/healthz and /readyz", () => {
  it("say that the process answers, and when edits can be done", async () => {
    let reason: NotReady | undefined = "worker";
    const { inject } = await startServer({}, { notReady: async () => reason });
    expect((await inject({ url: "/healthz" })).json()).toEqual({ status: "ok" });
    const waiting = await inject({ url: "/readyz" });
    expect([waiting.statusCode, waiting.headers["retry-after"], waiting.json()]).toEqual([
      503,
      "1",
      { error: "No worker is ready yet." },
    ]);
    reason = "engine";
    expect((await inject({ url: "/readyz" })).json()).toEqual({
      error: "The engine cannot be loaded; the log says why.",
    });
    reason = "storage";
    expect((await inject({ url: "/readyz" })).json()).toEqual({
      error: "The storage of images does not work; the log says why.",
    });
    reason = "database";
    expect((await inject({ url: "/readyz" })).json()).toEqual({ error: "The database does not answer." });
    reason = "stopping";
    expect((await inject({ url: "/readyz" })).json()).toEqual({ error: "This server is stopping." });
    reason = undefined;
    const ready = await inject({ url: "/readyz" });
    expect([ready.statusCode, ready.json()]).toEqual([200, { status: "ready" }]);
  });
});

describe("a server that will close soon", () => {
  it("answers every call, and ends its connection with the answer", async () => {
    let isStopping = false;
    const { call, inject, submit } = await startServer({}, { isStopping: () => isStopping });
    const id = await submit();
    const connections = async (): Promise<unknown[]> => {
      const answers = [
        await inject({ url: "/readyz" }),
        await inject({ url: "/nothing" }),
        await call("GET", `/status/${id}`),
        await call("GET", `/stream/${id}?wait=1`),
        await call("POST", "/run", { body: "{" }),
        await call("GET", "/health", { headers: { authorization: "Bearer wrong" } }),
      ];
      return answers.map(({ statusCode, headers }) => [statusCode, headers.connection === "close"]);
    };
    const statuses = [200, 404, 200, 200, 400, 401];
    expect(await connections()).toEqual(statuses.map((status) => [status, false]));
    isStopping = true;
    expect(await connections()).toEqual(statuses.map((status) => [status, true]));
  });
});

describe("/health", () => {
  it("has the eleven counters", async () => {
    const { call } = await startServer();
    expect((await call("GET", "/health")).json()).toEqual({
      jobs: { completed: 5, failed: 1, inProgress: 1, inQueue: 2, retried: 0 },
      workers: { idle: 1, initializing: 0, ready: 2, running: 1, throttled: 0, unhealthy: 0 },
    });
  });
});

describe("/metrics", () => {
  it("counts calls by route and status, and shows queue, workers and event loop", async () => {
    const { inject, call } = await startServer();
    await call("GET", "/status/job-alpha");
    await call("GET", "/status/job-beta");
    await call("GET", "/health", { headers: { authorization: "wrong" } });
    await inject({ url: "/nowhere" });
    const { headers, body } = await inject({ url: "/metrics" });
    expect(headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    const count = (labels: string): string => `retouch_http_seconds_count{method="GET",${labels}}`;
    expect(body).toContain(`${count('route="/v2/:endpoint/status/:id",status="404"')} 2\n`);
    expect(body).toContain(`${count('route="/v2/:endpoint/health",status="401"')} 1\n`);
    expect(body).toContain(`${count('route="unknown",status="404"')} 1\n`);
    const at = 'endpoint="black-forest-labs-flux-1-kontext-dev"';
    expect(body).toContain(`retouch_jobs{${at},state="inQueue"} 2\n`);
    expect(body).toContain(`retouch_workers{${at},status="running"} 1\n`);
    expect(body).toMatch(/nodejs_eventloop_lag_p99_seconds \d/);
    expect(body).not.toMatch(/alpha|beta|wrong|nowhere/);
  });

  it("still shows the process while the queue cannot be counted", async () => {
    const { inject, jobs, lines } = await startServer();
    const failed = Promise.reject(new Error("away"));
    failed.catch(() => {});
    jobs.setHealth(failed);
    const { statusCode, body } = await inject({ url: "/metrics" });
    expect(statusCode).toBe(200);
    expect(body).toContain("process_cpu_seconds_total");
    expect(body).not.toContain("retouch_jobs{");
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "warn", msg: "The queue cannot be counted." }),
    );
  });
});

describe("the pages", () => {
  it.each([
    ["/", "text/html; charset=utf-8", '<h1 id="edit-title"'],
    ["/docs", "text/html; charset=utf-8", "<h1>The API</h1>"],
    ["/icon.svg", "image/svg+xml", "<svg"],
  ])("%s is sent without a key, and may load nothing from elsewhere", async (url, type, text) => {
    const { inject } = await startServer();
    const { statusCode, headers, body } = await inject({ url });
    expect([statusCode, headers["content-type"]]).toEqual([200, type]);
    expect(body).toContain(text);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
  });

  it("have nothing inline, and files whose names change with them", async () => {
    const { inject } = await startServer();
    const { body } = await inject({ url: "/" });
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/);
    const assets = [...body.matchAll(/(?:src|href)="\.(\/assets\/[^"]+)"/g)].map(([, name]) => name!);
    expect(assets.length).toBeGreaterThan(1);
    for (const url of assets) {
      const { statusCode, headers } = await inject({ url });
      expect([statusCode, headers["cache-control"]]).toEqual([200, "public, max-age=31536000, immutable"]);
    }
  });

  it.each(["/docs/", "/docs//", "/docs/?a=/b/"])(
    "%s leads to the page without the slash, which would lead its files astray, under every path in front",
    async (url) => {
      const { inject } = await startServer();
      const { statusCode, headers } = await inject({ url });
      expect(statusCode).toBe(308);
      const to = String(headers["location"]);
      expect(new URL(to, `http://edit.example${url}`).pathname).toBe("/docs");
      expect(new URL(to, `http://edit.example/retouch${url}`).pathname).toBe("/retouch/docs");
    },
  );

  it.each(["/", "/docs"])(
    "%s names its files and pages beside it, so that a path may be in front",
    async (url) => {
      const { inject } = await startServer();
      const { body } = await inject({ url });
      const names = [...body.matchAll(/\b(?:href|src)="([^"]*)"/g)].map(([, name]) => name!);
      expect(names.filter((name) => name.startsWith("./assets/")).length).toBeGreaterThan(1);
      for (const name of names) {
        expect(new URL(name, "http://edit.example/retouch/").href).toMatch(
          /^http:\/\/edit\.example\/retouch\//,
        );
      }
    },
  );

  it.each(["/assets/none.js", "/assets/..%2f..%2fpackage.json", "/assets/..%2findex.js", "/web/index.html"])(
    "%s is none",
    async (url) => {
      const { inject } = await startServer();
      const { statusCode, body } = await inject({ url });
      expect(statusCode).toBe(404);
      expect(JSON.parse(body)).toEqual({ error: expect.any(String) });
    },
  );
});
