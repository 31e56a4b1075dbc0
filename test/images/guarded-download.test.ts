/** What the service downloads: addresses that strangers chose, through the guard. */
import type { RequestListener } from "node:http";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { readHttpUrl } from "../../src/images/http-url.ts";
import type { HttpClient } from "../../src/net/http-client.ts";
import { guardedClient, names, serve, serveTcp, serveTls } from "../net/servers.ts";
import { refusal } from "../support/refusal.ts";
import { blankPng } from "./samples.ts";

const LIMITS = { maxBytes: 2 ** 20, timeoutMs: 5000 };
const NOT_PUBLIC = "is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it";
const picture = blankPng(30, 20);

/** A server that strangers may name as pictures.test, and whose port is the only one inside that they may reach. */
async function allowed(listener: RequestListener): Promise<{ address: string; client: HttpClient }> {
  const port = await serve(listener);
  const loopback = Array.from({ length: 8 }, () => ["127.0.0.1"]);
  const { resolve } = names({ "pictures.test": loopback, "inside.test": loopback });
  return {
    address: `http://pictures.test:${port}`,
    client: guardedClient([`pictures.test:${port}`], resolve),
  };
}

function refusalFrom(address: string, client: HttpClient, limits: object = {}): Promise<unknown> {
  return readHttpUrl(address, { ...LIMITS, ...limits, client }).catch((error) => error);
}

describe("a guarded download", () => {
  it("reads from an allowed host, over redirects inside it", async () => {
    const { address, client } = await allowed((request, response) => {
      if (request.url === "/bird.png") response.end(picture);
      else response.writeHead(302, { location: "/bird.png" }).end();
    });
    const { bytes, name } = await readHttpUrl(`${address}/moved?token=secret`, { ...LIMITS, client });
    expect(Buffer.compare(bytes, picture)).toBe(0);
    expect(name).toBe(`${address}/moved`);
  });

  it.each([
    ["the metadata of a cloud", "http://169.254.169.254/latest/meta-data", "169.254.169.254"],
    ["the same behind NAT64", "http://[64:ff9b::169.254.169.254]/", "64:ff9b::a9fe:a9fe"],
    ["loopback", "http://127.0.0.1:PORT/", "127.0.0.1"],
    ["loopback as a number", "http://2130706433:PORT/", "127.0.0.1"],
    ["loopback in octal", "http://0177.0.0.1:PORT/", "127.0.0.1"],
    ["loopback in hexadecimal", "//0x7f.1:PORT/", "127.0.0.1"],
    ["loopback of IPv6", "https://[::1]:PORT/", "::1"],
    ["mapped loopback", "http://[::ffff:127.0.0.1]:PORT/", "::ffff:7f00:1"],
    ["a private name", "http://inside.test:PORT/", "inside.test"],
    ["another port of the allowed host", "http://pictures.test:1/", "pictures.test"],
  ])("does not follow a redirect to %s", async (_, location, host) => {
    let requests = 0;
    const { address, client } = await allowed((request, response) => {
      requests += 1;
      response.writeHead(302, { location: location.replace("PORT", request.headers.host!.split(":")[1]!) });
      response.end();
    });
    expect(await refusalFrom(`${address}/bird.png`, client)).toEqual(
      refusal(
        "IMAGE_UNREADABLE",
        `${address}/bird.png cannot be downloaded: the address of ${host} ${NOT_PUBLIC}.`,
      ),
    );
    expect(requests).toBe(1);
  });

  it.each([
    ["ftp://pictures.test/bird.png", "it redirects to ftp:, which is not followed"],
    ["file:///etc/passwd", "it redirects to file:, which is not followed"],
    ["data:image/png;base64,AAAA", "it redirects to data:, which is not followed"],
    ["http://[", "the address is malformed"],
  ])("does not follow a redirect to %s", async (location, reason) => {
    const { address, client } = await allowed((_, response) => response.writeHead(301, { location }).end());
    const error = await refusalFrom(`${address}/bird.png`, client);
    expect(error).toEqual(refusal("IMAGE_UNREADABLE", new RegExp(`cannot be downloaded: ${reason}\\.$`)));
  });

  it("does not follow a redirect with a password, nor tells it", async () => {
    const location = "http://me:secret@pictures.test/bird.png";
    const { address, client } = await allowed((_, response) => response.writeHead(301, { location }).end());
    expect(await refusalFrom(`${address}/bird.png`, client)).toEqual(
      refusal(
        "IMAGE_UNREADABLE",
        "http://pictures.test/bird.png cannot be downloaded: addresses with a user name or password are not supported.",
      ),
    );
  });

  it("leaves redirects that go in a circle", async () => {
    let requests = 0;
    const { address, client } = await allowed((request, response) => {
      requests += 1;
      response.writeHead(307, { location: request.url === "/a" ? "/b" : "/a" }).end();
    });
    expect(await refusalFrom(`${address}/a`, client)).toEqual(
      refusal("IMAGE_UNREADABLE", `${address}/a cannot be downloaded: it redirects more than 5 times.`),
    );
    expect(requests).toBe(6);
  });

  it("gives up, within its time, on a host that is silent, drips or redirects slowly", async () => {
    const { address, client } = await allowed((request, response) => {
      if (request.url === "/silent") return;
      if (request.url === "/slow") {
        setTimeout(() => response.writeHead(302, { location: "/slow" }).end(), 60);
        return;
      }
      const timer = setInterval(() => response.write("."), 5);
      response.on("close", () => clearInterval(timer));
    });
    for (const path of ["silent", "drip", "slow"]) {
      const started = performance.now();
      expect(await refusalFrom(`${address}/${path}`, client, { timeoutMs: 150 })).toEqual(
        refusal(
          "IMAGE_UNREADABLE",
          `${address}/${path} cannot be downloaded: it was not complete within 0.15 seconds.`,
        ),
      );
      expect(performance.now() - started).toBeLessThan(30_000);
    }
  });

  it("gives up on a name that is never resolved", async () => {
    const client = guardedClient([], () => new Promise(() => {}));
    expect(await refusalFrom("http://pictures.test/a.png", client, { timeoutMs: 50 })).toEqual(
      refusal(
        "IMAGE_UNREADABLE",
        "http://pictures.test/a.png cannot be downloaded: it was not complete within 0.05 seconds.",
      ),
    );
  });

  it("stops when it is aborted, before the answer and in the middle of it", async () => {
    const { address, client } = await allowed((request, response) => {
      if (request.url === "/half") response.write("half");
    });
    for (const path of ["none", "half"]) {
      const signal = AbortSignal.timeout(50);
      expect(await refusalFrom(`${address}/${path}`, client, { signal })).toEqual(
        refusal("ABORTED", "Reading the image was aborted."),
      );
    }
  });

  it("refuses a host that changes the protocol, or is none of HTTP", async () => {
    const upgrade = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: tea\r\n\r\n";
    for (const [bytes, reason] of [
      [upgrade, "the host ended the connection"],
      ["SSH-2.0-OpenSSH_9.6\r\n", "the host does not answer in HTTP"],
    ] as const) {
      const port = await serveTcp((socket) => {
        socket.on("error", () => {});
        socket.write(bytes);
      });
      const address = `http://127.0.0.1:${port}/`;
      expect(await refusalFrom(address, guardedClient(["127.0.0.1"]))).toEqual(
        refusal("IMAGE_UNREADABLE", `${address} cannot be downloaded: ${reason}.`),
      );
    }
  });

  it("refuses a certificate that nobody vouches for", async () => {
    const port = await serveTls((_, response) => response.end(picture));
    const { resolve } = names({ "pictures.test": [["127.0.0.1"]] });
    const address = `https://pictures.test:${port}/a.png`;
    expect(await refusalFrom(address, guardedClient(["pictures.test"], resolve))).toEqual(
      refusal(
        "IMAGE_UNREADABLE",
        `${address} cannot be downloaded: the certificate of the host is not trusted.`,
      ),
    );
  });

  it.each([
    [
      "a web page",
      "image/png",
      "<!doctype html><title>No bird</title>",
      /is a web page, which is not accepted/,
    ],
    [
      "a drawing that reads other files",
      "image/png",
      '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
      /is an SVG drawing, which is not accepted/,
    ],
    [
      "a drawing with entities",
      "image/svg+xml",
      '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "http://127.0.0.1/">]><svg>&a;</svg>',
      /is an SVG drawing, which is not accepted/,
    ],
    ["words", "image/jpeg", "404 not found, sorry", /is not an image/],
  ])("is judged by its content, whatever its type says: %s", async (_, type, content, sentence) => {
    const { address, client } = await allowed((__, response) => {
      response.writeHead(200, { "content-type": type }).end(content);
    });
    const { bytes, name } = await readHttpUrl(`${address}/bird.png`, { ...LIMITS, client });
    await expect(decodePicture(bytes, { name })).rejects.toEqual(
      expect.objectContaining({ name: "RetouchError", message: expect.stringMatching(sentence) }),
    );
  });
});
