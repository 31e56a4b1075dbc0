/** The published JavaScript clients, unmodified, against a server that was started as a user starts it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createRunpod } from "@runpod/ai-sdk-provider";
import { generateImage } from "ai";
import runpodSdk from "runpod-sdk";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixtures, root } from "../support/fixtures.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { type Served, serve, untilReady } from "../support/served.ts";
import { call, type DatabaseName, ENDPOINT } from "../support/service.ts";

/** A second endpoint, whose model takes several images, or none. */
const KLEIN = "klein";
const KLEIN_FOLDER = path.join(fixtures, "klein", "checkpoints", "plain");
const PROMPT = "Make it night";

// Without PostgreSQL the conformance suite is skipped on it, and says why.
const databases: readonly DatabaseName[] =
  postgresMissing === undefined ? ["PGlite", "PostgreSQL"] : ["PGlite"];

describe.each(databases)("40: the real clients on %s", (database) => {
  const schema = newSchema();
  let server: Served;
  let bird: Buffer;
  beforeAll(async () => {
    bird = await readFile(path.join(root, "examples", "bluebird.png"));
    const shared = { DATABASE_URL: databaseUrl, RETOUCH_DATABASE_SCHEMA: schema };
    const models = { RETOUCH_MODELS: `${KLEIN}=${KLEIN_FOLDER}` };
    server = await serve({ ...models, ...(database === "PostgreSQL" && shared) });
    await untilReady(server);
  });
  afterAll(async () => {
    await server.end("SIGTERM");
    if (database === "PostgreSQL") await dropSchema(schema);
  });

  const input = (more: object = {}): { input: object } => ({
    input: {
      prompt: PROMPT,
      image: `${server.address}/examples/bluebird.png`,
      size: "256*256",
      num_inference_steps: 4,
      ...more,
    },
  });

  describe("runpod-sdk", () => {
    const endpoint = () => runpodSdk(server.key, { baseUrl: `${server.address}/v2` }).endpoint(ENDPOINT)!;

    it("runs an edit and waits for it", async () => {
      const result = await endpoint().runSync(input() as never);
      expect(result).toMatchObject({
        status: "COMPLETED",
        completed: true,
        succeeded: true,
        output: { image_url: expect.stringMatching(/^http/), cost: 0.001966 },
      });
      expect((await fetch((result.output as { image_url: string }).image_url)).status).toBe(200);
    });

    it("queues an edit, asks for its status and streams it to the end", async () => {
      const { id } = await endpoint().run(input({ num_inference_steps: 50 }) as never);
      expect(["IN_QUEUE", "IN_PROGRESS"]).toContain((await endpoint().status(id!)).status);
      const outputs: Record<string, unknown>[] = [];
      for await (const { output } of endpoint().stream(id!)) outputs.push(output as never);
      expect(outputs.at(-1)).toMatchObject({ image_url: expect.stringMatching(/^http/) });
      expect(outputs.slice(0, -1).map(({ progress }) => progress)).toContain("50/50");
      expect(await endpoint().status(id!)).toMatchObject({ status: "COMPLETED", completed: true });
    });

    it("cancels, purges and looks after the endpoint", async () => {
      const long = input({ num_inference_steps: 50, size: "1024*1024" });
      const ids: string[] = [];
      for (let count = 0; count < 3; count += 1) ids.push((await endpoint().run(long as never)).id!);
      expect(await endpoint().cancel(ids[2]!)).toMatchObject({ id: ids[2], status: "CANCELLED" });
      expect(await endpoint().purgeQueue()).toMatchObject({ status: "completed" });
      const { jobs, workers } = await endpoint().health();
      expect([jobs.inQueue, workers.idle! + workers.running!]).toEqual([0, 1]);
    });

    it("tells of a failed edit without throwing", async () => {
      const result = await endpoint().runSync(input({ image: "data:image/png;base64,AAAA" }) as never);
      expect(result).toMatchObject({
        status: "FAILED",
        succeeded: false,
        error: expect.stringMatching(/^image/),
      });
    });
  });

  describe("runpod-sdk at another endpoint", () => {
    const endpoint = () => runpodSdk(server.key, { baseUrl: `${server.address}/v2` }).endpoint(KLEIN)!;
    const images = ["bluebird", "teapot", "car"].map((name) => `/examples/${name}.png`);
    const edit = async (fields: object) => {
      const result = await endpoint().runSync({
        input: { prompt: "Put the bird on the hill", size: "256*256", seed: 1, ...fields },
      } as never);
      expect(result).toMatchObject({ status: "COMPLETED", succeeded: true });
      const output = result.output as {
        image_url: string;
        num_inference_steps: number;
        reference_size?: string;
      };
      const response = await fetch(output.image_url);
      return { output, bytes: Buffer.from(await response.arrayBuffer()) };
    };

    it("edits several images, and draws without one", async () => {
      const addresses = images.map((image) => `${server.address}${image}`);
      const several = await edit({ image: addresses });
      expect(several.output).toMatchObject({ num_inference_steps: 4, reference_size: "256*256" });
      expect((await edit({ images: addresses })).bytes).toEqual(several.bytes);
      expect((await edit({ image: addresses.slice(0, 1) })).bytes).not.toEqual(several.bytes);
      const none = await edit({});
      expect(none.output.reference_size).toBeUndefined();
      expect(none.bytes).not.toEqual(several.bytes);
    });

    it("streams an edit of several images to its end, and says which are too many", async () => {
      const input = {
        prompt: PROMPT,
        image: images.map((image) => `${server.address}${image}`),
        size: "256*256",
      };
      const { id } = await endpoint().run({ input } as never);
      const outputs: Record<string, unknown>[] = [];
      for await (const { output } of endpoint().stream(id!)) outputs.push(output as never);
      expect(outputs.at(-1)).toMatchObject({ image_url: expect.stringMatching(/^http/) });
      const refused = await call(`${server.address}/v2/${KLEIN}/runsync`, {
        key: server.key,
        body: { input: { ...input, image: [...input.image, ...input.image] } },
      });
      expect([refused.status, refused.body.error]).toEqual([
        400,
        "image must be a string that is not empty, or a list of at most 4 strings.",
      ]);
    });
  });

  describe("@runpod/ai-sdk-provider at another endpoint", () => {
    const model = () =>
      createRunpod({ apiKey: server.key, baseURL: `${server.address}/v2/${KLEIN}` }).image(KLEIN);
    const options = { runpod: { maxPollAttempts: 30, pollIntervalMillis: 200 } };

    it("edits several uploaded files, and draws without one", async () => {
      const teapot = await readFile(path.join(root, "examples", "teapot.png"));
      const draw = async (images: Buffer[]): Promise<Uint8Array> => {
        const prompt = images.length === 0 ? PROMPT : { text: PROMPT, images };
        const made = await generateImage({
          model: model(),
          prompt,
          size: "512x512",
          seed: 1,
          providerOptions: options,
        });
        expect(await sharp(made.image.uint8Array).metadata()).toMatchObject({ width: 512, height: 512 });
        return made.image.uint8Array;
      };
      const [none, one, two] = [await draw([]), await draw([bird]), await draw([bird, teapot])];
      expect(two).not.toEqual(one);
      expect(none).not.toEqual(one);
    });
  });

  describe("@runpod/ai-sdk-provider", () => {
    const model = () => createRunpod({ apiKey: server.key, baseURL: server.endpoint }).image(ENDPOINT);

    it.each([
      ["the default size", undefined, undefined, 1328, 1328],
      ["4:3", undefined, "4:3", 1472, 1140],
      ["a named size", "1024x1024", undefined, 1024, 1024],
    ] as const)("edits an uploaded file at %s", async (_, size, aspectRatio, width, height) => {
      const { image } = await generateImage({
        model: model(),
        prompt: { text: PROMPT, images: [bird] },
        ...(size ? { size } : {}),
        ...(aspectRatio ? { aspectRatio } : {}),
        providerOptions: { runpod: { num_inference_steps: 4, maxPollAttempts: 30, pollIntervalMillis: 200 } },
      });
      expect(image.mediaType).toBe("image/png");
      expect(await sharp(image.uint8Array).metadata()).toMatchObject({ format: "png", width, height });
    });

    it("41: submits an edit once that fails inside the model, and says why", async () => {
      const before = (await server.call("/requests")).body.total;
      const picture = await sharp({ create: { width: 40, height: 40, channels: 3, background: "red" } })
        .png()
        .toBuffer();
      // Enough of a picture to be taken for one, and cut off where its pixels begin.
      const cut = picture.subarray(0, 60);
      await expect(
        generateImage({ model: model(), prompt: { text: PROMPT, images: [cut] } }),
      ).rejects.toThrow(/image/);
      expect((await server.call("/requests")).body.total).toBe(before + 1);
    });
  });
});
