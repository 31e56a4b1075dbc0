import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { ENDPOINT, INPUT, KEY, startServer } from "./server.ts";

const SENT = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

describe("JSON", () => {
  it("is kept by nobody and taken for nothing else, failures included", async () => {
    const { app, storage, signedUrls } = await startServer({ purgeRate: 1, corsOrigin: "https://a.example" });
    const key = `outputs/${"a".repeat(32)}.png`;
    storage.get = async () => {
      throw new Error("/var/lib/pictures is away");
    };
    const authorization = KEY;
    const calls = [
      [200, { method: "POST", url: `${ENDPOINT}/run`, payload: { input: INPUT } }],
      [200, { url: `${ENDPOINT}/health` }],
      [200, { url: "/v1/models" }],
      [200, { url: "/openapi.json" }],
      [200, { url: "/healthz" }],
      [200, { url: "/readyz" }],
      [200, { url: "/metrics" }],
      [200, { method: "POST", url: `${ENDPOINT}/purge-queue` }],
      [400, { method: "POST", url: `${ENDPOINT}/run`, payload: "{" }],
      [400, { method: "POST", url: `${ENDPOINT}/run`, payload: { input: {} } }],
      [400, { method: "POST", url: "/v1/images/edits", payload: "{" }],
      [401, { url: `${ENDPOINT}/health`, headers: {} }],
      [401, { url: "/v1/models", headers: {} }],
      [404, { url: `${ENDPOINT}/status/none` }],
      [404, { url: "/files/none" }],
      [404, { url: "/assets/none" }],
      [404, { url: "/nowhere" }],
      [404, { url: "/%zz" }],
      [405, { method: "DELETE", url: "/healthz" }],
      [410, { url: signedUrls.sign(key, new Date(0)) }],
      [413, { method: "POST", url: `${ENDPOINT}/cancel/x`, payload: "x".repeat(100_000) }],
      [421, { url: "/healthz", headers: { host: "evil.example" } }],
      [429, { method: "POST", url: `${ENDPOINT}/purge-queue` }],
      [500, { url: signedUrls.sign(key, new Date()) }],
    ] as const;
    for (const [status, options] of calls) {
      const response = await app.inject({ headers: { authorization }, ...options } as object);
      expect(response.statusCode, options.url).toBe(status);
      expect(response.headers, options.url).toMatchObject(SENT);
      expect(response.headers["etag"]).toBeUndefined();
      expect(response.body).not.toContain("/var/lib");
    }
  });

  it("is so where there is no call, because it is no HTTP", async () => {
    const { app } = await startServer();
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as { port: number };
    const socket = connect(port, "127.0.0.1");
    socket.write("nonsense\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
    for (const [name, value] of Object.entries(SENT))
      expect(String(answer)).toContain(`\r\n${name}: ${value}\r\n`);
  });
});

describe("pictures and pages", () => {
  it("have headers of their own", async () => {
    const { inject, storage, signedUrls } = await startServer();
    const key = `outputs/${"a".repeat(32)}.png`;
    storage.objects.set(key, Buffer.from("bytes"));
    const cacheOf = async (url: string): Promise<unknown> => (await inject({ url })).headers["cache-control"];
    expect(await cacheOf(signedUrls.sign(key, new Date()))).toMatch(/^private, max-age=\d+, immutable$/);
    expect(await cacheOf("/")).toBe("no-cache");
    expect(await cacheOf("/examples/bluebird.png")).toBeUndefined();
  });
});
