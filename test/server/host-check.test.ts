import type { InjectOptions } from "fastify";
import os from "node:os";
import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { createHostCheck } from "../../src/server/host-check.ts";
import { resultOf } from "./fakes.ts";
import { ENDPOINT, INPUT, KEY, startServer } from "./server.ts";

const FOREIGN = "evil.example";
const REFUSAL = {
  error: "The Host of the request is not one of this server's names; add it to RETOUCH_ALLOWED_HOSTS.",
};
const BASE = { host: "127.0.0.1", publicUrl: undefined, allowedHosts: undefined };

describe("the Host of a call", () => {
  const isOwn = createHostCheck(BASE, "Box.lan.example");
  it.each([
    undefined,
    "localhost",
    "LOCALHOST:8000",
    "localhost.",
    "retouch.localhost:1",
    "127.0.0.1",
    "127.0.0.1:8000",
    "10.1.2.3:8000",
    "203.0.113.9",
    "[::1]",
    "[::1]:8000",
    "[fe80::1]:8000",
    "[::ffff:127.0.0.1]:80",
    "box",
    "box:8000",
    "BOX.lan.example:8000",
    "box.local",
  ])("is this server's as %j", (host) => {
    expect(isOwn(host)).toBe(true);
  });

  it.each([
    "",
    " ",
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "evillocalhost",
    "127.0.0.1.evil.example",
    "127.0.0.1.",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "256.0.0.1",
    "[::1",
    "::1",
    "[evil.example]",
    "[:::1]",
    "box.evil.example",
    "localhost:port",
    "localhost:8000:1",
    "user@localhost",
    "localhost/",
    "localhost,evil.example",
    "localhost\u0000.evil.example",
    "lokalhost",
    ".localhost.",
    "x".repeat(10_000),
  ])("is not as %j", (host) => {
    // A dot at the end is the same name, of an address as well.
    expect(isOwn(host)).toBe(host === "127.0.0.1." || host === ".localhost.");
  });

  it("is that of the public address, of the name that is listened on, and what the settings name", () => {
    const allowed = createHostCheck(
      {
        host: "edit.lan",
        publicUrl: "https://Edit.example.com/base",
        allowedHosts: ["retouch", "*.pages.example", "only.example:8443"],
      },
      "box",
    );
    const own = ["edit.lan", "edit.example.com", "retouch:8000", "a.pages.example", "a.b.pages.example:1"];
    for (const host of [...own, "only.example:8443"]) expect(allowed(host), host).toBe(true);
    for (const host of [
      "pages.example",
      "evilpages.example",
      "only.example",
      "only.example:8000",
      "example.com",
    ])
      expect(allowed(host), host).toBe(false);
    const any = createHostCheck({ ...BASE, allowedHosts: ["*"] }, "box");
    for (const host of ["evil.example", "a:1", "odd host"]) expect(any(host), host).toBe(true);
  });
});

describe("an answer that needs no key", () => {
  const urls = ["/", "/docs", "/icon.svg", "/openapi.json", "/healthz", "/readyz", "/metrics"];
  const none = [
    "/examples/bluebird.png",
    "/examples/none",
    "/assets/none.js",
    "/files/none",
    "/nowhere",
    "/%zz",
  ];

  it.each([...urls, ...none, `/examples/${"y".repeat(300)}`])(
    "%s is given under a name of this server's alone",
    async (url) => {
      const { inject, app } = await startServer();
      const refused = await app.inject({ url, headers: { host: FOREIGN } });
      expect([refused.statusCode, refused.json()]).toEqual([421, REFUSAL]);
      expect(refused.headers["cache-control"]).toBe("no-store");
      const expected = urls.includes(url) || url.endsWith("bluebird.png") ? 200 : 404;
      for (const host of ["localhost:8000", os.hostname()]) {
        expect((await inject({ url, headers: { host } })).statusCode).toBe(expected);
      }
      const known = await inject({ url, headers: { host: FOREIGN, authorization: KEY } });
      expect(known.statusCode).toBe(expected);
      const wrong = await app.inject({ url, headers: { host: FOREIGN, authorization: "wrong" } });
      expect(wrong.statusCode).toBe(421);
    },
  );

  it("is not given to another method either", async () => {
    const { app } = await startServer();
    for (const method of ["POST", "OPTIONS", "DELETE", "HEAD"] as const) {
      expect((await app.inject({ method, url: "/", headers: { host: FOREIGN } })).statusCode, method).toBe(
        421,
      );
    }
  });

  it("has the shape that OpenAI's clients read, where it is one of theirs", async () => {
    const { app } = await startServer();
    const response = await app.inject({ url: "/v1/nothing", headers: { host: FOREIGN } });
    expect(response.statusCode).toBe(421);
    expect(response.json<{ error: object }>().error).toMatchObject({ message: REFUSAL.error });
  });

  it("is given without a Host, which HTTP/1.0 knows nothing of", async () => {
    const { app } = await startServer();
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as { port: number };
    const socket = connect(port, "127.0.0.1");
    socket.end("GET /healthz HTTP/1.0\r\n\r\n");
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(String(first)).toMatch(/^HTTP\/1\.[01] 200 /);
  });

  it("does not believe what a proxy says that the Host was", async () => {
    const { app } = await startServer();
    const headers = { host: FOREIGN, "x-forwarded-host": "localhost", forwarded: "host=localhost" };
    expect((await app.inject({ url: "/healthz", headers })).statusCode).toBe(421);
  });
});

describe("a call with a key", () => {
  it("is answered under any name, and 401 without one, whatever the name", async () => {
    const { call, app } = await startServer();
    for (const host of [FOREIGN, "retouch:8000", "odd host"]) {
      expect((await call("GET", "/health", { headers: { host } })).statusCode).toBe(200);
      const response = await app.inject({ url: `${ENDPOINT}/health`, headers: { host } });
      expect([response.statusCode, response.json()]).toEqual([401, { error: "unauthorized" }]);
    }
  });

  it("gets an address of its result under the name that it came by, and the picture there without a key", async () => {
    const { app, call, jobs, storage } = await startServer();
    const host = "retouch:8000";
    const { id } = (await call("POST", "/run", { body: { input: INPUT }, headers: { host } })).json<{
      id: string;
    }>();
    const key = `outputs/${"a".repeat(32)}.png`;
    storage.objects.set(key, Buffer.from("bytes"));
    jobs.change(id, { status: "completed", endedAt: new Date(), result: resultOf(key) });
    const { output } = (await call("GET", `/status/${id}`, { headers: { host } })).json<{
      output: { image_url: string };
    }>();
    const { origin, pathname, search } = new URL(output.image_url);
    expect(origin).toBe(`http://${host}`);
    const get = (url: string): Promise<{ statusCode: number }> => app.inject({ url, headers: { host } });
    expect((await get(pathname + search)).statusCode).toBe(200);
    expect((await get(pathname + search.replace("signature=", "signature=x"))).statusCode).toBe(421);
  });

  it("may be asked for by a page of the allowed origin, under any name", async () => {
    const { app } = await startServer({ corsOrigin: "https://app.example.com" });
    const options: InjectOptions = {
      method: "OPTIONS",
      url: `${ENDPOINT}/run`,
      headers: { host: FOREIGN, origin: "https://app.example.com", "access-control-request-method": "POST" },
    };
    expect((await app.inject(options)).statusCode).toBe(204);
  });
});
