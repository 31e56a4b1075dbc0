/** POST /picture: what browsers can show, of what edits take. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { failure, RetouchError } from "../../src/errors.ts";
import { root } from "../support/fixtures.ts";
import { startServer } from "./server.ts";

const solid = sharp({ create: { width: 5, height: 4, channels: 3, background: "teal" } });
const [webp, tiff] = await Promise.all([solid.clone().webp().toBuffer(), solid.clone().tiff().toBuffer()]);
const dataUrl = (bytes: Uint8Array): string =>
  `data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`;
const noDownload = async (): Promise<never> => {
  throw new Error("Nothing is downloaded.");
};

describe("/picture", () => {
  it("answers with an image that browsers can show as it is, and has another one converted", async () => {
    const converted = Buffer.from("converted");
    const given: Uint8Array[] = [];
    const { call, storage } = await startServer(
      {},
      {
        pictures: {
          download: noDownload,
          convert: async (bytes) => (given.push(bytes), converted),
        },
      },
    );
    const shown = await call("POST", "/picture", { body: { image: dataUrl(webp) } });
    expect([shown.statusCode, shown.headers["content-type"], shown.rawPayload]).toEqual([
      200,
      "image/webp",
      webp,
    ]);
    expect(shown.headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; sandbox",
    });
    const made = await call("POST", "/picture", { body: { image: dataUrl(tiff) } });
    expect([made.statusCode, made.headers["content-type"], made.rawPayload]).toEqual([
      200,
      "image/png",
      converted,
    ]);
    expect(given.map((bytes) => Buffer.from(bytes))).toEqual([tiff]);
    expect(storage.objects.size).toBe(0);
  });

  it("downloads one by its address, but none of a private network", async () => {
    const asked: string[] = [];
    const { call } = await startServer(
      {},
      { pictures: { download: async (url) => (asked.push(url), webp) } },
    );
    const url = "https://pictures.example/bird?size=1";
    const shown = await call("POST", "/picture", { body: { image: url } });
    expect([shown.statusCode, shown.rawPayload]).toEqual([200, webp]);
    const refused = await call("POST", "/picture", { body: { image: "http://10.0.0.1/bird.png" } });
    expect([refused.statusCode, refused.json<{ error: string }>().error]).toEqual([
      400,
      "image: the address of 10.0.0.1 is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.",
    ]);
    expect(asked).toEqual([url]);
    const own = await call("POST", "/picture", {
      body: { image: "http://localhost:80/examples/bluebird.png" },
    });
    expect(own.rawPayload).toEqual(await readFile(path.join(root, "examples", "bluebird.png")));
  });

  it.each([
    ["no image", Buffer.from("words, and no picture at all"), 400, /^image is not an image/],
    ["one of a format that no edit takes", Buffer.from("8BPS and so on"), 415, /is a Photoshop document/],
    ["one that nobody here converts", tiff, 415, /^image is a TIFF file/],
  ])("refuses %s in a sentence", async (_, bytes, status, sentence) => {
    const { call } = await startServer();
    const refused = await call("POST", "/picture", { body: { image: dataUrl(bytes) } });
    expect([refused.statusCode, refused.json<{ error: string }>().error]).toEqual([
      status,
      expect.stringMatching(sentence),
    ]);
  });

  it("says why an image cannot be downloaded, and that too many are converted", async () => {
    const { call } = await startServer(
      {},
      {
        pictures: {
          download: async (source) => {
            throw new RetouchError(
              "IMAGE_UNREADABLE",
              failure("imageDownload", { source, reason: "it is gone" }),
            );
          },
          convert: async () => undefined,
        },
      },
    );
    const gone = await call("POST", "/picture", { body: { image: "https://pictures.example/bird" } });
    expect([gone.statusCode, gone.json()]).toEqual([
      400,
      { error: "image: https://pictures.example/bird cannot be downloaded: it is gone." },
    ]);
    const busy = await call("POST", "/picture", { body: { image: dataUrl(tiff) } });
    expect([busy.statusCode, busy.json()]).toEqual([
      503,
      { error: "Too many images are being converted; try again later." },
    ]);
    expect((await call("POST", "/picture", { body: {} })).statusCode).toBe(400);
    const keyless = await call("POST", "/picture", { body: { image: "x" }, headers: { authorization: "" } });
    expect(keyless.statusCode).toBe(401);
  });
});
