/** Clients that end their side of the connection when they have sent their call, and then read. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { ENDPOINT, INPUT, KEY } from "./server.ts";
import { dial, listen, textUntilEnd } from "./sockets.ts";

const BODY = JSON.stringify({ input: INPUT });

function head(method: string, path: string, headers: Record<string, string> = {}, version = "1.1"): string {
  const all = { Host: "127.0.0.1", Authorization: KEY, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/${version}\r\n${lines.join("")}\r\n`;
}

const post = (path: string, body: string, headers: Record<string, string> = {}, version?: string): string =>
  head("POST", path, { "Content-Length": String(Buffer.byteLength(body)), ...headers }, version) + body;

/** Sends everything at once, and ends this side. */
async function sendAndEnd(port: number, text: string | Buffer): Promise<Socket> {
  const socket = await dial(port);
  socket.end(text);
  return socket;
}

const answerTo = async (port: number, text: string | Buffer): Promise<string> =>
  textUntilEnd(await sendAndEnd(port, text));

describe("a client that ends its side after its call", () => {
  it("is answered on every kind of route, and then the connection ends", async () => {
    const { port, submit, storage, signedUrls } = await listen();
    const id = await submit();
    const key = "outputs/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.png";
    await storage.put(key, new Uint8Array(3_000_000).fill(0x61));
    const form = [
      `--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nMake it night\r\n`,
      `--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n`,
      `no image\r\n--b--\r\n`,
    ].join("");
    const multipart = { "Content-Type": "multipart/form-data; boundary=b" };
    const calls: [string, RegExp][] = [
      [post(`${ENDPOINT}/run`, BODY), /^HTTP\/1\.1 200 [^]*"IN_QUEUE"/],
      [post(`${ENDPOINT}/run`, "{"), /^HTTP\/1\.1 400 /],
      [post(`${ENDPOINT}/run`, BODY, { Authorization: "wrong" }), /^HTTP\/1\.1 401 /],
      [head("GET", `${ENDPOINT}/status/${id}`), /^HTTP\/1\.1 200 [^]*"IN_QUEUE"/],
      [head("GET", `${ENDPOINT}/stream/${id}?wait=20`), /^HTTP\/1\.1 200 [^]*"stream":\[\]/],
      [head("GET", `${ENDPOINT}/status-sync/${id}?wait=20`), /^HTTP\/1\.1 200 [^]*"IN_QUEUE"/],
      [post(`${ENDPOINT}/runsync?wait=20`, BODY), /^HTTP\/1\.1 200 [^]*"IN_QUEUE"/],
      [post(`${ENDPOINT}/cancel/${id}`, ""), /^HTTP\/1\.1 200 [^]*"CANCELLED"/],
      [head("GET", signedUrls.sign(key, new Date())), /^HTTP\/1\.1 200 [^]*\r\n\r\na{3000000}$/],
      [head("GET", "/docs"), /^HTTP\/1\.1 200 [^]*<html/],
      [head("GET", "/examples/bluebird.png"), /^HTTP\/1\.1 200 /],
      [head("GET", "/v1/models"), /^HTTP\/1\.1 200 [^]*"data":/],
      [post("/v1/images/edits?wait=20", form, multipart), /^HTTP\/1\.1 (400|504) [^]*"error":/],
      [head("GET", "/nothing"), /^HTTP\/1\.1 404 /],
      [head("GET", "/healthz", {}, "1.0"), /^HTTP\/1\.1 200 [^]*"ok"/],
      [post(`${ENDPOINT}/run`, BODY, {}, "1.0"), /^HTTP\/1\.1 200 [^]*"IN_QUEUE"/],
    ];
    for (const [call, expected] of calls) {
      const answer = await answerTo(port, call);
      expect(answer, call.slice(0, 200)).toMatch(expected);
    }
  });

  it("is answered when its job ends, where the call waits for that", async () => {
    const { port, jobs, call } = await listen();
    const answers = [`/runsync`, `/runsync?wait=60000`].map((route) =>
      answerTo(port, post(ENDPOINT + route, BODY)),
    );
    await expect.poll(() => jobs.waiting()).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    // They still wait, although both of their sides have ended.
    expect(jobs.waiting()).toBe(2);
    await call("POST", "/purge-queue");
    for (const answer of answers) expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*"CANCELLED"/);
  });

  it("is answered for a piece of a stream that comes while it waits", async () => {
    const { port, jobs, submit } = await listen();
    const id = await submit();
    const answer = answerTo(port, head("GET", `${ENDPOINT}/stream/${id}?wait=60000`));
    await expect.poll(() => jobs.waiting()).toBe(1);
    jobs.addChunk(id, { kind: "progress", progress: { step: 1, of: 2 } });
    expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*"progress":"1\/2"/);
    expect(jobs.chunksLeft(id)).toBe(0);
  });

  it("is answered on all calls that it sent at once, in their order", async () => {
    const { port } = await listen();
    const calls = [
      post(`${ENDPOINT}/run`, BODY),
      head("GET", "/healthz"),
      post(`${ENDPOINT}/runsync?wait=20`, BODY),
      head("GET", "/nothing"),
    ];
    const text = await answerTo(port, calls.join(""));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual([200, 200, 200, 404].map((status) => `HTTP/1.1 ${status}`));
  });

  it("is asked for its body and answered, where it did not wait to be asked", async () => {
    const { port } = await listen();
    const call = post(`${ENDPOINT}/run`, BODY, { Expect: "100-continue" });
    expect(await answerTo(port, call)).toMatch(
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*"IN_QUEUE"/,
    );
  });

  it("in the middle of its body is told so", async () => {
    const { port, jobs } = await listen();
    const call = post(`${ENDPOINT}/run`, BODY).slice(0, -10);
    expect(await answerTo(port, call)).toMatch(/^HTTP\/1\.1 400 /);
    expect(jobs.submitted).toEqual([]);
  });

  it("of megabytes in chunks is answered", async () => {
    const { port, jobs } = await listen();
    const filler = JSON.stringify({ input: { ...INPUT, filler: "x".repeat(5_000_000) } });
    const half = filler.length / 2;
    const chunks = [filler.slice(0, half), filler.slice(half)].map(
      (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
    );
    const call = head("POST", `${ENDPOINT}/run`, { "Transfer-Encoding": "chunked" });
    expect(await answerTo(port, `${call}${chunks.join("")}0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(jobs.submitted).toHaveLength(1);
  });

  it("and then is gone holds its place no longer than TCP takes to say so", async () => {
    const { port, jobs } = await listen({ runsyncConcurrency: 1 });
    const socket = await sendAndEnd(port, post(`${ENDPOINT}/runsync`, BODY));
    await expect.poll(() => jobs.waiting()).toBe(1);
    expect(await answerTo(port, post(`${ENDPOINT}/runsync`, BODY))).toMatch(/^HTTP\/1\.1 429 /);
    socket.resetAndDestroy();
    await expect.poll(() => jobs.waiting()).toBe(0);
    expect(await answerTo(port, post(`${ENDPOINT}/runsync?wait=20`, BODY))).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("holds its place no longer than it said that it would wait", async () => {
    const { port, jobs } = await listen({ runsyncConcurrency: 1 });
    const socket = await sendAndEnd(port, post(`${ENDPOINT}/runsync?wait=200`, BODY));
    // It reads nothing, and might as well be gone.
    await expect.poll(() => jobs.submitted.length).toBe(1);
    await expect.poll(() => jobs.waiting()).toBe(0);
    expect(await answerTo(port, post(`${ENDPOINT}/runsync?wait=20`, BODY))).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it("only while it already waits for the answer has given up", async () => {
    const { port, jobs } = await listen({}, { halfCloseMs: 20 });
    const socket = await dial(port);
    socket.write(post(`${ENDPOINT}/runsync`, BODY));
    await expect.poll(() => jobs.waiting()).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.end();
    await once(socket.resume(), "close");
    await expect.poll(() => jobs.waiting()).toBe(0);
  });
});
