import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
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

  it.each([204, 400, 404, 500])("refuses status %i", async (status) => {
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

  it("counts what a compressed answer unpacks to", async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000));
    const address = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
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
