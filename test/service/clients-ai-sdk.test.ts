/** Providers of the AI SDK 7 and Replicate's own client, unmodified, against a server that was started as a user starts it. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { createBlackForestLabs } from "@ai-sdk/black-forest-labs";
import { createOpenAI } from "@ai-sdk/openai";
import { createReplicate } from "@ai-sdk/replicate";
import { APICallError, generateImage } from "ai-7";
import Replicate from "replicate";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { type Served, serve, untilReady } from "../support/served.ts";

const PROMPT = "Make it night";
const KONTEXT = "black-forest-labs/flux-kontext-dev";
/** Of the image that comes back: the steps are few, the picture does not matter. */
const formOf = async (bytes: Uint8Array) => {
  const { format, width, height } = await sharp(bytes).metadata();
  return { format, width, height };
};

let server: Served;
let bird: Buffer;
/** White everywhere: all of it may change. */
let mask: Buffer;
const arrived: { headers: Record<string, string>; body: string }[] = [];
const receiver = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const headers = request.headers as Record<string, string>;
    arrived.push({ headers, body: Buffer.concat(parts).toString() });
    response.end();
  });
});

beforeAll(async () => {
  server = await serve({ RETOUCH_ALLOW_PRIVATE_HOSTS: "127.0.0.1" });
  await untilReady(server);
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  bird = await sharp(await readFile(path.join(root, "examples", "bluebird.png")))
    .resize(256, 256)
    .png()
    .toBuffer();
  mask = await sharp({ create: { width: 256, height: 256, channels: 3, background: "#fff" } })
    .png()
    .toBuffer();
});
afterAll(async () => {
  receiver.close();
  await server.end("SIGTERM");
});

const receiverUrl = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
const webhookOf = async (id: string): Promise<{ headers: Record<string, string>; body: string }> => {
  await expect.poll(() => arrived.map(({ body }) => JSON.parse(body).id)).toContain(id);
  return arrived.find(({ body }) => JSON.parse(body).id === id)!;
};
const jobsSoFar = async (): Promise<number> => (await server.call("/requests")).body.total;

describe("the OpenAI provider", () => {
  const provider = (apiKey = server.key) => createOpenAI({ apiKey, baseURL: `${server.address}/v1` });

  it("edits inside a mask, and gets the tokens", async () => {
    const { image, usage, providerMetadata } = await generateImage({
      model: provider().image("gpt-image-2"),
      prompt: { text: PROMPT, images: [bird], mask },
      size: "256x256",
      providerOptions: { openai: { quality: "low", outputFormat: "webp", outputCompression: 80 } },
    });
    expect(await formOf(image.uint8Array)).toEqual({ format: "webp", width: 256, height: 256 });
    expect(usage.totalTokens).toBeGreaterThan(0);
    expect(providerMetadata).toMatchObject({
      openai: { images: [{ size: "256x256", outputFormat: "webp" }] },
    });
  });

  it("edits several images, twice", async () => {
    const { images } = await generateImage({
      model: provider().image("gpt-image-2"),
      prompt: { text: PROMPT, images: [bird, bird] },
      n: 2,
      size: "256x256",
      providerOptions: { openai: { quality: "low" } },
    });
    expect(images).toHaveLength(2);
    expect(Buffer.from(images[0]!.uint8Array).equals(Buffer.from(images[1]!.uint8Array))).toBe(false);
  });

  it("throws its own error with the sentence", async () => {
    const refused = generateImage({
      model: provider().image("gpt-image-2"),
      prompt: { text: PROMPT, images: [bird] },
      size: "1x1",
    });
    expect(APICallError.isInstance(await refused.catch((error: unknown) => error))).toBe(true);
    await expect(refused).rejects.toThrow("size must be width*height, each from 256 to 1536, not 1*1.");
    const stranger = generateImage({
      model: provider("wrong-key-of-sixteen").image("gpt-image-2"),
      prompt: { text: PROMPT, images: [bird] },
    });
    await expect(stranger).rejects.toMatchObject({ statusCode: 401 });
  });
});

describe("the Black Forest Labs provider", () => {
  const provider = (apiKey = server.key) =>
    createBlackForestLabs({ apiKey, baseURL: `${server.address}/bfl/v1`, pollIntervalMillis: 100 });
  const steps = { steps: 4 };

  it("fails, and does not poll on, where the safety check refused the result", async () => {
    // Every picture is flagged.
    const strict = await serve({ RETOUCH_SAFETY_THRESHOLD: "0" });
    try {
      await untilReady(strict);
      const { key: apiKey, address } = strict;
      const options = {
        apiKey,
        baseURL: `${address}/bfl/v1`,
        pollIntervalMillis: 100,
        pollTimeoutMillis: 60_000,
      };
      const failed = await generateImage({
        model: createBlackForestLabs(options).image("flux-kontext-pro"),
        prompt: { text: PROMPT, images: [bird] },
        maxRetries: 0,
        providerOptions: { blackForestLabs: steps },
      }).catch((error: unknown) => String(error));
      // The status is none that the provider knows, which ends its wait at once.
      expect(failed).toBe("AI_APICallError: Invalid JSON response");
      const [{ status, error }] = (await strict.call("/requests")).body.requests;
      expect([status, error]).toEqual([
        "FAILED",
        expect.stringContaining("The safety checker refused the result"),
      ]);
    } finally {
      await strict.end("SIGTERM");
    }
  });

  it("queues with x-key, polls polling_url and downloads the sample", async () => {
    const { image, providerMetadata } = await generateImage({
      model: provider().image("flux-kontext-pro"),
      prompt: { text: PROMPT, images: [bird] },
      seed: 7,
      providerOptions: { blackForestLabs: { ...steps, outputFormat: "jpeg", safetyTolerance: 6 } },
    });
    // The image's own shape.
    expect(await formOf(image.uint8Array)).toEqual({ format: "jpeg", width: 256, height: 256 });
    expect(providerMetadata).toMatchObject({
      blackForestLabs: {
        images: [
          {
            seed: 7,
            start_time: expect.any(Number),
            end_time: expect.any(Number),
            duration: expect.any(Number),
          },
        ],
      },
    });
  });

  it("takes sizes, ratios, masks and several images", async () => {
    const edit = (more: object) =>
      generateImage({
        model: provider().image("flux-kontext-max"),
        prompt: { text: PROMPT, images: [bird] },
        providerOptions: { blackForestLabs: steps },
        ...more,
      });
    const sized = await edit({ size: "384x256" });
    expect(await formOf(sized.image.uint8Array)).toMatchObject({ width: 384, height: 256 });
    const wide = await edit({ aspectRatio: "16:9" });
    expect(await formOf(wide.image.uint8Array)).toMatchObject({ width: 1360, height: 768 });
    const masked = await edit({ prompt: { text: PROMPT, images: [bird, bird], mask } });
    expect(await formOf(masked.image.uint8Array)).toMatchObject({ width: 256, height: 256 });
  });

  it("has its webhook signed with its own secret", async () => {
    await generateImage({
      model: provider().image("flux-kontext-dev"),
      prompt: { text: PROMPT, images: [bird] },
      providerOptions: {
        blackForestLabs: { ...steps, webhookUrl: receiverUrl(), webhookSecret: "a secret of the caller" },
      },
    });
    const { id } = (await server.call("/requests")).body.requests[0];
    const { headers, body } = await webhookOf(id);
    expect(JSON.parse(body)).toMatchObject({ id, status: "Ready", result: { prompt: PROMPT } });
    expect(body).not.toContain("secret");
    const { createHmac } = await import("node:crypto");
    const digest = createHmac("sha256", "a secret of the caller").update(body).digest("hex");
    expect(headers["x-bfl-signature"]).toBe(`sha256=${digest}`);
  });

  it("throws its own errors", async () => {
    const edit = (model: string, more: object = {}, key?: string) =>
      generateImage({
        model: provider(key).image(model),
        prompt: { text: PROMPT, images: [bird] },
        maxRetries: 0,
        ...more,
      });
    await expect(edit("flux-pro-1.1")).rejects.toThrow(
      /^model: there is none but \S+, flux-kontext-dev, flux-kontext-pro or flux-kontext-max\.$/,
    );
    await expect(edit("flux-kontext-pro", {}, "wrong-key-of-sixteen")).rejects.toMatchObject({
      statusCode: 401,
    });
    const upsampled = edit("flux-kontext-pro", {
      providerOptions: { blackForestLabs: { promptUpsampling: true } },
    });
    await expect(upsampled).rejects.toMatchObject({
      statusCode: 422,
      message: expect.stringContaining(
        "prompt_upsampling must not be true: this server does not rewrite prompts.",
      ),
    });
    const before = await jobsSoFar();
    await expect(
      edit("flux-kontext-pro", {
        prompt: { text: PROMPT, images: [Buffer.from("no picture, whatever it says")] },
      }),
    ).rejects.toThrow();
    expect(await jobsSoFar()).toBe(before + 1);
  });

  it("ends its poll with its signal, and not the task", async () => {
    const before = await jobsSoFar();
    const controller = new AbortController();
    const edit = generateImage({
      model: provider().image("flux-kontext-pro"),
      prompt: { text: PROMPT, images: [bird] },
      abortSignal: controller.signal,
      maxRetries: 0,
    });
    await expect.poll(jobsSoFar).toBe(before + 1);
    controller.abort();
    await expect(edit).rejects.toThrow(/abort/i);
    const { id } = (await server.call("/requests")).body.requests[0];
    expect((await server.call(`/status-sync/${id}?wait=100000`)).body.status).toBe("COMPLETED");
  });
});

describe("the Replicate provider", () => {
  const provider = (apiToken = server.key) =>
    createReplicate({ apiToken, baseURL: `${server.address}/replicate/v1` });
  const few = { num_inference_steps: 4 };

  it("waits in the first call, and downloads the output", async () => {
    const { image } = await generateImage({
      model: provider().image(KONTEXT),
      prompt: { text: PROMPT, images: [bird] },
      seed: 7,
      providerOptions: { replicate: { ...few, output_format: "webp", output_quality: 80 } },
    });
    expect(await formOf(image.uint8Array)).toEqual({ format: "webp", width: 256, height: 256 });
    const [{ output }] = (await server.call("/requests")).body.requests;
    expect(output).toMatchObject({ seed: 7, num_inference_steps: 4 });
  });

  it("takes a version, a size, a mask, and polls where the wait is too short", async () => {
    const version = path.basename(server.endpoint);
    const { image } = await generateImage({
      model: provider().image(`${KONTEXT}:${version}`),
      prompt: { text: PROMPT, images: [bird], mask },
      size: "256x256",
      providerOptions: {
        replicate: { num_inference_steps: 50, maxWaitTimeInSeconds: 1, pollIntervalMillis: 100 },
      },
    });
    expect(await formOf(image.uint8Array)).toMatchObject({ width: 256, height: 256 });
  });

  it("throws its own errors", async () => {
    const edit = (model: string, more: object = {}, key?: string) =>
      generateImage({
        model: provider(key).image(model),
        prompt: { text: PROMPT, images: [bird] },
        maxRetries: 0,
        ...more,
      });
    await expect(edit("black-forest-labs/flux-schnell")).rejects.toMatchObject({
      statusCode: 404,
      message: expect.stringMatching(/^model: there is none but black-forest-labs\/NAME or retouch\/NAME, /),
    });
    await expect(edit(KONTEXT, {}, "wrong-key-of-sixteen")).rejects.toMatchObject({ statusCode: 401 });
    await expect(
      edit(KONTEXT, { providerOptions: { replicate: { num_inference_steps: 99 } } }),
    ).rejects.toMatchObject({
      statusCode: 422,
      message: "num_inference_steps must be a whole number from 1 to 50.",
    });
    await expect(
      edit(KONTEXT, { prompt: { text: PROMPT, images: [Buffer.from("no picture, whatever it says")] } }),
    ).rejects.toThrow(/Replicate image generation failed: /);
  });
});

describe("replicate for JavaScript", () => {
  const client = () =>
    new Replicate({ auth: server.key, baseUrl: `${server.address}/replicate/v1`, useFileOutput: false });
  const input = () => ({
    prompt: PROMPT,
    input_image: `data:image/png;base64,${bird.toString("base64")}`,
    num_inference_steps: 4,
    go_fast: true,
  });

  it("runs a model, and asks for its prediction", async () => {
    const seen: string[] = [];
    let id = "";
    const output = await client().run(
      KONTEXT,
      { input: { ...input(), num_outputs: 2, aspect_ratio: "1:1" } },
      (prediction) => {
        seen.push(prediction.status);
        id = prediction.id;
      },
    );
    expect(output).toEqual([0, 1].map(() => expect.stringMatching(/^http:\S+\/files\/\S+\.png\?/)));
    expect(seen.at(-1)).toBe("succeeded");
    const file = await fetch((output as string[])[1]!);
    expect(await formOf(Buffer.from(await file.arrayBuffer()))).toEqual({
      format: "png",
      width: 1024,
      height: 1024,
    });
    const prediction = await client().predictions.get(id);
    expect(prediction).toMatchObject({
      model: KONTEXT,
      status: "succeeded",
      input: { prompt: PROMPT, num_inference_steps: 4, num_outputs: 2 },
      metrics: { predict_time: expect.any(Number) },
    });
    expect(prediction.input).not.toHaveProperty("input_image");
  });

  it("polls until the end where it may not wait in the call", async () => {
    const output = await client().run(KONTEXT, { input: input(), wait: { mode: "poll", interval: 100 } });
    expect(output).toEqual(expect.stringMatching(/^http:/));
  });

  it("cancels", async () => {
    const prediction = await client().predictions.create({
      model: KONTEXT,
      input: { ...input(), num_inference_steps: 50, num_outputs: 8 },
    });
    expect(prediction.status).toBe("starting");
    expect(await client().predictions.cancel(prediction.id)).toMatchObject({
      id: prediction.id,
      status: "canceled",
    });
    expect((await server.call(`/status/${prediction.id}`)).body.status).toBe("CANCELLED");
  });

  it("gets its webhook at the end, as a prediction", async () => {
    const { id } = await client().predictions.create({
      model: KONTEXT,
      input: input(),
      webhook: receiverUrl(),
      webhook_events_filter: ["completed"],
    });
    const { body } = await webhookOf(id);
    expect(JSON.parse(body)).toMatchObject({
      id,
      status: "succeeded",
      output: expect.stringMatching(/^http:/),
    });
  });

  it("throws its own error", async () => {
    const refused = client().predictions.create({ model: KONTEXT, input: { prompt: PROMPT } });
    await expect(refused).rejects.toThrow(/status 422 .*"input\.input_image".*input_image is missing\./);
    await expect(client().predictions.get("another-key-s")).rejects.toThrow(/status 404 /);
  });
});
