/** OpenAI's published clients, unmodified, against a server that was started as a user starts it. */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, toFile } from "openai";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { root } from "../support/fixtures.ts";
import { environment, type Served, serve, untilReady } from "../support/served.ts";
import { ENDPOINT } from "../support/service.ts";

const PROMPT = "Make it night";
const PICTURE = path.join(root, "examples", "bluebird.png");
const URL_OF_RESULT = /^http:\/\/127\.0\.0\.1:\d+\/files\/\S+\.\w+\?/;
const PNG = "89504e47";
const run = promisify(execFile);
const python = pythonProgram("clients");

describe("OpenAI's clients", () => {
  let server: Served;
  let client: OpenAI;
  beforeAll(async () => {
    server = await serve({ RETOUCH_SAFETY: "required" });
    await untilReady(server);
    client = new OpenAI({ apiKey: server.key, baseURL: `${server.address}/v1` });
  });
  afterAll(() => server.end("SIGTERM"));

  /** What it takes beside OpenAI's own fields; in Python the same goes into `extra_body`. */
  const few = { num_inference_steps: 4, seed: 7 } as object;
  const jobsSoFar = async (): Promise<number> => (await server.call("/requests")).body.total;

  describe("openai for JavaScript", () => {
    it("edits a file and gets the picture in base64", async () => {
      const answer = await client.images.edit({
        model: ENDPOINT,
        image: createReadStream(PICTURE),
        prompt: PROMPT,
        size: "384x256",
        ...few,
      });
      expect(answer).toMatchObject({ size: "384x256", output_format: "png", data: [{ seed: 7 }] });
      expect(answer.created).toBeCloseTo(Date.now() / 1000, -2);
      const picture = Buffer.from(answer.data![0]!.b64_json!, "base64");
      expect(await sharp(picture).metadata()).toMatchObject({ format: "png", width: 384, height: 256 });
    });

    it("keeps transparency, and takes WebP of a quality", async () => {
      const clear = await sharp({ create: { width: 64, height: 64, channels: 4, background: "#3690" } })
        .png()
        .toBuffer();
      const answer = await client.images.edit({
        image: await toFile(clear, "clear.png", { type: "image/png" }),
        prompt: PROMPT,
        size: "256x256",
        background: "transparent",
        output_format: "webp",
        output_compression: 60,
        ...few,
      });
      expect(answer).toMatchObject({ background: "transparent", output_format: "webp" });
      const picture = sharp(Buffer.from(answer.data![0]!.b64_json!, "base64"));
      expect(await picture.metadata()).toMatchObject({ format: "webp", hasAlpha: true, width: 256 });
      const jpeg = client.images.edit({
        image: await toFile(clear, "clear.png", { type: "image/png" }),
        prompt: PROMPT,
        background: "transparent",
        output_format: "jpeg",
      });
      await expect(jpeg).rejects.toThrow("400 background must not be transparent: JPEG has no transparency.");
      const opaque = client.images.edit({
        image: createReadStream(PICTURE),
        prompt: PROMPT,
        size: "256x256",
        background: "transparent",
        ...few,
      });
      await expect(opaque).rejects.toThrow(
        "400 background must not be transparent: the image has no transparency, and the model draws none.",
      );
    });

    it("edits inside what is transparent in a mask, or in the image itself, and leaves the rest", async () => {
      const side = 256;
      const image = await sharp(PICTURE).resize(side, side).removeAlpha().png().toBuffer();
      const left = { left: 0, top: 0, width: side / 2, height: side };
      // Its right half is transparent.
      const cut = await sharp(await sharp(image).extract(left).toBuffer())
        .ensureAlpha()
        .extend({ right: side / 2, background: "#0000" })
        .png()
        .toBuffer();
      const file = (bytes: Buffer) => toFile(bytes, "one.png", { type: "image/png" });
      const kept = { prompt: PROMPT, size: "256x256", keep_unchanged: true, ...few } as const;
      const masked = await client.images.edit({
        ...kept,
        image: await file(image),
        mask: await file(cut),
        n: 2,
      });
      const alone = await client.images.edit({ ...kept, image: await file(cut), background: "opaque" });
      const leftOf = (bytes: Buffer) => sharp(bytes).removeAlpha().extract(left).raw().toBuffer();
      expect(masked.data).toHaveLength(2);
      for (const { b64_json } of [...masked.data!, ...alone.data!]) {
        const result = Buffer.from(b64_json!, "base64");
        expect((await leftOf(result)).equals(await leftOf(image))).toBe(true);
        expect(
          (await sharp(result).removeAlpha().raw().toBuffer()).equals(await sharp(image).raw().toBuffer()),
        ).toBe(false);
      }
    });

    it.each([
      ["of another size", 64, "mask: "],
      ["without anything transparent or white", 256, "mask: "],
    ])("refuses a mask %s", async (_, side, sentence) => {
      const before = await jobsSoFar();
      const black = await sharp({ create: { width: side, height: side, channels: 3, background: "#000" } })
        .png()
        .toBuffer();
      const image = await sharp(PICTURE).resize(256, 256).png().toBuffer();
      const edit = client.images.edit({
        image: await toFile(image, "bird.png", { type: "image/png" }),
        mask: await toFile(black, "mask.png", { type: "image/png" }),
        prompt: PROMPT,
      });
      await expect(edit).rejects.toMatchObject({ status: 400, message: expect.stringContaining(sentence) });
      expect(await jobsSoFar()).toBe(before);
    });

    it("gets addresses of several pictures, each of another seed", async () => {
      const { data } = await client.images.edit({
        image: [await toFile(createReadStream(PICTURE), "bird.png", { type: "image/png" })],
        prompt: PROMPT,
        size: "256x256",
        n: 2,
        response_format: "url",
        output_format: "jpeg",
        quality: "low",
        ...few,
      });
      expect(data).toMatchObject([{ seed: 7 }, { seed: 8 }]);
      const pictures = await Promise.all(
        data!.map(async ({ url }) => Buffer.from(await (await fetch(url!)).arrayBuffer())),
      );
      expect(pictures[0]!.equals(pictures[1]!)).toBe(false);
      for (const picture of pictures) expect((await sharp(picture).metadata()).format).toBe("jpeg");
    });

    it("finds the model", async () => {
      const models = await client.models.list();
      expect(models.data.map(({ id }) => id)).toEqual([ENDPOINT]);
      expect(await client.models.retrieve(ENDPOINT)).toMatchObject({ object: "model", owned_by: "retouch" });
      const other = client.models.retrieve("gpt-image-2");
      await expect(other).rejects.toBeInstanceOf(NotFoundError);
      await expect(other).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    });

    it("throws its own errors, with the sentence and the field", async () => {
      const image = createReadStream(PICTURE);
      const refused = client.images.edit({ image, prompt: PROMPT, size: "1x1" });
      await expect(refused).rejects.toBeInstanceOf(BadRequestError);
      await expect(refused).rejects.toMatchObject({
        status: 400,
        param: "size",
        code: "invalid_value",
        type: "invalid_request_error",
        message: "400 size must be width*height, each from 256 to 1536, not 1*1.",
      });
      const stranger = new OpenAI({ apiKey: "wrong-key-of-sixteen", baseURL: `${server.address}/v1` });
      const unknown = stranger.images.edit({ image: createReadStream(PICTURE), prompt: PROMPT });
      await expect(unknown).rejects.toBeInstanceOf(AuthenticationError);
      await expect(unknown).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
    });

    it("submits once what fails, and what it cannot wait for", async () => {
      const before = await jobsSoFar();
      const cut = await toFile(Buffer.from("no picture"), "bird.png");
      await expect(client.images.edit({ image: cut, prompt: PROMPT })).rejects.toMatchObject({
        status: 400,
        param: "image",
      });
      const slow = client.images.edit(
        {
          image: createReadStream(PICTURE),
          prompt: PROMPT,
          n: 8,
          // More than the least wait of a second.
          ...({ num_inference_steps: 20 } as object),
        },
        { query: { wait: 1 } },
      );
      await expect(slow).rejects.toMatchObject({
        status: 504,
        code: "timeout",
        message: expect.stringMatching(
          /^504 The edit continues as job sync-\S+; GET \S+ tells when it ends\.$/,
        ),
      });
      const [, id] = /job (\S+);/.exec(((await slow.catch((error: unknown) => error)) as Error).message)!;
      expect((await server.call(`/status-sync/${id}?wait=100000`)).body.status).toBe("COMPLETED");
      expect(await jobsSoFar()).toBe(before + 2);
    });
  });

  it("openai for Python edits, plain and with asyncio, and raises its own errors", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const program = path.join(root, "test", "service", "python", "openai_edits.py");
    const args = [program, `${server.address}/v1`, ENDPOINT, server.key, PICTURE];
    const { stdout } = await run(python, args, { env: environment({}) });
    const one = { size: "256x256", output_format: "png", urls: [null], starts: [PNG] };
    expect(JSON.parse(stdout)).toEqual({
      version: "3.57.0",
      plain: {
        models: [ENDPOINT],
        model: ENDPOINT,
        base64: { ...one, seeds: [7] },
        urls: {
          size: "256x256",
          output_format: "jpeg",
          seeds: [7, 8],
          urls: [expect.stringMatching(URL_OF_RESULT), expect.stringMatching(URL_OF_RESULT)],
          starts: ["", ""],
        },
        size: {
          class: "BadRequestError",
          code: "invalid_value",
          param: "size",
          message: expect.stringContaining("size must be width*height, each from 256 to 1536, not 1*1."),
        },
        mask: {
          class: "BadRequestError",
          code: "invalid_value",
          param: "mask",
          message: expect.stringContaining("mask: it is not an image"),
        },
        key: {
          class: "AuthenticationError",
          code: "invalid_api_key",
          param: null,
          message: expect.stringContaining("unauthorized"),
        },
      },
      asyncio: {
        edits: [
          { ...one, seeds: [1] },
          { ...one, seeds: [2] },
        ],
        image: {
          class: "BadRequestError",
          code: "invalid_value",
          param: "image",
          message: expect.stringContaining("image"),
        },
      },
    });
  });
});
