/** The budget of bodies, as clients meet it: counted while they arrive and are worked with, and not a moment longer. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { ENDPOINT, INPUT, KEY, OTHER_KEY, type TestServer } from "./server.ts";
import { dial, listen, type Listening, textUntilEnd } from "./sockets.ts";

const KIB = 1024;
const MIB = 2 ** 20;
const SETTINGS = {
  runMaxBytes: 100 * KIB,
  runsyncMaxBytes: 100 * KIB,
  bodyBudgetPerKeyBytes: 150 * KIB,
  bodyBudgetBytes: 200 * KIB,
};
const PICTURE = `data:image/png;base64,${"A".repeat(60 * KIB)}`;

async function heldBytes({ inject }: TestServer): Promise<number> {
  const { body } = await inject({ method: "GET", url: "/metrics" });
  return Number(/^retouch_http_body_bytes (\d+)$/m.exec(body)![1]);
}

interface Upload {
  key?: string;
  route?: string;
  headers?: string[];
}

function head(length: number | undefined, { key = KEY, route = "/run", headers = [] }: Upload = {}): string {
  const framing = length === undefined ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  const path = route.startsWith("/v1") ? route : ENDPOINT + route;
  return `${[`POST ${path} HTTP/1.1`, "Host: a", `Authorization: ${key}`, framing, ...headers].join("\r\n")}\r\n\r\n`;
}

/** Sends so much of a body of 100 KiB, and waits until it is there. */
async function begin(server: Listening, bytes: number, upload?: Upload): Promise<Socket> {
  const before = await heldBytes(server);
  const socket = await dial(server.port);
  socket.on("error", () => {});
  socket.write(head(100 * KIB, upload));
  socket.write(`{"input":"${"x".repeat(bytes - 10)}`);
  await expect.poll(() => heldBytes(server)).toBe(before + bytes);
  return socket;
}

const untilNothingIsHeld = (server: TestServer): Promise<void> =>
  expect.poll(() => heldBytes(server)).toBe(0);

async function firstLine(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return chunk.toString();
}

describe("bodies in flight", () => {
  it("of one key that are too much are answered with 503, the newest first, and the older ones go on", async () => {
    const server = await listen(SETTINGS);
    const older = await begin(server, 90 * KIB);
    const newer = await begin(server, 50 * KIB);
    const refused = firstLine(newer);
    newer.write("x".repeat(20 * KIB));
    expect(await refused).toMatch(
      /^HTTP\/1\.1 503 [^]*retry-after: 5\r\n[^]*\{"error":"Too many large bodies are arriving at the same time; try again later\."\}$/,
    );
    expect(await heldBytes(server)).toBe(90 * KIB);
    // The connection of the refused one is good for another call, once all of its body is there.
    const next = firstLine(newer);
    newer.write("x".repeat(30 * KIB) + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(await next).toMatch(/^HTTP\/1\.1 200 /);
    const answer = firstLine(older);
    older.write(`${" ".repeat(10 * KIB - 2)}"}`);
    expect(await answer).toMatch(/^HTTP\/1\.1 400 /);
    await untilNothingIsHeld(server);
    expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("of one key leave others their room, even where it takes all that there is", async () => {
    const server = await listen({ ...SETTINGS, bodyBudgetPerKeyBytes: 200 * KIB });
    const stalled = [await begin(server, 95 * KIB), await begin(server, 95 * KIB)];
    const cut = firstLine(stalled[1]!);
    const body = JSON.stringify({ input: { ...INPUT, image: PICTURE } });
    const { answer } = server.send("POST", "/run", { body, headers: { authorization: OTHER_KEY } });
    expect(await answer).toMatchObject({ status: 200 });
    expect(await cut).toMatch(/^HTTP\/1\.1 503 /);
    expect(await heldBytes(server)).toBe(95 * KIB);
  });

  it("are refused to OpenAI's clients in their form", async () => {
    const server = await listen(SETTINGS);
    await begin(server, 100 * KIB - 10);
    const socket = await begin(server, 40 * KIB, { route: "/v1/images/edits" });
    const refused = firstLine(socket);
    socket.write("x".repeat(20 * KIB));
    expect(await refused).toMatch(
      /^HTTP\/1\.1 503 [^]*x-should-retry: true[^]*"error":\{"message":"Too many large/,
    );
  });

  it("count for nothing by what they announce", async () => {
    const server = await listen(SETTINGS);
    const sockets = await Promise.all(Array.from({ length: 50 }, () => dial(server.port)));
    for (const socket of sockets) socket.write(`${head(100 * KIB)}{`);
    await expect.poll(() => heldBytes(server)).toBe(50);
    const body = JSON.stringify({ input: INPUT }).padEnd(100 * KIB);
    expect(await server.send("POST", "/run", { body }).answer).toMatchObject({ status: 200 });
  });

  it("are four of the largest for one key by default", async () => {
    const server = await listen();
    const body = JSON.stringify({ input: INPUT }).padEnd(20 * MIB);
    const calls = [1, 2, 3, 4].map(() => server.send("POST", "/runsync?wait=1000", { body }));
    for (const { answer } of calls) expect(await answer).toMatchObject({ status: 200 });
  });
});

/** How a body's way ends, and after what nothing is held of it. */
const ENDS: [string, (server: Listening) => unknown][] = [
  ["it is not JSON", async (server) => (await begin(server, 99 * KIB)).write("x".repeat(KIB))],
  [
    "it is no form",
    async (server) => {
      const headers = ["Content-Type: multipart/form-data; boundary=x"];
      (await begin(server, 99 * KIB, { route: "/v1/images/edits", headers })).write("x".repeat(KIB));
    },
  ],
  ["its client goes away", async (server) => (await begin(server, 50 * KIB)).destroy()],
  ["its client resets the connection", async (server) => (await begin(server, 50 * KIB)).resetAndDestroy()],
  ["its client closes its side", async (server) => (await begin(server, 50 * KIB)).end()],
  ["it comes too slowly", (server) => begin(server, 50 * KIB)],
  [
    "it is too large after all",
    async (server) => {
      const socket = await dial(server.port);
      const chunk = `${(60 * KIB).toString(16)}\r\n${"x".repeat(60 * KIB)}\r\n`;
      socket.write(head(undefined) + chunk);
      await expect.poll(() => heldBytes(server)).toBe(60 * KIB);
      const refused = firstLine(socket);
      socket.write(chunk);
      expect(await refused).toMatch(/^HTTP\/1\.1 413 /);
    },
  ],
  [
    "a chunk of it is broken",
    async (server) => {
      const socket = await dial(server.port);
      socket.write(`${head(undefined)}3\r\nabc\r\n`);
      await expect.poll(() => heldBytes(server)).toBe(3);
      socket.write("no number\r\n");
      expect(await textUntilEnd(socket)).toMatch(/^HTTP\/1\.1 400 /);
    },
  ],
  ["its input is refused", (server) => server.send("POST", "/run", { body: '{"input":{}}' }).answer],
  ["it does not fit the route", (server) => server.send("POST", "/run", { body: "[]" }).answer],
  [
    "its job is queued",
    (server) => server.send("POST", "/run", { body: JSON.stringify({ input: INPUT }) }).answer,
  ],
  [
    "its job cannot be queued",
    (server) => {
      server.jobs.refuseNext(new RetouchError("DATABASE_UNAVAILABLE", "Away."));
      return server.send("POST", "/run", { body: JSON.stringify({ input: INPUT }) }).answer;
    },
  ],
  [
    "a route that needs none has it",
    async (server) =>
      server.send("POST", `/cancel/${await server.submit()}`, { body: '{"why":"not"}' }).answer,
  ],
];

describe("nothing is held of a body once", () => {
  it.each(ENDS)("%s", async (_, act) => {
    const server = await listen(SETTINGS, { bodyPauseMs: 1000, checkMs: 50 });
    await act(server);
    await untilNothingIsHeld(server);
  });

  it.each([
    ["/runsync", JSON.stringify({ input: { ...INPUT, image: PICTURE } })],
    ["/v1/images/edits", JSON.stringify({ prompt: "a hat", image: PICTURE })],
  ])("the picture of a call of %s that is held is stored", async (route, body) => {
    const server = await listen(SETTINGS);
    const { put } = server.storage;
    let store = (): void => {};
    server.storage.put = async (...args) => {
      await new Promise<void>((resolve) => (store = resolve));
      return put(...args);
    };
    const socket = await dial(server.port);
    socket.write(head(body.length, { route }) + body);
    await pause(300);
    expect(await heldBytes(server)).toBe(body.length);
    store();
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    expect(await heldBytes(server)).toBe(0);
  });

  it("the picture is stored, and not before, where its client has gone away", async () => {
    const server = await listen(SETTINGS);
    let store = (): void => {};
    server.storage.put = () => new Promise<void>((resolve) => (store = resolve));
    const body = JSON.stringify({ input: { ...INPUT, image: PICTURE } });
    const { request } = server.send("POST", "/run", { body });
    await expect.poll(() => heldBytes(server)).toBe(body.length);
    await pause(200);
    request.destroy();
    await pause(300);
    expect(await heldBytes(server)).toBe(body.length);
    store();
    await untilNothingIsHeld(server);
  });
});

describe("a body that waits to be asked for", () => {
  const expecting: Upload = { headers: ["Expect: 100-continue"] };

  it("is asked for where it is read", async () => {
    const { port } = await listen();
    const socket = await dial(port);
    const body = JSON.stringify({ input: INPUT });
    socket.write(head(body.length, expecting));
    expect(await firstLine(socket)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    const answer = firstLine(socket);
    socket.write(body);
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    ["a key", { ...expecting, key: "no" }, 401],
    ["a route", { ...expecting, route: "/nowhere" }, 404],
  ])("is not asked for without %s, and its connection ends", async (_, upload, status) => {
    const { port } = await listen();
    const socket = await dial(port);
    socket.write(head(MIB, upload));
    expect(await textUntilEnd(socket)).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close`, "i"),
    );
  });

  it("is not asked for where it is too large, also on a connection that ends with it", async () => {
    const { port } = await listen();
    const socket = await dial(port);
    socket.write(head(11 * MIB, { headers: [...expecting.headers!, "Connection: close"] }));
    expect(await textUntilEnd(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });
});
