/** Clients' keys that an operator makes and revokes over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documentOf, undocumented } from "../support/document.ts";
import {
  type Answer,
  call,
  type CallInit,
  KEY,
  startTestService,
  type TestService,
} from "../support/service.ts";

let server: TestService;
let operator: { key: string; id: string };
beforeAll(async () => {
  server = await startTestService({ database: "PGlite", settings: { RETOUCH_WORKERS: "0" } });
  const { key, record } = await server.service.keys.create("night shift", { isOperator: true });
  operator = { key, id: record.id };
});
afterAll(() => server.close());

/** As an operator, with everything as documented. */
async function operate(to: string, init: CallInit = {}): Promise<Answer> {
  const answer = await call(`${server.address}/operator${to}`, { key: operator.key, ...init });
  const { status, headers, body } = answer;
  const problems = undocumented(documentOf(server.service.app), {
    method: init.method ?? (init.body === undefined ? "GET" : "POST"),
    url: `/operator${to}`,
    status,
    contentType: headers.get("content-type") ?? "",
    body: JSON.stringify(body),
  });
  expect(problems).toEqual([]);
  return answer;
}

const health = async (key: string): Promise<number> => (await server.call("/health", { key })).status;

describe("an operator", () => {
  it("makes a client's key, which is shown once, and revokes it at once", async () => {
    const made = await operate("/keys", { body: { name: "shop", safetyThreshold: 0.4 } });
    const { id, key, webhookSecret } = made.body;
    expect([made.status, made.headers.get("cache-control"), made.body]).toEqual([
      201,
      "no-store",
      {
        id,
        name: "shop",
        prefix: key.slice(0, made.body.prefix.length),
        safetyThreshold: 0.4,
        key,
        webhookSecret,
      },
    ]);
    expect(webhookSecret).toMatch(/^whsec_/);
    expect(await health(key)).toBe(200);
    // A client's key, and no operator's.
    expect((await call(`${server.address}/operator/keys`, { key })).status).toBe(403);
    const { body: list } = await operate("/keys");
    expect(JSON.stringify(list)).not.toContain(key);
    expect(list.keys.find((one: { id: string }) => one.id === id)).toMatchObject({ safetyThreshold: 0.4 });

    expect((await operate(`/keys/${id}/revoke`, { method: "POST" })).body).toEqual({ id, revoked: true });
    expect(await health(key)).toBe(401);
    expect(await operate(`/keys/${id}/revoke`, { method: "POST" })).toMatchObject({
      status: 404,
      body: { error: "There is no such key, or it is revoked already." },
    });
  });

  it("cannot revoke its own key, nor one that is not there", async () => {
    expect(await operate(`/keys/${operator.id}/revoke`, { method: "POST" })).toMatchObject({
      status: 409,
      body: { error: "A key cannot revoke itself." },
    });
    for (const id of ["key_0000000000000000", "x", "key_' or 1=1", "%00"]) {
      expect((await operate(`/keys/${encodeURIComponent(id)}/revoke`, { method: "POST" })).status).toBe(404);
    }
    expect(await health(operator.key)).toBe(200);
  });

  it.each<[string, unknown]>([
    ["name", {}],
    ["name", { name: "" }],
    ["name", { name: "a".repeat(101) }],
    ["name", { name: "two\nlines" }],
    ["name", { name: 7 }],
    ["safetyThreshold", { name: "shop", safetyThreshold: 1.5 }],
    ["safetyThreshold", { name: "shop", safetyThreshold: "high" }],
    ["isOperator", { name: "shop", isOperator: true }],
  ])("is told of %s what is wrong with it: %j", async (field, body) => {
    const before = (await operate("/keys")).body.keys.length;
    const { status, body: answer } = await operate("/keys", { body });
    expect([status, answer.error]).toEqual([400, expect.stringContaining(field)]);
    expect((await operate("/keys")).body.keys).toHaveLength(before);
  });

  it("is the only one who may", async () => {
    for (const route of ["/keys", `/keys/${operator.id}/revoke`]) {
      const address = `${server.address}/operator${route}`;
      expect((await call(address, { method: "POST", body: { name: "x" }, key: KEY })).status).toBe(403);
      expect((await call(address, { method: "POST", body: { name: "x" }, key: null })).status).toBe(401);
    }
  });
});
