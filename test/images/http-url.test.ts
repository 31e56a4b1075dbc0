import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateRawSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { readImageSource } from "../../src/images/source.ts";
import { expectUnread } from "./expect-unread.ts";

const content = new TextEncoder().encode("a picture of a bird");

describe("readImageSource, addresses", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("downloads, and keeps the query out of the name", async () => {
    const address = await serve((request, response) => {
      response.end(request.url === "/bird.png?token=secret" ? content : "");
    });
    const { bytes, name, path: found } = await readImageSource(`${address}/bird.png?token=secret`);
    expect(new Uint8Array(bytes)).toEqual(content);
    expect([name, found]).toEqual([`${address}/bird.png`, undefined]);
  });

  it.each([200, 203])("accepts status %i", async (status) => {
    const address = await serve((_, response) => response.writeHead(status).end(content));
    expect((await readImageSource(`${address}/a.png`)).bytes.length).toBe(19);
  });

  it("accepts status 206 where it is all of the picture, and no part of it", async () => {
    const address = await serve((request, response) => {
      response
        .writeHead(206, { "content-range": `bytes 0-18/${request.url === "/whole" ? 19 : 30}` })
        .end(content);
    });
    expect((await readImageSource(`${address}/whole`)).bytes.length).toBe(19);
    await expectUnread(`${address}/part`, "IMAGE_UNREADABLE", /the server answered with status 206\.$/);
  });

  it.each([201, 202, 204, 300, 304, 400, 404, 500])("refuses status %i", async (status) => {
    const address = await serve((_, response) => response.writeHead(status).end());
    const sentence = `${address}/a.png cannot be downloaded: the server answered with status ${status}.`;
    await expectUnread(`${address}/a.png`, "IMAGE_UNREADABLE", sentence);
  });

  it("follows five redirects and refuses six", async () => {
    const address = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end(content);
      else response.writeHead(left % 2 ? 302 : 308, { location: `/${left - 1}` }).end("moved");
    });
    expect((await readImageSource(`${address}/5`)).bytes.length).toBe(19);
    const sentence = `${address}/6 cannot be downloaded: it redirects more than 5 times.`;
    await expectUnread(`${address}/6`, "IMAGE_UNREADABLE", sentence);
  });

  it.each([300, 301, 302, 303, 307, 308])("follows status %i", async (status) => {
    const address = await serve((request, response) => {
      if (request.url === "/there") response.end(content);
      else response.writeHead(status, { location: "/there" }).end();
    });
    expect((await readImageSource(`${address}/here`)).bytes.length).toBe(19);
  });

  it.each([
    ["raw UTF-8", Buffer.from("/bücher/写真.png?q=ü"), "/b%C3%BCcher/%E5%86%99%E7%9C%9F.png?q=%C3%BC"],
    ["raw Latin-1", Buffer.from("/b\xfccher.png", "latin1"), "/b%FCcher.png"],
    ["escapes", Buffer.from("/b%C3%BCcher.png"), "/b%C3%BCcher.png"],
    ["blanks", Buffer.from("  /a b.png  "), "/a%20b.png"],
    ["a relative address", Buffer.from("../c/d.png"), "/c/d.png"],
    ["a query alone", Buffer.from("?size=large"), "/a/b.png?size=large"],
    ["a fragment", Buffer.from("/e.png#top"), "/e.png"],
  ])("follows a Location of %s", async (_, location, target) => {
    const address = await serve((request, response) => {
      if (request.url === target) response.end(content);
      else if (request.url !== "/a/b.png") response.writeHead(404).end();
      else {
        const head = Buffer.concat([Buffer.from("HTTP/1.1 302 Found\r\nLocation: "), location]);
        response.socket!.end(Buffer.concat([head, Buffer.from("\r\nContent-Length: 0\r\n\r\n")]));
      }
    });
    expect((await readImageSource(`${address}/a/b.png`)).bytes.length).toBe(19);
  });

  it("follows a Location without a scheme, and refuses an empty one and one that leads back", async () => {
    const address = await serve((request, response) => {
      const { host } = request.headers;
      const places: Record<string, string> = { "/host": `//${host}/there`, "/empty": "", "/same": "#here" };
      if (request.url === "/there") response.end(content);
      else response.writeHead(302, { location: places[request.url!]! }).end();
    });
    expect((await readImageSource(`${address}/host`)).bytes.length).toBe(19);
    await expectUnread(`${address}/empty`, "IMAGE_UNREADABLE", /: it redirects to an empty address\.$/);
    await expectUnread(`${address}/same`, "IMAGE_UNREADABLE", /: it redirects more than 5 times\.$/);
  });

  it("does not follow a redirect to a file or to nowhere", async () => {
    const address = await serve((request, response) => {
      const location = request.url === "/file" ? "file:///etc/passwd" : "http://[";
      response.writeHead(302, { location }).end();
    });
    await expectUnread(
      `${address}/file`,
      "IMAGE_UNREADABLE",
      /: it redirects to file:, which is not followed\.$/,
    );
    await expectUnread(`${address}/bad`, "IMAGE_UNREADABLE", /: the address is malformed\.$/);
  });

  it("stops at the limit, announced or not, without reading on", async () => {
    let sentBytes = 0;
    const address = await serve((request, response) => {
      if (request.url === "/announced") response.setHeader("content-length", 10 ** 9);
      const timer = setInterval(() => {
        sentBytes += 65_536;
        response.write(Buffer.alloc(65_536));
      }, 1);
      response.on("close", () => clearInterval(timer));
    });
    for (const url of [`${address}/announced`, `${address}/endless`]) {
      await expectUnread(url, "IMAGE_TOO_LARGE", `${url} is larger than the limit of 1 MiB.`, {
        maxBytes: 2 ** 20,
      });
    }
    expect(sentBytes).toBeLessThan(2 ** 25);
  });

  it.each([
    ["gzip", (bytes: Buffer) => gzipSync(bytes)],
    ["deflate", (bytes: Buffer) => deflateRawSync(bytes)],
    ["br, gzip", (bytes: Buffer) => gzipSync(brotliCompressSync(bytes))],
  ])("counts what a compressed answer unpacks to: %s", async (encoding, pack) => {
    const bomb = pack(Buffer.alloc(5_000_000));
    const address = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": encoding }).end(bomb);
    });
    await expectUnread(`${address}/`, "IMAGE_TOO_LARGE", /larger than the limit of 1 MiB/, {
      maxBytes: 2 ** 20,
    });
  });

  it("gives up on a server that is silent, before and within its answer", async () => {
    const address = await serve((request, response) => {
      if (request.url === "/half") response.write(content);
    });
    for (const url of [`${address}/`, `${address}/half`]) {
      const sentence = `${url} cannot be downloaded: it was not complete within 0.2 seconds.`;
      await expectUnread(url, "IMAGE_UNREADABLE", sentence, { timeoutMs: 200 });
    }
  });

  it("refuses an answer that is cut off", async () => {
    const address = await serve((_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write(content, () => response.destroy());
    });
    await expectUnread(`${address}/`, "IMAGE_UNREADABLE", /: the host ended the connection\.$/);
  });

  it("says what is wrong with a host or an address", async () => {
    const address = await serve(() => {});
    servers.pop()?.close();
    await expectUnread(`${address}/`, "IMAGE_UNREADABLE", /: the host refuses the connection\.$/);
    await expectUnread(
      "http://nowhere.invalid/a.png",
      "IMAGE_UNREADABLE",
      /cannot be downloaded: the(re is no such host| name of the host)/,
    );
    await expectUnread(
      "http://",
      "IMAGE_UNREADABLE",
      "http:// cannot be downloaded: the address is malformed.",
    );
    await expectUnread(
      "https://user:secret@host.invalid/a.png",
      "IMAGE_UNREADABLE",
      "https://host.invalid/a.png cannot be downloaded: addresses with a user name or password are not supported.",
    );
  });

  it("stops when it is aborted", async () => {
    const address = await serve(() => {});
    await expectUnread(address, "ABORTED", /aborted/, { signal: AbortSignal.timeout(50) });
  });
});
