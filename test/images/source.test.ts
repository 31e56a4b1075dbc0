import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { readImageSource, type ReadImageSourceOptions } from "../../src/images/source.ts";

const content = new TextEncoder().encode("a picture of a bird");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-source-"));
  await writeFile(path.join(folder, "a bird.png"), content);
});
afterAll(() => rm(folder, { recursive: true }));

describe("readImageSource, files", () => {
  it("reads a path, a relative one too, and a file: URL", async () => {
    const file = path.join(folder, "a bird.png");
    for (const source of [file, path.relative(process.cwd(), file), pathToFileURL(file).href]) {
      const { bytes, name, path: found } = await readImageSource(source);
      expect(new Uint8Array(bytes)).toEqual(content);
      expect(path.resolve(name)).toBe(file);
      expect(found).toBe(name);
    }
  });

  it.each([
    ["a missing file", "none.png", "there is no such file"],
    ["a folder", ".", "it is a folder"],
    ["a path under a file", "a bird.png/x.png", "a part of its path is a file, not a folder"],
    ["a name that is too long", "n".repeat(300), "its name is too long"],
  ])("refuses %s", async (_, relative, reason) => {
    const file = path.join(folder, relative);
    await expectRefusal(file, "IMAGE_UNREADABLE", `${file} cannot be read: ${reason}.`);
  });

  it("refuses links that go round in a circle", async () => {
    const link = path.join(folder, "link");
    await symlink("link", link);
    await expectRefusal(link, "IMAGE_UNREADABLE", /its symbolic links go round in a circle/);
  });

  it("refuses an empty path, a bad file address, and schemes that it does not know", async () => {
    await expectRefusal("", "IMAGE_UNREADABLE", "The image's path is empty.");
    await expectRefusal(
      "file://host/a.png",
      "IMAGE_UNREADABLE",
      "file://host/a.png is not a valid file address.",
    );
    await expectRefusal("s3://bucket/a.png", "IMAGE_UNREADABLE", /addresses with s3: are not supported/);
  });

  it.skipIf(process.getuid?.() === 0)("refuses a file without permission", async () => {
    const file = path.join(folder, "secret.png");
    await writeFile(file, content, { mode: 0o000 });
    await expectRefusal(file, "IMAGE_UNREADABLE", `${file} cannot be read: permission is denied.`);
  });

  it("counts bytes: at the limit, one more, and without an end", async () => {
    const file = path.join(folder, "a bird.png");
    expect((await readImageSource(file, { maxBytes: 19 })).bytes.length).toBe(19);
    const refusal = `${file} is larger than the limit of 18 bytes.`;
    await expectRefusal(file, "IMAGE_TOO_LARGE", refusal, { maxBytes: 18 });
    if (existsSync("/dev/zero")) {
      const endless = "/dev/zero is larger than the limit of 1 MiB.";
      await expectRefusal("/dev/zero", "IMAGE_TOO_LARGE", endless, { maxBytes: 2 ** 20 });
    }
  });

  it("stops waiting for a pipe that nobody writes to when it is aborted", async (context) => {
    const pipe = path.join(folder, "pipe");
    try {
      execFileSync("mkfifo", [pipe], { stdio: "ignore" });
    } catch {
      return context.skip("this system has no mkfifo");
    }
    // A writer that stays silent; opening a pipe without any blocks a thread until one comes.
    const { open } = await import("node:fs/promises");
    const silent = await open(pipe, "r+");
    await expectRefusal(pipe, "ABORTED", /aborted/, { signal: AbortSignal.timeout(50) });
    await silent.close();
  });
});

describe("readImageSource, standard input", () => {
  it("reads `-` to its end", async () => {
    const {
      bytes,
      name,
      path: found,
    } = await readImageSource("-", { stdin: Readable.from([content, content]) });
    expect([bytes.length, name, found]).toEqual([38, "standard input", undefined]);
  });

  it("stops at the limit, at a failure and when it is aborted", async () => {
    const stdin = Readable.from([content, content]);
    await expectRefusal("-", "IMAGE_TOO_LARGE", /^standard input is larger/, { stdin, maxBytes: 20 });
    const broken = new Readable({ read: () => broken.destroy(new Error("the pipe is gone")) });
    await expectRefusal("-", "IMAGE_UNREADABLE", "standard input cannot be read: the pipe is gone.", {
      stdin: broken,
    });
    const silent = new Readable({ read: () => {} });
    await expectRefusal("-", "ABORTED", /aborted/, { stdin: silent, signal: AbortSignal.timeout(20) });
    await expectRefusal("-", "ABORTED", /aborted/, { signal: AbortSignal.abort() });
  });
});

describe("readImageSource, data URLs", () => {
  const base64 = Buffer.from(content).toString("base64");
  it.each([
    ["base64", `data:image/png;base64,${base64}`],
    ["base64 without padding", `data:image/png;base64,${base64.replaceAll("=", "")}`],
    ["base64 in lines", `data:image/png;base64,${base64.replaceAll(/(.{8})/g, "$1\n")}`],
    ["percent-encoded base64", `data:;base64,${base64.replaceAll("=", "%3D")}`],
    ["an upper-case scheme and parameters", `DATA:image/png;name=x;BASE64,${base64}`],
    ["percent-encoded bytes", `data:,${encodeURIComponent("a picture of a bird")}`],
    ["plain text", "data:text/plain,a picture of a bird"],
  ])("reads %s", async (_, url) => {
    const { bytes, name } = await readImageSource(url);
    expect(new Uint8Array(bytes)).toEqual(content);
    expect(name).toBe("the data URL");
  });

  it("reads every byte, however it is written", async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const percent = [...all].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    for (const url of [`data:,${percent}`, `data:;base64,${all.toString("base64url")}`]) {
      expect(Buffer.from((await readImageSource(url)).bytes)).toEqual(all);
    }
  });

  it.each([
    ["no comma", "data:image/png;base64", "it has no comma before its data"],
    ["what is no base64", "data:;base64,a*b=", "its data is not base64"],
    ["base64 that is cut short", "data:;base64,YWJjZ", "its data is not base64"],
    ["a bad escape", "data:,100%", "a % is not followed by two hexadecimal digits"],
  ])("refuses %s", (_, url, reason) =>
    expectRefusal(url, "IMAGE_UNREADABLE", `the data URL cannot be read: ${reason}.`),
  );

  it("counts decoded bytes", async () => {
    const url = `data:;base64,${base64}`;
    expect((await readImageSource(url, { maxBytes: 19 })).bytes.length).toBe(19);
    await expectRefusal(url, "IMAGE_TOO_LARGE", "the data URL is larger than the limit of 18 bytes.", {
      maxBytes: 18,
    });
    await expectRefusal(`data:,${"a".repeat(20)}`, "IMAGE_TOO_LARGE", /larger/, { maxBytes: 19 });
  });
});

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
    await expectRefusal(`${address}/a.png`, "IMAGE_UNREADABLE", sentence);
  });

  it("follows five redirects and refuses six", async () => {
    const address = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end(content);
      else response.writeHead(left % 2 ? 302 : 308, { location: `/${left - 1}` }).end("moved");
    });
    expect((await readImageSource(`${address}/5`)).bytes.length).toBe(19);
    const sentence = `${address}/6 cannot be downloaded: it redirects more than 5 times.`;
    await expectRefusal(`${address}/6`, "IMAGE_UNREADABLE", sentence);
  });

  it("does not follow a redirect to a file or to nowhere", async () => {
    const address = await serve((request, response) => {
      const location = request.url === "/file" ? "file:///etc/passwd" : "http://[";
      response.writeHead(302, { location }).end();
    });
    await expectRefusal(
      `${address}/file`,
      "IMAGE_UNREADABLE",
      /: it redirects to file:, which is not followed\.$/,
    );
    await expectRefusal(`${address}/bad`, "IMAGE_UNREADABLE", /: the address is malformed\.$/);
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
      await expectRefusal(url, "IMAGE_TOO_LARGE", `${url} is larger than the limit of 1 MiB.`, {
        maxBytes: 2 ** 20,
      });
    }
    expect(sentBytes).toBeLessThan(2 ** 25);
  });

  it("counts what a compressed answer unpacks to", async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(Buffer.alloc(5_000_000));
    const address = await serve((_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
    });
    await expectRefusal(`${address}/`, "IMAGE_TOO_LARGE", /larger than the limit of 1 MiB/, {
      maxBytes: 2 ** 20,
    });
  });

  it("gives up on a server that is silent, before and within its answer", async () => {
    const address = await serve((request, response) => {
      if (request.url === "/half") response.write(content);
    });
    for (const url of [`${address}/`, `${address}/half`]) {
      const sentence = `${url} cannot be downloaded: it was not complete within 0.2 seconds.`;
      await expectRefusal(url, "IMAGE_UNREADABLE", sentence, { timeoutMs: 200 });
    }
  });

  it("refuses an answer that is cut off", async () => {
    const address = await serve((_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write(content, () => response.destroy());
    });
    await expectRefusal(`${address}/`, "IMAGE_UNREADABLE", /: the host ended the connection\.$/);
  });

  it("says what is wrong with a host or an address", async () => {
    const address = await serve(() => {});
    servers.pop()?.close();
    await expectRefusal(`${address}/`, "IMAGE_UNREADABLE", /: the host refuses the connection\.$/);
    await expectRefusal(
      "http://nowhere.invalid/a.png",
      "IMAGE_UNREADABLE",
      /cannot be downloaded: the(re is no such host| name of the host)/,
    );
    await expectRefusal(
      "http://",
      "IMAGE_UNREADABLE",
      "http:// cannot be downloaded: the address is malformed.",
    );
    await expectRefusal(
      "https://user:secret@host.invalid/a.png",
      "IMAGE_UNREADABLE",
      "https://host.invalid/a.png cannot be downloaded: addresses with a user name or password are not supported.",
    );
  });

  it("stops when it is aborted", async () => {
    const address = await serve(() => {});
    await expectRefusal(address, "ABORTED", /aborted/, { signal: AbortSignal.timeout(50) });
  });
});

async function expectRefusal(
  source: string,
  code: ErrorCode,
  message: string | RegExp,
  options?: ReadImageSourceOptions,
): Promise<void> {
  const error = await readImageSource(source, options).then(
    () => expect.fail("it was read"),
    (thrown) => thrown,
  );
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
  expect(error.code).toBe(code);
}
