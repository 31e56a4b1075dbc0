import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { createKey } from "../../src/storage/storage.ts";
import { root } from "../support/fixtures.ts";
import { startServer } from "./server.ts";

const BYTES = Buffer.from("the bytes of a picture");

async function serverWithFile(extension: "png" | "jpeg" = "png") {
  const server = await startServer();
  const key = createKey("outputs", extension);
  await server.storage.put(key, BYTES);
  return { ...server, key, url: server.signedUrls.sign(key, new Date()) };
}

describe("/files", () => {
  it.each(["png", "jpeg"] as const)(
    "serves a %s to anybody who has its address, and never as a page",
    async (extension) => {
      const { inject, url, key } = await serverWithFile(extension);
      const response = await inject({ url });
      expect(response.statusCode).toBe(200);
      expect(response.rawPayload).toEqual(BYTES);
      expect(response.headers).toMatchObject({
        "content-type": `image/${extension}`,
        "content-length": String(BYTES.length),
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        etag: `"${key.slice("outputs/".length)}"`,
      });
      const maxAge = /^private, max-age=(\d+), immutable$/.exec(
        String(response.headers["cache-control"]),
      )?.[1];
      expect(Number(maxAge)).toBeGreaterThan(3590);
      expect(Number(maxAge)).toBeLessThanOrEqual(3600);
    },
  );

  it("answers HEAD with the length and no bytes", async () => {
    const { inject, url } = await serverWithFile();
    const { statusCode, headers, rawPayload } = await inject({ method: "HEAD", url });
    expect([statusCode, headers["content-length"], rawPayload.length]).toEqual([
      200,
      String(BYTES.length),
      0,
    ]);
  });

  it("answers 304 to who has a copy", async () => {
    const { inject, url } = await serverWithFile();
    const { etag } = (await inject({ url })).headers;
    for (const known of [String(etag), `"x", W/${etag}`, "*"]) {
      const response = await inject({ url, headers: { "if-none-match": known } });
      expect([response.statusCode, response.body]).toEqual([304, ""]);
    }
    expect((await inject({ url, headers: { "if-none-match": '"x"' } })).statusCode).toBe(200);
  });

  it("answers 410 after the end of its life, as JSON", async () => {
    const { inject, signedUrls, key } = await serverWithFile();
    for (const method of ["GET", "HEAD"] as const) {
      const response = await inject({ method, url: signedUrls.sign(key, new Date(0)) });
      expect(response.statusCode).toBe(410);
      expect(response.headers["cache-control"]).toBe("no-store");
      if (method === "GET") expect(response.json()).toEqual({ error: "The file has expired." });
    }
  });

  it("answers 404 for a file that is gone, and for an address that nobody gave out", async () => {
    const { inject, url, storage, signedUrls } = await serverWithFile();
    const name = /files\/([^?]+)/.exec(url)![1]!;
    const other = createKey("outputs", "png").slice("outputs/".length);
    const gone = signedUrls.sign(createKey("outputs", "png"), new Date());
    for (const wrong of [
      gone,
      url.replace(name, other),
      url.replace(/expires=\d+/, "expires=99999999999"),
      url.replace(/signature=.+/, "signature="),
      `${url}&signature=x`,
      `/files/${name}`,
      "/files/%2e%2e%2fsecret?expires=1&signature=a",
      "/files/a.html?expires=1&signature=a",
    ]) {
      const response = await inject({ url: wrong });
      expect([response.statusCode, response.json()], wrong).toEqual([404, { error: "file not found" }]);
      expect(response.headers["cache-control"]).toBe("no-store");
      expect(response.headers["etag"]).toBeUndefined();
    }
    expect(storage.objects.size).toBe(1);
  });
});

describe("/examples", () => {
  it("serves what ships, and nothing else", async () => {
    const { inject } = await startServer();
    const response = await inject({ url: "/examples/bluebird.png" });
    expect(response.headers["content-type"]).toBe("image/png");
    expect(response.rawPayload).toEqual(await readFile(path.join(root, "examples", "bluebird.png")));
    for (const name of [
      "other.png",
      "..%2fpackage.json",
      "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
      "bluebird.png%00",
      "__proto__",
    ]) {
      const refused = await inject({ url: `/examples/${name}` });
      expect([refused.statusCode, refused.json()], name).toEqual([404, { error: "file not found" }]);
    }
  });
});
