/** openai 7 for JavaScript, unmodified: what images.edit has gained, against a server that was started as a user starts it. */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import OpenAI, { APIError, BadRequestError, toFile } from "openai-7";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { root } from "../support/fixtures.ts";
import { environment, type Served, serve, untilReady } from "../support/served.ts";
import { ENDPOINT } from "../support/service.ts";

const PICTURE = path.join(root, "examples", "bluebird.png");
const PROMPT = "Make it night";

describe("OpenAI's clients of today", () => {
  let server: Served;
  let client: OpenAI;
  beforeAll(async () => {
    server = await serve();
    await untilReady(server);
    client = new OpenAI({ apiKey: server.key, baseURL: `${server.address}/v1` });
  });
  afterAll(() => server.end("SIGTERM"));

  const picture = () => toFile(createReadStream(PICTURE), "bird.png", { type: "image/png" });
  /** Beside OpenAI's own fields. */
  const few = { num_inference_steps: 4, seed: 7 } as object;
  const sizeOf = async (base64: string) => {
    const { format, width, height } = await sharp(Buffer.from(base64, "base64")).metadata();
    return { format, width, height };
  };

  it("streams pictures as they form, each another one, and the result", async () => {
    const stream = await client.images.edit({
      image: await picture(),
      prompt: PROMPT,
      size: "384x256",
      output_format: "webp",
      quality: "low",
      stream: true,
      partial_images: 3,
      ...few,
    });
    const events: OpenAI.Images.ImageEditStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.map(({ type }) => type)).toEqual([
      ...Array(3).fill("image_edit.partial_image"),
      "image_edit.completed",
    ]);
    for (const [index, event] of events.slice(0, 3).entries()) {
      expect(event).toMatchObject({ partial_image_index: index, output_format: "webp", quality: "low" });
    }
    expect(new Set(events.map(({ b64_json }) => b64_json)).size).toBe(4);
    for (const { b64_json, size } of events) {
      const { width, height, format } = await sizeOf(b64_json);
      expect([format, `${width}x${height}`]).toEqual(["webp", size]);
    }
    expect(events.at(-1)).toMatchObject({ size: "384x256", output_format: "webp", quality: "low" });
    // The shipped checkpoint draws 160 x 112 pixels, in tokens of 16 x 16.
    const { usage } = events.at(-1) as OpenAI.Images.ImageEditCompletedEvent;
    expect(usage).toMatchObject({ output_tokens: 70, total_tokens: usage.input_tokens + 70 });
    // The later, the nearer to the result.
    const far = await Promise.all(events.slice(0, 3).map((event) => distance(event, events.at(-1)!)));
    expect(far[2]!).toBeLessThan(far[0]!);
  });

  /** Root of the mean square of the differences, at the size of a preview. */
  async function distance(...pictures: { b64_json: string }[]): Promise<number> {
    const [own, other] = await Promise.all(
      pictures.map(({ b64_json }) =>
        sharp(Buffer.from(b64_json, "base64")).resize(96, 64, { fit: "fill" }).removeAlpha().raw().toBuffer(),
      ),
    );
    return Math.sqrt(
      own!.reduce((sum, value, index) => sum + (value - other![index]!) ** 2, 0) / own!.length,
    );
  }

  it("streams the result alone where it asks for no pictures", async () => {
    const stream = await client.images.edit({
      image: await picture(),
      prompt: PROMPT,
      size: "256x256",
      stream: true,
      ...few,
    });
    const types: string[] = [];
    for await (const { type } of stream) types.push(type);
    expect(types).toEqual(["image_edit.completed"]);
  });

  it("edits the first of several images inside a mask, with the second to look at", async () => {
    const side = 256;
    const image = await sharp(PICTURE).resize(side, side).removeAlpha().png().toBuffer();
    const mask = await sharp(image).ensureAlpha(0).png().toBuffer();
    const file = (bytes: Buffer, name: string) => toFile(bytes, name, { type: "image/png" });
    const edited = await client.images.edit({
      image: [await file(image, "one.png"), await file(image, "two.png")],
      mask: await file(mask, "mask.png"),
      prompt: PROMPT,
      size: "auto",
      ...few,
    });
    expect(await sizeOf(edited.data![0]!.b64_json!)).toEqual({ format: "png", width: side, height: side });
    const unmasked = await client.images.edit({
      image: [await file(image, "one.png"), await file(image, "two.png")],
      prompt: PROMPT,
      size: "256x256",
      ...few,
    });
    expect(unmasked).toMatchObject({ notices: [expect.stringContaining("image_layout index")] });
  });

  it.each([
    ["1024x1024", "png", 100],
    ["1536x1024", "jpeg", 80],
    ["1024x1536", "webp", 70],
  ] as const)("gets %s as %s", async (size, format, compression) => {
    const { data, ...edited } = await client.images.edit({
      model: ENDPOINT,
      image: await picture(),
      prompt: PROMPT,
      size,
      output_format: format,
      output_compression: compression,
      input_fidelity: "high",
      safety_identifier: "somebody",
      ...few,
    });
    const [width, height] = size.split("x").map(Number);
    expect(await sizeOf(data![0]!.b64_json!)).toEqual({ format, width, height });
    expect(edited).toMatchObject({ size, output_format: format, background: "opaque" });
  });

  it.each([
    [{ background: "transparent", output_format: "jpeg" }, "background"],
    [{ output_format: "gif" }, "output_format"],
    [{ output_format: "svg" }, "output_format"],
    [{ complexity: "high" }, "complexity"],
    [{ frame_count: 4 }, "frame_count"],
    [{ partial_images: 2 }, "partial_images"],
    [{ size: "3840x2160" }, "size"],
    [{ n: 9 }, "n"],
  ])("is told which field of %j cannot be had", async (fields, param) => {
    const refused = client.images.edit({ image: await picture(), prompt: PROMPT, ...(fields as object) });
    await expect(refused).rejects.toBeInstanceOf(BadRequestError);
    await expect(refused).rejects.toMatchObject({ status: 400, param });
  });

  it("takes a JSON body, as the API's own reference has it", async () => {
    const body = {
      model: ENDPOINT,
      images: [
        {
          image_url: `data:image/png;base64,${(await sharp(PICTURE).resize(256).png().toBuffer()).toString("base64")}`,
        },
      ],
      prompt: PROMPT,
      size: "256x256",
      ...few,
    };
    const edited = await client.post<OpenAI.ImagesResponse>("/images/edits", { body });
    expect(await sizeOf(edited.data![0]!.b64_json!)).toMatchObject({ width: 256, height: 256 });
    const kept = client.post("/images/edits", { body: { ...body, images: [{ file_id: "file-1" }] } });
    await expect(kept).rejects.toMatchObject({ status: 400, param: "images" });
  });

  it("throws its own error where an edit fails in the middle of a stream", async () => {
    const stream = await client.images.edit({
      image: await toFile(Buffer.from("no picture"), "bird.png"),
      prompt: PROMPT,
      stream: true,
    });
    const read = (async () => {
      for await (const _ of stream);
    })();
    await expect(read).rejects.toBeInstanceOf(APIError);
    await expect(read).rejects.toMatchObject({ param: "image", code: "invalid_value" });
  });

  it("ends the stream with its signal, and not the job", async () => {
    const before: number = (await server.call("/requests")).body.total;
    const controller = new AbortController();
    const stream = await client.images.edit(
      { image: await picture(), prompt: PROMPT, stream: true, partial_images: 1, ...few },
      { signal: controller.signal },
    );
    for await (const _ of stream) controller.abort();
    const { total, requests } = (await server.call("/requests")).body;
    expect(total).toBe(before + 1);
    const ended = await server.call(`/status-sync/${requests[0].id}?wait=100000`);
    expect(ended.body.status).toBe("COMPLETED");
  });

  it("openai for Python streams, plain and with asyncio", async ({ skip }) => {
    skip(withoutPython("clients") !== undefined, withoutPython("clients"));
    const program = path.join(root, "test", "service", "python", "openai_stream.py");
    const args = [program, `${server.address}/v1`, server.key, PICTURE];
    const { stdout } = await promisify(execFile)(pythonProgram("clients"), args, { env: environment({}) });
    const picture = { start: "ffd8", tokens: null, type: "image_edit.partial_image" };
    const events = [
      { ...picture, place: 0 },
      { ...picture, place: 1 },
      { start: "ffd8", tokens: expect.any(Number), type: "image_edit.completed", place: null },
    ];
    expect(JSON.parse(stdout)).toEqual({
      version: "3.57.0",
      plain: events,
      failure: { class: "APIError", code: "invalid_value", param: "image" },
      asyncio: events,
    });
  });
});
