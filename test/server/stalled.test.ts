/** Every way to hold a connection without getting anywhere, with times that a test can wait for. */
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ConnectionTimes } from "../../src/server/connection-times.ts";
import { createKey } from "../../src/storage/storage.ts";
import { ENDPOINT, INPUT, KEY, type TestServer } from "./server.ts";
import { dial, listen, type Listening, textUntilEnd } from "./sockets.ts";

const MIB = 2 ** 20;
const TIMES: Partial<ConnectionTimes> = {
  halfCloseMs: 0,
  headersMs: 400,
  idleMs: 400,
  bodyPauseMs: 400,
  answerPauseMs: 400,
  lingerMs: 200,
  checkMs: 50,
};
/** None of the times above, added as they may be, is longer; a busy machine has the rest. */
const PATIENCE_MS = 60_000;

const head = (method: string, path: string, ...headers: string[]): string =>
  `${[`${method} ${path} HTTP/1.1`, "Host: a", `Authorization: ${KEY}`, ...headers].join("\r\n")}\r\n\r\n`;
const RUN = `${ENDPOINT}/run`;
const HEALTH = head("GET", "/healthz");

/** A connection that stays open on this side, whatever the server does with its own. */
async function hold(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function connectionsOf({ inject }: TestServer): Promise<number> {
  const { body } = await inject({ method: "GET", url: "/metrics" });
  return Number(/^retouch_http_connections (\d+)$/m.exec(body)![1]);
}

const untilGone = (server: TestServer): Promise<void> =>
  expect.poll(() => connectionsOf(server), { timeout: PATIENCE_MS }).toBe(0);

/** Writes the same again and again until the connection is closed. */
function repeat(socket: Socket, text: string): void {
  const timer = setInterval(() => void socket.write(text), 50);
  socket.once("close", () => clearInterval(timer));
}

/** A picture that no buffer between the server and a client takes as a whole. @returns its path */
function storeLargePicture({ storage, signedUrls }: TestServer): string {
  const key = createKey("outputs", "png");
  storage.objects.set(key, Buffer.alloc(24 * MIB));
  return signedUrls.sign(key, new Date());
}

/** What a peer does, and what it gets to see before the connection is gone. */
const WAYS: [string, (socket: Socket, server: Listening) => unknown, RegExp?][] = [
  ["sends nothing at all", () => {}, /^$/],
  ["sends half a line of headers", (socket) => socket.write("GET / HT"), /^HTTP\/1\.1 408 /],
  [
    "sends its headers byte by byte",
    (socket) => {
      socket.write("GET / HTTP/1.1\r\nX: ");
      repeat(socket, "x");
    },
    /^HTTP\/1\.1 408 /,
  ],
  [
    "sends no body after the headers",
    (socket) => socket.write(head("POST", RUN, "Content-Length: 9")),
    /^HTTP\/1\.1 408 [^]*"The body did not arrive in time\."/,
  ],
  [
    "stops in the middle of a body",
    (socket) => socket.write(`${head("POST", RUN, "Content-Length: 900000")}{"input":${" ".repeat(1000)}`),
    /^HTTP\/1\.1 408 /,
  ],
  [
    "stops in a form",
    (socket) =>
      socket.write(
        `${head("POST", "/v1/images/edits", "Content-Length: 900000", "Content-Type: multipart/form-data; boundary=x")}--x\r\n`,
      ),
    /^HTTP\/1\.1 408 [^]*"message":"The body did not arrive in time\."/,
  ],
  [
    "stops in a body of chunks",
    (socket) => socket.write(`${head("POST", RUN, "Transfer-Encoding: chunked")}5\r\n{"inp\r\n`),
    /^HTTP\/1\.1 408 /,
  ],
  [
    "sends a body byte by byte",
    (socket) => {
      socket.write(head("POST", RUN, "Content-Length: 900000"));
      repeat(socket, " ");
    },
    /^HTTP\/1\.1 408 /,
  ],
  [
    "sends a chunk's extension byte by byte",
    (socket) => {
      socket.write(`${head("POST", RUN, "Transfer-Encoding: chunked")}5;x=`);
      repeat(socket, "x");
    },
    /^HTTP\/1\.1 408 /,
  ],
  [
    "wants its connection closed and stops in a body",
    (socket) => socket.write(head("POST", RUN, "Content-Length: 9", "Connection: close")),
    /^HTTP\/1\.1 408 /,
  ],
  [
    "has no key and stops in a body",
    (socket) => socket.write(`POST ${RUN} HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n{`),
    /^HTTP\/1\.1 401 /,
  ],
  [
    "has too large a body and stops in it",
    (socket) => socket.write(`${head("POST", RUN, `Content-Length: ${30 * MIB}`)}{`),
    /^HTTP\/1\.1 413 /,
  ],
  [
    "sends a body byte by byte where there is no route",
    (socket) => {
      socket.write(head("POST", "/nowhere", "Content-Length: 900000"));
      repeat(socket, " ");
    },
    /^HTTP\/1\.1 404 /,
  ],
  [
    "sends a body byte by byte to an address that cannot be decoded",
    (socket) => {
      socket.write(head("POST", "/%zz", "Content-Length: 900000"));
      repeat(socket, " ");
    },
    /^HTTP\/1\.1 404 /,
  ],
  [
    "announces a body with GET",
    (socket) => socket.write(head("GET", "/healthz", "Content-Length: 9")),
    /^HTTP\/1\.1 200 /,
  ],
  ["closes its side before a byte", (socket) => socket.end(), /^$/],
  ["closes its side in the headers", (socket) => socket.end("GET / HT"), /^HTTP\/1\.1 400 /],
  [
    "closes its side in a body",
    (socket) => socket.end(`${head("POST", RUN, "Content-Length: 9")}{`),
    /^HTTP\/1\.1 400 /,
  ],
  [
    "closes its side of a call that is held",
    async (socket, { submit }) => {
      socket.end(head("GET", `${ENDPOINT}/status-sync/${await submit()}?wait=300000`));
    },
  ],
  [
    "resets the connection in a body",
    async (socket) => {
      socket.write(`${head("POST", RUN, "Content-Length: 9")}{`);
      await pause(50);
      socket.resetAndDestroy();
    },
  ],
  ["sends no HTTP and does not close", (socket) => socket.write("hello there\r\n\r\n"), /^HTTP\/1\.1 400 /],
  ["sends no HTTP again and again", (socket) => repeat(socket, "hello there\r\n\r\n"), /^HTTP\/1\.1 400 /],
  [
    "keeps a connection that is to be closed",
    (socket) => socket.write(head("GET", "/healthz", "Connection: close")),
    /^HTTP\/1\.1 200 /,
  ],
  ["has no more calls", (socket) => socket.write(HEALTH), /^HTTP\/1\.1 200 /],
  [
    "has empty lines in place of more calls",
    (socket) => {
      socket.write(HEALTH);
      repeat(socket, "\r\n");
    },
    /^HTTP\/1\.1 200 /,
  ],
  ["begins another call and stops", (socket) => socket.write(`${HEALTH}GET / HT`), /^HTTP\/1\.1 200 /],
  [
    "does not read its answer",
    (socket, server) => {
      socket.pause();
      socket.write(head("GET", storeLargePicture(server)));
    },
  ],
  [
    "does not read its last answer",
    (socket, server) => {
      socket.pause();
      socket.write(head("GET", storeLargePicture(server), "Connection: close"));
    },
  ],
  [
    "reads none of many answers",
    (socket, server) => {
      socket.pause();
      socket.write(head("GET", storeLargePicture(server)).repeat(20));
    },
  ],
  [
    "sends more calls at once than anybody waits for",
    async (socket, { submit }) => {
      socket.write(head("GET", `${ENDPOINT}/status-sync/${await submit()}?wait=300000`) + HEALTH.repeat(200));
    },
  ],
];

describe("a connection is destroyed whose peer", () => {
  it.each(WAYS)("%s", async (_, act, expected) => {
    const server = await listen({}, TIMES);
    const socket = await hold(server.port);
    let seen = "";
    if (expected) socket.on("data", (chunk: Buffer) => (seen += chunk.toString("latin1")));
    await expect.poll(() => connectionsOf(server)).toBe(1);
    await act(socket, server);
    await untilGone(server);
    if (expected) await expect.poll(() => seen).toMatch(expected);
    expect(server.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("reads its answer more slowly than it must", async () => {
    const server = await listen({ leastBytesPerSecond: 8 * MIB }, TIMES);
    const socket = await hold(server.port);
    socket.pause();
    socket.write(head("GET", storeLargePicture(server)));
    const timer = setInterval(() => void socket.read(64 * 1024), 50);
    onTestFinished(() => clearInterval(timer));
    await untilGone(server);
  });

  it("sends more after its answer than anybody needs", async () => {
    const server = await listen({}, { ...TIMES, bodyPauseMs: 60_000 });
    const socket = await hold(server.port);
    socket.write(`POST ${RUN} HTTP/1.1\r\nHost: a\r\nContent-Length: ${2 ** 40}\r\n\r\n`);
    const part = Buffer.alloc(MIB);
    const fill = (): void => {
      while (!socket.destroyed && socket.write(part)) continue;
    };
    socket.on("drain", fill).on("data", () => {});
    fill();
    await untilGone(server);
  });
});

describe("a connection is kept whose peer", () => {
  it("waits for a call that is held, and has its answer", async () => {
    const server = await listen({}, TIMES);
    const id = await server.submit();
    const { answer } = server.send("GET", `/status-sync/${id}?wait=60000`);
    await pause(3000);
    server.jobs.change(id, { status: "cancelled", endedAt: new Date() });
    expect(await answer).toMatchObject({ status: 200, json: { status: "CANCELLED" } });
  });

  it("sends a body slowly, but quickly enough, however long that takes", async () => {
    const server = await listen({}, TIMES);
    const body = JSON.stringify({ input: INPUT }).padEnd(40_000);
    const socket = await dial(server.port);
    socket.write(head("POST", RUN, "Connection: close", `Content-Length: ${body.length}`));
    for (let at = 0; at < body.length; at += 1000) {
      socket.write(body.slice(at, at + 1000));
      await pause(40);
    }
    expect(await textUntilEnd(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("reads an answer slowly, but quickly enough, however long that takes", async () => {
    const server = await listen({}, { ...TIMES, answerPauseMs: 3000 });
    const socket = await hold(server.port);
    socket.pause();
    socket.write(head("GET", storeLargePicture(server)));
    let bytes = 0;
    const end = performance.now() + 7000;
    while (performance.now() < end) {
      bytes += (socket.read() as Buffer | null)?.byteLength ?? 0;
      await pause(20);
    }
    expect(bytes).toBeLessThan(24 * MIB);
    socket.on("data", (chunk: Buffer) => (bytes += chunk.byteLength)).resume();
    await expect.poll(() => bytes, { timeout: PATIENCE_MS }).toBeGreaterThan(24 * MIB);
  });

  it("has its calls quickly one after the other", async () => {
    const server = await listen({}, TIMES);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ports = new Set<number>();
    for (let calls = 0; calls < 20; calls += 1) {
      const { request, answer } = server.send("GET", "/health", { agent });
      expect((await answer).status).toBe(200);
      ports.add(request.socket!.localPort!);
      await pause(100);
    }
    expect(ports.size).toBe(1);
  });

  it("writes all of a body that was refused, however long that takes", async () => {
    const server = await listen({ runMaxBytes: 1000 }, TIMES);
    const socket = await dial(server.port);
    let seen = "";
    socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    socket.write(head("POST", RUN, "Content-Length: 60000"));
    for (let at = 0; at < 60; at += 1) {
      socket.write(" ".repeat(1000));
      await pause(40);
    }
    expect(seen).toMatch(/^HTTP\/1\.1 413 /);
    // The connection is good for another call.
    socket.write(HEALTH);
    await expect.poll(() => seen).toMatch(/HTTP\/1\.1 200 /);
  });
});

describe("connections at the same time", () => {
  it("are limited: the one that was longest without a call goes, and none that has one", async () => {
    const server = await listen({ maxConnections: 3 });
    const id = await server.submit();
    const { answer } = server.send("GET", `/status-sync/${id}?wait=60000`);
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    const [first, second] = [await dial(server.port), await dial(server.port)];
    const third = await dial(server.port);
    await once(first, "close");
    expect([second.destroyed, third.destroyed]).toEqual([false, false]);
    expect(await connectionsOf(server)).toBe(3);
    server.jobs.change(id, { status: "cancelled", endedAt: new Date() });
    expect(await answer).toMatchObject({ status: 200 });
  });

  it("are refused where all have calls", async () => {
    const server = await listen({ maxConnections: 2 });
    const id = await server.submit();
    const held = [1, 2].map(() => server.send("GET", `/status-sync/${id}?wait=60000`));
    await expect.poll(() => server.jobs.waiting()).toBe(2);
    const socket = await dial(server.port);
    expect(await textUntilEnd(socket).catch(() => "")).toBe("");
    server.jobs.change(id, { status: "cancelled", endedAt: new Date() });
    for (const { answer } of held) expect((await answer).status).toBe(200);
  });
});

const TCP_TABLE = "/proc/net/tcp";

it("has TCP ask after a peer that is silent", async ({ skip }) => {
  if (!existsSync(TCP_TABLE)) skip("no table of TCP connections here");
  const server = await listen();
  const socket = await dial(server.port);
  socket.write(HEALTH);
  await once(socket, "data");
  const ends = [server.port, socket.localPort!].map((port) =>
    port.toString(16).toUpperCase().padStart(4, "0"),
  );
  const row = readFileSync(TCP_TABLE, "utf8")
    .split("\n")
    .find((line) => new RegExp(`:${ends[0]} \\w+:${ends[1]} `).test(line));
  // 02 is the timer of these questions.
  expect(row).toMatch(/ 02:[0-9A-F]{8} /);
});
