import { describe, expect, it } from "vitest";
import { version } from "../../src/version.ts";
import { ENDPOINT, startServer } from "./server.ts";

describe("/healthz and /readyz", () => {
  it("say that the process answers, and when edits can be done", async () => {
    let reason: string | undefined = "The worker is warming up.";
    const { inject } = await startServer({}, { notReady: async () => reason });
    expect((await inject({ url: "/healthz" })).json()).toEqual({ status: "ok" });
    const waiting = await inject({ url: "/readyz" });
    expect([waiting.statusCode, waiting.headers["retry-after"], waiting.json()]).toEqual([
      503,
      "1",
      { error: "The worker is warming up." },
    ]);
    reason = undefined;
    const ready = await inject({ url: "/readyz" });
    expect([ready.statusCode, ready.json()]).toEqual([200, { status: "ready" }]);
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
    expect(body).toContain('retouch_jobs{state="inQueue"} 2\n');
    expect(body).toContain('retouch_workers{status="running"} 1\n');
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

describe("/", () => {
  it("names the endpoint", async () => {
    const { inject } = await startServer();
    expect((await inject({ url: "/" })).json()).toEqual({
      name: "Retouch",
      version,
      endpoint: ENDPOINT,
      openapi: "/openapi.json",
    });
  });
});
