import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { buffer, text } from "node:stream/consumers";
import * as zlib from "node:zlib";
import { describe, expect, it } from "vitest";
import { connectionFailure } from "../../src/net/failures.ts";
import { guardedClient, names, serve, serveTcp } from "./servers.ts";

const client = guardedClient(["127.0.0.1"]);
const never = (): AbortSignal => new AbortController().signal;
const reasonOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(() => expect.fail("it was answered"), connectionFailure);

describe("get", () => {
  it("gives status, headers and body, and follows nothing", async () => {
    let seen: IncomingMessage | undefined;
    const port = await serve((request, response) => {
      seen = request;
      response.writeHead(302, { location: "/elsewhere" }).end("moved");
    });
    const { status, headers, body } = await client.get(new URL(`http://127.0.0.1:${port}/a?b=c`), {
      signal: never(),
    });
    expect([status, headers.location, await text(body)]).toEqual([302, "/elsewhere", "moved"]);
    expect([seen?.method, seen?.url]).toEqual(["GET", "/a?b=c"]);
    expect(seen?.headers).toEqual({
      host: `127.0.0.1:${port}`,
      "user-agent": expect.stringMatching(/^Retouch\/\d/),
      accept: "image/*, */*;q=0.1",
      "accept-encoding": "identity",
      connection: "close",
    });
  });

  it.each([
    ["gzip", zlib.gzipSync],
    ["GZIP", zlib.gzipSync],
    ["x-gzip", zlib.gzipSync],
    ["deflate", zlib.deflateSync],
    ["deflate", zlib.deflateRawSync],
    ["br", zlib.brotliCompressSync],
    [" identity, gzip ", zlib.gzipSync],
    ["gzip, gzip", (bytes: string) => zlib.gzipSync(zlib.gzipSync(bytes))],
    ["deflate,br", (bytes: string) => zlib.brotliCompressSync(zlib.deflateRawSync(bytes))],
  ])("unpacks what is compressed unasked: %s", async (encoding, compress) => {
    const port = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": encoding }).end(compress("a picture"));
    });
    const { body } = await client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() });
    expect(await text(body)).toBe("a picture");
  });

  it.each(["identity", "utf-8", "image/png", "constructor", "__proto__", ""])(
    "gives the bytes as they are where the encoding is %j",
    async (encoding) => {
      const port = await serve((_, response) => {
        response.writeHead(200, { "content-encoding": encoding }).end("a picture");
      });
      const { body } = await client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() });
      expect(await text(body)).toBe("a picture");
    },
  );

  it.each([
    ["compress", "the server compresses its answer with compress, which cannot be undone here"],
    ["gzip, aes128gcm", "the server compresses its answer with aes128gcm, which cannot be undone here"],
    ["gzip, br, gzip", "the server compresses its answer more than twice"],
  ])("refuses the encoding %s by name", async (encoding, reason) => {
    const port = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": encoding }).end("a picture");
    });
    expect(await reasonOf(client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() }))).toBe(
      reason,
    );
  });

  it("unpacks zstd where this Node can, and refuses it by name where it cannot", async () => {
    const compress = (zlib as { zstdCompressSync?: (bytes: string) => Buffer }).zstdCompressSync;
    const port = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": "zstd" }).end(compress?.("a picture") ?? "?");
    });
    const answer = client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() });
    if (compress) expect(await text((await answer).body)).toBe("a picture");
    else expect(await reasonOf(answer)).toMatch(/with zstd, which cannot be undone here$/);
  });

  it("unpacks a bare deflate whose first bytes come one by one", async () => {
    const bytes = zlib.deflateRawSync("a picture");
    const port = await serve(async (_, response) => {
      response.writeHead(200, { "content-encoding": "deflate" });
      for (const byte of bytes) await new Promise((sent) => response.write(Buffer.from([byte]), sent));
      response.end();
    });
    const { body } = await client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() });
    expect(await text(body)).toBe("a picture");
  });

  it("fails in the body where its compressed bytes are damaged or cut short", async () => {
    const [whole, raw] = [zlib.gzipSync("a picture of a bird"), zlib.deflateRawSync("a picture of a bird")];
    for (const [encoding, damaged] of [
      ["gzip", whole.subarray(0, -9)],
      ["gzip", Buffer.from("no gzip at all")],
      ["deflate", raw.subarray(0, -4)],
      ["deflate", Buffer.from("no deflate")],
      ["br", Buffer.from("no brotli at all")],
    ] as const) {
      const port = await serve((_, response) => {
        response.writeHead(200, { "content-encoding": encoding }).end(damaged);
      });
      const { body } = await client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() });
      expect(await reasonOf(buffer(body))).toBe("its compressed answer is damaged");
    }
  });

  it("leaves the host when the body is left, compressed too", async () => {
    for (const [encoding, pack] of [
      ["identity", zlib.gzipSync],
      ["gzip", zlib.gzipSync],
      ["deflate", zlib.deflateSync],
    ] as const) {
      let onClose = (): void => {};
      const isClosed = new Promise<void>((resolve) => (onClose = resolve));
      const port = await serve((_, response) => {
        response.writeHead(200, { "content-encoding": encoding });
        const timer = setInterval(() => response.write(pack(randomBytes(2 ** 16))), 1);
        response.on("close", () => {
          clearInterval(timer);
          onClose();
        });
      });
      const { body } = await client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() });
      for await (const chunk of body) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      await isClosed;
    }
  });

  it.each([
    ["what is not HTTP", "220 mail.test ESMTP\r\n", "the host does not answer in HTTP"],
    [
      "headers without an end",
      `HTTP/1.1 200 OK\r\n${"name: value\r\n".repeat(2000)}`,
      "its headers are too long",
    ],
    ["nothing at all", "", "the host ended the connection"],
    [
      "an answer with two lengths",
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
      "the host does not answer in HTTP",
    ],
    [
      "another protocol",
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: tea\r\n\r\n",
      "the host ended the connection",
    ],
  ])("refuses %s", async (_, bytes, reason) => {
    const port = await serveTcp((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(bytes));
    });
    expect(await reasonOf(client.get(new URL(`http://127.0.0.1:${port}/`), { signal: never() }))).toBe(
      reason,
    );
  });

  it("says that a host does not speak TLS", async () => {
    const port = await serve((_, response) => response.end());
    expect(await reasonOf(client.get(new URL(`https://127.0.0.1:${port}/`), { signal: never() }))).toBe(
      "the host does not answer in HTTPS",
    );
  });

  it("ends with its signal, while the name is looked up too", async () => {
    const silent = await serveTcp(() => {});
    const hanging = guardedClient([], () => new Promise(() => {}));
    const cases = [
      [client, `http://127.0.0.1:${silent}/`, AbortSignal.timeout(30)],
      [hanging, "http://pictures.test/", AbortSignal.timeout(30)],
      [client, `http://127.0.0.1:${silent}/`, AbortSignal.abort()],
    ] as const;
    for (const [by, address, signal] of cases) {
      await expect(by.get(new URL(address), { signal })).rejects.toEqual(
        expect.objectContaining({ name: "AbortError" }),
      );
    }
  });
});

describe("post", () => {
  const options = { headers: { "content-type": "application/json" }, timeoutMs: 5000 };
  const body = Buffer.from('{"status":"COMPLETED","prompt":"ein Vögelchen"}');

  it("sends the body with its headers, and gives the status", async () => {
    let seen: { request: IncomingMessage; body: Buffer } | undefined;
    const port = await serve(async (request, response) => {
      seen = { request, body: await buffer(request) };
      response.writeHead(418).end("short and stout");
    });
    expect(await client.post(`http://127.0.0.1:${port}/hook`, body, options)).toEqual({ status: 418 });
    expect(seen!.body).toEqual(body);
    expect(seen!.request.method).toBe("POST");
    expect(seen!.request.headers).toEqual({
      host: `127.0.0.1:${port}`,
      "user-agent": expect.stringMatching(/^Retouch\/\d/),
      "content-type": "application/json",
      "content-length": String(body.byteLength),
      connection: "close",
    });
  });

  it.each([
    ["", "/"],
    ["/", "/"],
    ["#fragment", "/"],
    ["?token=a", "/?token=a"],
    ["/a/../b/%2e/c", "/a/../b/%2e/c"],
    ["/hook?token='a'&b=%41%2F&c=<x>|{y}^`\"#fragment", "/hook?token='a'&b=%41%2F&c=<x>|{y}^`\""],
    ["/hook?b&a&&=&b=1", "/hook?b&a&&=&b=1"],
    ["/hook?url=http://other.test/?x", "/hook?url=http://other.test/?x"],
    ["/Vögel?q=\u{1F426}", "/V%C3%B6gel?q=%F0%9F%90%A6"],
    ["/half?q=\ud83d", "/half?q=%EF%BF%BD"],
    ["/a b?c d", "/a%20b?c%20d"],
    ["\\hook?a\\b", "/hook?a\\b"],
    ["/a\r\nx: y", "/ax:%20y"],
  ])("to an address that ends in %j asks for %s", async (end, target) => {
    let seen: string | undefined;
    const port = await serve((request, response) => {
      seen = request.url;
      response.end();
    });
    expect(await client.post(`http://127.0.0.1:${port}${end}`, body, options)).toEqual({ status: 200 });
    expect(seen).toBe(target);
  });

  it("to an address with blanks around it and an odd beginning keeps path and query", async () => {
    const seen: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      seen.push(request.url);
      response.end();
    });
    for (const beginning of [" http://", "HTTP://", "http:", "http:\\\\"]) {
      await client.post(`${beginning}127.0.0.1:${port}/hook?a=b`, body, options);
    }
    expect(seen).toEqual(Array.from({ length: 4 }, () => "/hook?a=b"));
  });

  it("follows no redirect", async () => {
    const seen: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      seen.push(request.url);
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    expect(await client.post(`http://127.0.0.1:${port}/hook`, body, options)).toEqual({ status: 307 });
    expect(seen).toEqual(["/hook"]);
  });

  it("does not wait for the rest of an answer, nor for a receiver that is silent", async () => {
    const endless = await serve((_, response) => {
      response.writeHead(200).write("and ");
      const timer = setInterval(() => response.write("so on "), 1);
      response.on("close", () => clearInterval(timer));
    });
    expect(await client.post(`http://127.0.0.1:${endless}/`, body, options)).toEqual({ status: 200 });
    const silent = await serveTcp(() => {});
    await expect(
      client.post(`http://127.0.0.1:${silent}/`, body, { ...options, timeoutMs: 30 }),
    ).rejects.toEqual(expect.objectContaining({ name: "AbortError" }));
  });

  it("gives up a receiver that changes the protocol", async () => {
    const port = await serveTcp((socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: tea\r\n\r\n");
    });
    const answer = client.post(`http://127.0.0.1:${port}/`, body, options);
    expect(await reasonOf(answer)).toBe("the host ended the connection");
  });

  it("goes through the guard, and its failure keeps quiet about path and query", async () => {
    let requests = 0;
    const port = await serve((_, response) => {
      requests += 1;
      response.end();
    });
    const { resolve } = names({ "hook.test": [["127.0.0.1"], ["127.0.0.1"]] });
    const guarded = guardedClient(["127.0.0.1:1"], resolve);
    for (const host of ["hook.test", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"]) {
      const error = await guarded.post(`http://${host}:${port}/a?token=secret`, body, options).catch(String);
      expect(error).toMatch(/^Error: the address of \S+ is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does/);
      expect(error).not.toMatch(/secret/);
    }
    expect(requests).toBe(0);
  });
});

describe("connectionFailure", () => {
  it.each([
    [
      { code: "ECONNREFUSED", message: "connect ECONNREFUSED 10.0.0.3:80" },
      "the host refuses the connection",
    ],
    [{ code: "EHOSTDOWN", message: "connect EHOSTDOWN 10.0.0.3:80" }, "the connection failed (EHOSTDOWN)"],
    [{ code: "CERT_HAS_EXPIRED", message: "x" }, "the certificate of the host has expired"],
    [{ code: 7, message: "connect 10.0.0.3" }, "the connection failed"],
    [new Error("connect 10.0.0.3"), "the connection failed"],
    ["10.0.0.3", "the connection failed"],
  ])("says of %o: %s", (error, reason) => {
    expect(connectionFailure(error)).toBe(reason);
  });
});
