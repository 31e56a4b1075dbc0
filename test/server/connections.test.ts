/** What only a real connection shows: clients that go away, send too much, too slowly, or no HTTP at all. */
import { once } from "node:events";
import http from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import type { JobChunk } from "../../src/jobs/job.ts";
import { ENDPOINT, INPUT, KEY } from "./server.ts";
import { dial, listen, textUntilEnd } from "./sockets.ts";

const MIB = 2 ** 20;

/** A valid body of exactly so many bytes. */
function bodyOf(bytes: number): string {
  const empty = JSON.stringify({ input: { ...INPUT, filler: "" } });
  return JSON.stringify({ input: { ...INPUT, filler: "x".repeat(bytes - empty.length) } });
}

/** Whoever ends a connection while a call waits has left; without the time in which that may only be half of it. */
const LEAVING = { halfCloseMs: 0 };

describe("a client that goes away", () => {
  it("ends the hold of /runsync, and not the job", async () => {
    const { jobs, send, call } = await listen({ runsyncConcurrency: 1 }, LEAVING);
    const { request } = send("POST", "/runsync", { body: JSON.stringify({ input: INPUT }) });
    await expect.poll(() => jobs.waiting()).toBe(1);
    request.destroy();
    await expect.poll(() => jobs.waiting()).toBe(0);
    const { requests } = (await call("GET", "/requests")).json<{
      requests: { id: string; status: string }[];
    }>();
    expect(requests).toEqual([{ id: expect.stringMatching(/^sync-/), status: "IN_QUEUE" }]);
    // Its place is free again.
    const next = send("POST", "/runsync", { body: JSON.stringify({ input: INPUT }) });
    await expect.poll(() => jobs.waiting()).toBe(1);
    await call("POST", "/purge-queue");
    expect(await next.answer).toMatchObject({ status: 200, json: { status: "CANCELLED" } });
  });

  it("leaves the pieces of a stream to the next call", async () => {
    const { jobs, send, submit, call } = await listen({}, LEAVING);
    const id = await submit();
    const chunk: JobChunk = { kind: "progress", progress: { step: 1, of: 2 } };
    const { takeChunks } = jobs;
    jobs.takeChunks = async (jobId, keyId, { signal }) => {
      // The worst moment: they are taken, and the connection is gone by then.
      await once(signal!, "abort");
      return takeChunks(jobId, keyId, { waitMs: 0 });
    };
    jobs.addChunk(id, chunk);
    const { request } = send("GET", `/stream/${id}`);
    await once(request, "finish");
    await new Promise((resolve) => setTimeout(resolve, 50));
    request.destroy();
    jobs.takeChunks = takeChunks;
    await expect.poll(() => jobs.chunksLeft(id)).toBe(1);
    expect((await call("GET", `/stream/${id}`)).json()).toMatchObject({
      stream: [{ output: { progress: "1/2" } }],
    });
  });

  it("in the middle of a body causes no job and no failure", async () => {
    const { jobs, port, send, lines } = await listen();
    const socket = await dial(port);
    socket.write(
      `POST ${ENDPOINT}/run HTTP/1.1\r\nHost: a\r\nAuthorization: ${KEY}\r\nContent-Length: 500\r\n\r\n{"in`,
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    expect((await send("GET", "/health").answer).status).toBe(200);
    expect(jobs.submitted).toEqual([]);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("a body", () => {
  it("of 10 MiB is taken by /run; one byte more is not, and /runsync takes that too", async () => {
    const { send, jobs } = await listen();
    expect(await send("POST", "/run", { body: bodyOf(10 * MIB) }).answer).toMatchObject({ status: 200 });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const sent = send("POST", "/run", { body: bodyOf(10 * MIB + 1), agent });
    expect(await sent.answer).toMatchObject({
      status: 413,
      json: { error: "The body is larger than this route allows." },
    });
    expect(jobs.submitted).toHaveLength(1);
    // The connection lives on.
    expect(await send("GET", "/health", { agent }).answer).toMatchObject({ status: 200 });
    const held = send("POST", "/runsync", { body: bodyOf(10 * MIB + 1) });
    await expect.poll(() => jobs.submitted.length).toBe(2);
    held.request.destroy();
    expect(await send("POST", "/runsync", { body: bodyOf(20 * MIB + 1) }).answer).toMatchObject({
      status: 413,
    });
  });

  it("that is too large is answered even if the client writes all of it first, in chunks too", async () => {
    const { port } = await listen({ runMaxBytes: MIB });
    const head = `POST ${ENDPOINT}/run HTTP/1.1\r\nHost: a\r\nAuthorization: ${KEY}\r\nConnection: close\r\n`;
    const part = Buffer.alloc(MIB, 0x20);
    const chunk = Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
    for (const [header, piece, end] of [
      [`Content-Length: ${8 * MIB}\r\n\r\n`, part, ""],
      ["Transfer-Encoding: chunked\r\n\r\n", chunk, "0\r\n\r\n"],
    ] as const) {
      const socket = await dial(port);
      socket.write(head + header);
      for (let index = 0; index < 8; index += 1) socket.write(piece);
      await new Promise<void>((resolve) => socket.write(end, () => resolve()));
      expect(await textUntilEnd(socket)).toMatch(
        /^HTTP\/1\.1 413 [^]*"The body is larger than this route allows\."/,
      );
    }
  });

  it("is not waited for where the key is wrong", async () => {
    const { port } = await listen();
    const socket = await dial(port);
    socket.write(
      `POST ${ENDPOINT}/runsync HTTP/1.1\r\nHost: a\r\nAuthorization: no\r\nContent-Length: 20000000\r\n\r\n{`,
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 401 [^]*\{"error":"unauthorized"\}/);
  });

  it("that comes slowly holds nobody else up", async () => {
    const { port, send } = await listen();
    const socket = await dial(port);
    const body = JSON.stringify({ input: INPUT });
    socket.write(
      `POST ${ENDPOINT}/run HTTP/1.1\r\nHost: a\r\nAuthorization: ${KEY}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 5));
    expect((await send("GET", "/health").answer).status).toBe(200);
    socket.write(body.slice(5));
    expect(await textUntilEnd(socket)).toMatch(/^HTTP\/1\.1 200 [^]*"IN_QUEUE"/);
  });
});

describe("what is no HTTP", () => {
  it.each([
    ["nonsense", "hello there\r\n\r\n", /^HTTP\/1\.1 400 [^]*\{"error":"The request is not valid HTTP\."\}$/],
    [
      "headers without end",
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(40_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431 [^]*\{"error":"The headers are larger than this server allows\."\}$/,
    ],
  ])("gets an answer in JSON: %s", async (_, text, expected) => {
    const { port, send } = await listen();
    const socket = await dial(port);
    socket.write(text);
    expect(await textUntilEnd(socket)).toMatch(expected);
    expect((await send("GET", "/health").answer).status).toBe(200);
  });
});

describe("the origin of a job", () => {
  it.each([
    ["Example.com:81", "http://Example.com:81"],
    ["[::1]:81", "http://[::1]:81"],
    ["a b", undefined],
    ["a/b?c", undefined],
    ["user@a", undefined],
    ["a:99999", undefined],
  ])("by the Host %j is %s, or the address of the connection", async (host, expected) => {
    const { send, jobs, port } = await listen();
    const { status } = await send("POST", "/run", {
      body: JSON.stringify({ input: INPUT }),
      headers: { host },
    }).answer;
    expect(status).toBe(200);
    expect(jobs.submitted[0]!.baseUrl).toBe(expected ?? `http://127.0.0.1:${port}`);
  });
});

describe("a call without a Host", () => {
  it("gets a job with the address of the connection", async () => {
    const { port, jobs } = await listen();
    const socket = await dial(port);
    const body = JSON.stringify({ input: INPUT });
    socket.write(
      `POST ${ENDPOINT}/run HTTP/1.0\r\nAuthorization: ${KEY}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(await textUntilEnd(socket)).toMatch(/^HTTP\/1\.1 200 /);
    expect(jobs.submitted[0]!.baseUrl).toBe(`http://127.0.0.1:${port}`);
  });
});

describe("a stalled upload", () => {
  it("does not keep the server from closing", async () => {
    const { app, port } = await listen();
    const socket = await dial(port);
    socket.write(
      `POST ${ENDPOINT}/run HTTP/1.1\r\nHost: a\r\nAuthorization: ${KEY}\r\nContent-Length: 500\r\n\r\n{"in`,
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const before = performance.now();
    await app.close();
    expect(performance.now() - before).toBeLessThan(30_000);
    await textUntilEnd(socket).catch(() => {});
    expect(socket.destroyed).toBe(true);
  });
});

describe("held calls", () => {
  it("cost nothing: a hundred of them leave the server as quick as before", async () => {
    const { send, submit, jobs, call } = await listen();
    const id = await submit();
    const held = Array.from({ length: 100 }, () => send("GET", `/status-sync/${id}?wait=20000`));
    await expect.poll(() => jobs.waiting()).toBe(100);
    expect((await send("GET", "/health").answer).status).toBe(200);
    await call("POST", `/cancel/${id}`);
    for (const { answer } of held) expect(await answer).toMatchObject({ json: { id, status: "CANCELLED" } });
  });

  it("end with the present state when the server closes, and so do their connections", async () => {
    const { send, app, jobs } = await listen();
    const agent = new http.Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const { answer } = send("POST", "/runsync", { body: JSON.stringify({ input: INPUT }), agent });
    await expect.poll(() => jobs.waiting()).toBe(1);
    const before = performance.now();
    await app.close();
    expect(performance.now() - before).toBeLessThan(30_000);
    expect(await answer).toMatchObject({
      status: 200,
      headers: { connection: "close" },
      json: { id: expect.stringMatching(/^sync-/), status: "IN_QUEUE" },
    });
  });
});
