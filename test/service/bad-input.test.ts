/** Hostile and broken requests against the whole service: the right code, one sentence, and the next request served. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Answer, realEngine, startTestService, type TestService } from "../support/service.ts";

const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/><image href="http://169.254.169.254/"/></svg>';

/** A PNG of a few bytes that says it has this many pixels. */
function pngOf(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(Buffer.alloc(1000));
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

describe("the service", () => {
  let server: TestService;
  let site: Server;
  let base: string;
  let picture: string;
  beforeAll(async () => {
    const bytes = await sharp({ create: { width: 64, height: 64, channels: 3, background: "green" } })
      .png()
      .toBuffer();
    picture = bytes.toString("base64");
    site = createServer((request, response) => {
      const { pathname } = new URL(request.url!, "http://site");
      if (pathname === "/loop") response.writeHead(302, { location: "/loop" }).end();
      if (pathname === "/away") response.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
      if (pathname === "/page") response.end("<!doctype html><p>Sorry</p>");
      if (pathname === "/drawing") response.writeHead(200, { "content-type": "image/png" }).end(SVG);
      if (pathname === "/bomb") response.end(pngOf(60_000, 60_000));
      if (pathname === "/endless") {
        const part = Buffer.alloc(2 ** 20, 1);
        const timer = setInterval(() => response.write(part), 1);
        response.on("close", () => clearInterval(timer));
      }
      // "/silent" is never answered.
    }).listen(0, "127.0.0.1");
    await once(site, "listening");
    base = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    server = await startTestService({
      database: "PGlite",
      engine: realEngine,
      settings: {
        RETOUCH_IMAGE_TIMEOUT: "1s",
        RETOUCH_ALLOW_PRIVATE_HOSTS: base.replace("http://", ""),
      },
    });
  });
  afterAll(async () => {
    await server.close();
    site.closeAllConnections();
    site.close();
  });

  const runsync = (image: string): Promise<Answer> =>
    server.call("/runsync", {
      body: { input: { prompt: "Make it night", image, size: "256*256", num_inference_steps: 1 } },
    });
  afterEach(async () => {
    expect((await runsync(picture)).body.status).toBe("COMPLETED");
  });

  it.each([
    ["hangs", "/silent", /^image: \S+ cannot be downloaded: it was not complete within 1 seconds/],
    ["redirects in a loop", "/loop", /^image: \S+ cannot be downloaded: it redirects more than 5 times/],
    ["redirects into the network", "/away", /^image: \S+ .*169\.254\.169\.254 is not public/],
    ["streams for ever", "/endless", /^image: \S+ is larger than the limit of 20 MiB/],
    ["is a web page", "/page", /^image is a web page, which is not accepted/],
    ["is an SVG that refers to other files", "/drawing", /^image is an? SVG/],
    ["is a decompression bomb", "/bomb", /^image .*60000 x 60000/],
  ])("fails a job whose picture's address %s", async (_, to, sentence) => {
    const { status, body } = await runsync(base + to);
    expect([status, body.status]).toEqual([200, "FAILED"]);
    expect(body.error).toMatch(sentence);
    expect(body.error).toMatch(/^[^\n]{10,300}\.$/);
    expect(JSON.stringify(body)).not.toMatch(/\bat \w+ \(|node_modules|\/src\/|\/dist\//);
    expect(body).not.toHaveProperty("output.image_url");
  });

  it.each([
    ["http://127.0.0.2/a.png", "127.0.0.2"],
    ["http://[::1]/a.png", "[::1]"],
    ["http://[::ffff:10.0.0.1]/a.png", "[::ffff:a00:1]"],
    ["http://10.1.2.3/a.png", "10.1.2.3"],
    ["http://169.254.169.254/latest/meta-data", "169.254.169.254"],
    ["http://0x7f000002/a.png", "127.0.0.2"],
    ["http://localhost/a.png", "localhost"],
  ])("fetches nothing from %s", async (image, host) => {
    const { status, body } = await runsync(image);
    expect([status, body.status]).toEqual([400, "FAILED"]);
    expect(body.error).toContain(`the address of ${host.replace(/^\[(.*)\]$/, "$1")} is not public`);
  });

  it("refuses 10 MB of what is no base64, and a word that is no picture", async () => {
    for (const image of ["!".repeat(10 * 2 ** 20 - 200), "no picture", "data:image/png;base64,####"]) {
      const { status, body } = await runsync(image);
      expect(status).toBe(400);
      expect(body).toEqual({
        id: expect.stringMatching(/^sync-/),
        status: "FAILED",
        error: expect.stringMatching(/^image[^\n]{5,200}\.$/),
      });
    }
  });

  it("fails a job whose base64 is no picture", async () => {
    const garbage = Buffer.alloc(7 * 2 ** 20, 0x5a).toString("base64");
    const { status, body } = await runsync(garbage);
    expect([status, body.status]).toEqual([200, "FAILED"]);
    expect(body.error).toMatch(/^image/);
  });

  it.each([
    ["nested deeply", "[".repeat(100_000) + "]".repeat(100_000), /nested deeper than/],
    ["with a key twice", '{"input":{"prompt":"a","prompt":"b"}}', /the key "prompt" twice/],
    ["cut short", '{"input":{"prompt":', /not valid JSON/],
    ["not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /not valid UTF-8/],
  ])("refuses a body %s", async (_, body, sentence) => {
    const answer = await server.call("/run", { method: "POST", body });
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(sentence) } });
  });

  it.each(["..%2f..%2fetc", "%00", "'%20or%20'1'='1", "a".repeat(5000), "%F0%9F%90%A6", "%zz"])(
    "knows no job with the id %s",
    async (id) => {
      for (const route of ["status", "stream", "cancel", "retry"]) {
        const method = route === "cancel" || route === "retry" ? "POST" : "GET";
        const { status, body } = await server.call(`/${route}/${id}`, { method });
        expect(status).toBe(404);
        expect(body).toEqual({ error: expect.any(String) });
      }
    },
  );
});
