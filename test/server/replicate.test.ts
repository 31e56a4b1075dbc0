/** The routes for clients of Replicate's API. */
import type { LightMyRequestResponse } from "fastify";
import { describe, expect, it } from "vitest";
import type { Job } from "../../src/jobs/job.ts";
import { createKey } from "../../src/storage/storage.ts";
import { resultOf } from "./fakes.ts";
import { ENDPOINT, KEY, OTHER_KEY, startServer, type TestServer } from "./server.ts";

const ID = ENDPOINT.slice("/v2/".length);
const MODEL = "black-forest-labs/flux-kontext-dev";
const BIRD = "https://pictures.example/bird.png";
const INPUT = { prompt: "a red hat", input_image: BIRD };
const SOMEBODY = "black-forest-labs/NAME or retouch/NAME";
const NAMES = `${ID}, flux-kontext-dev, flux-kontext-pro or flux-kontext-max`;

type Options = { route?: string; headers?: Record<string, string>; body?: object };

const post = (
  { inject }: TestServer,
  input: object,
  { route = `/models/${MODEL}/predictions`, headers = {}, body = {} }: Options = {},
): Promise<LightMyRequestResponse> =>
  inject({
    method: "POST",
    url: `/replicate/v1${route}`,
    headers: { authorization: `Token ${KEY}`, ...headers },
    payload: { input, ...body },
  });

const get = ({ inject }: TestServer, id: string, key = KEY): Promise<LightMyRequestResponse> =>
  inject({ url: `/replicate/v1/predictions/${id}`, headers: { authorization: `Bearer ${key}` } });

/** The state of a job that was changed so. */
async function predictionOf(changes: Partial<Job>): Promise<unknown> {
  const server = await startServer();
  const { id } = (await post(server, INPUT)).json<{ id: string }>();
  server.jobs.change(id, changes);
  return (await get(server, id)).json();
}

describe("POST /replicate/v1/models/{owner}/{name}/predictions", () => {
  it("queues an edit with the fields renamed, and answers with the prediction", async () => {
    const server = await startServer({ loras: { sketch: {} as never } });
    const response = await post(
      server,
      {
        ...INPUT,
        mask: null,
        seed: 41,
        num_inference_steps: 20,
        guidance: 2.5,
        aspect_ratio: "match_input_image",
        num_outputs: 2,
        output_format: "jpg",
        output_quality: 80,
        disable_safety_checker: true,
        go_fast: true,
        lora_weights: "sketch",
        lora_strength: 0.5,
        megapixels: "1",
      },
      { body: { webhook: "https://hooks.example/replicate", webhook_events_filter: ["completed"] } },
    );
    const prediction = response.json<{ id: string; input: object }>();
    const self = `http://localhost:80/replicate/v1/predictions/${prediction.id}`;
    expect([response.statusCode, prediction]).toMatchObject([
      201,
      {
        model: MODEL,
        version: ID,
        status: "starting",
        input: { prompt: "a red hat", input_image: BIRD, seed: 41, num_outputs: 2 },
        logs: "",
        data_removed: false,
        source: "api",
        urls: { get: self, cancel: `${self}/cancel` },
      },
    ]);
    expect(prediction.input).not.toHaveProperty("megapixels");
    const [{ edit, webhook, isSync }] = server.jobs.submitted as [(typeof server.jobs.submitted)[0]];
    expect(edit).toMatchObject({
      prompt: "a red hat",
      images: [{ url: BIRD }],
      seed: 41,
      numSteps: 20,
      guidance: 2.5,
      size: undefined,
      numImages: 2,
      format: "jpeg",
      outputQuality: 80,
      isSafetyChecked: false,
      loras: [{ name: "sketch", scale: 0.5 }],
      requestNotices: ["megapixels is not known here and has no effect."],
    });
    expect([webhook, isSync]).toEqual(["https://hooks.example/replicate", false]);
  });

  it.each([
    [{ aspect_ratio: "3:2" }, { width: 1248, height: 832 }],
    [
      { size: "512x384", aspect_ratio: "4:3" },
      { width: 512, height: 384 },
    ],
    [
      { width: 512, height: 512 },
      { width: 512, height: 512 },
    ],
  ])("draws %j", async (fields, size) => {
    const server = await startServer();
    await post(server, { ...INPUT, ...fields });
    expect(server.jobs.submitted[0]!.edit.size).toEqual(size);
  });

  it("takes the images of all fields in order, each once, and repeats none that came in the call", async () => {
    const server = await startServer();
    const picture = `data:image/png;base64,${"A".repeat(64)}`;
    const { input } = (
      await post(server, {
        prompt: "a red hat",
        image: BIRD,
        input_image: BIRD,
        input_image_2: picture,
        input_images: ["https://pictures.example/hat.png", "A".repeat(64)],
      })
    ).json<{ input: object }>();
    expect(server.jobs.submitted[0]!.edit.images.map(({ kind }) => kind)).toEqual([
      "url",
      "stored",
      "url",
      "stored",
    ]);
    expect(input).toEqual({ prompt: "a red hat", image: BIRD, input_image: BIRD });
  });

  it.each([["start"], ["output", "logs"]])("posts nothing where only %s were wanted", async (...events) => {
    const server = await startServer();
    await post(server, INPUT, {
      body: { webhook: "https://hooks.example/replicate", webhook_events_filter: events.flat() },
    });
    expect(server.jobs.submitted[0]!.webhook).toBeUndefined();
  });

  it.each([
    ["wait", 60_000],
    ["wait=1", 1000],
    ["respond-async, wait=0.1", 1000],
    ["wait=999", 60_000],
  ])("waits for the end with Prefer: %s", async (prefer, waitMs) => {
    const server = await startServer();
    const waits: number[] = [];
    const { waitForEnd } = server.jobs;
    server.jobs.waitForEnd = (id, keyId, options) => {
      waits.push(options.waitMs);
      return waitForEnd(id, keyId, options);
    };
    const posted = post(server, INPUT, { headers: { prefer } });
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    const { jobs } = await server.jobs.list(`id-of-${KEY}`, { offset: 0, limit: 1 });
    const key = createKey("outputs", "png");
    server.jobs.change(jobs[0]!.id, { status: "completed", endedAt: new Date(), result: resultOf(key) });
    expect((await posted).json()).toMatchObject({
      status: "succeeded",
      output: expect.stringContaining(key.split("/")[1]!),
    });
    expect(waits).toEqual([waitMs]);
  });

  it("says that it is starting where the wait was too short: clients take anything else for the end", async () => {
    const server = await startServer();
    const posted = post(server, INPUT, { headers: { prefer: "wait=1" } });
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    const { jobs } = await server.jobs.list(`id-of-${KEY}`, { offset: 0, limit: 1 });
    server.jobs.change(jobs[0]!.id, { status: "running", progress: { step: 3, of: 28 } });
    expect((await posted).json()).toMatchObject({ status: "starting" });
    expect((await get(server, jobs[0]!.id)).json()).toMatchObject({
      status: "processing",
      logs: "10%|#         | 3/28",
    });
  });

  it.each<[object, string, string, string?]>([
    [{ input_image: BIRD }, "input.prompt", "prompt is missing.", "required"],
    [{ prompt: "a" }, "input.input_image", "input_image is missing.", "required"],
    [{ ...INPUT, num_outputs: 9 }, "input.num_outputs", "num_outputs must be a whole number from 1 to 8."],
    [
      { ...INPUT, aspect_ratio: "wide" },
      "input.aspect_ratio",
      "aspect_ratio must be match_input_image, or a ratio from 21:9 to 9:21, drawn at about a megapixel.",
    ],
    [{ ...INPUT, strength: 0.5 }, "input.strength", "strength must not be given without mask."],
    [{ ...INPUT, lora_weights: "none" }, "input.loras", "loras: there is no LoRA"],
    [
      { ...INPUT, input_image: "http://169.254.169.254/" },
      "input.input_image",
      "input_image: the address of 169.254.169.254 is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.",
    ],
  ])("refuses %j", async (input, field, sentence, type = "invalid") => {
    const server = await startServer();
    const response = await post(server, input);
    const problem = response.json<{ detail: string; invalid_fields: [{ field: string }] }>();
    expect([response.statusCode, server.jobs.submitted]).toEqual([422, []]);
    expect(problem).toMatchObject({
      title: "Input validation failed",
      detail: expect.stringContaining(sentence.split("[]")[0]!),
      status: 422,
      invalid_fields: [{ type, description: problem.detail }],
    });
    expect(problem.invalid_fields[0].field.replace(/\[\d\]/, "[]")).toBe(field);
  });

  it("answers with a title what is not the input's fault", async () => {
    const server = await startServer({ runsyncMaxBytes: 2000 });
    const answers = [
      await post(server, INPUT, { route: "/models/black-forest-labs/flux-schnell/predictions" }),
      await post(server, INPUT, { route: "/models/somebody/flux-kontext-dev/predictions" }),
      await post(server, INPUT, { headers: { authorization: "Bearer no-key" } }),
      await post(server, { ...INPUT, input_image: "A".repeat(3000) }),
      await server.inject({ url: "/replicate/v1/trainings", headers: { authorization: `Bearer ${KEY}` } }),
    ];
    const unknown = `model: there is none but ${SOMEBODY}, where NAME is ${NAMES}.`;
    expect(answers.map((answer) => answer.json())).toEqual([
      { title: "Not Found", detail: unknown, status: 404 },
      { title: "Not Found", detail: unknown, status: 404 },
      { title: "Unauthenticated", detail: "unauthorized", status: 401 },
      { title: "Payload Too Large", detail: expect.any(String), status: 413 },
      { title: "Not Found", detail: "not found", status: 404 },
    ]);
  });
});

describe("POST /replicate/v1/predictions", () => {
  it.each([ID, MODEL, `${MODEL}:a1b2`, `retouch/${ID}`])("takes %s as a version", async (version) => {
    const server = await startServer();
    const response = await post(server, INPUT, { route: "/predictions", body: { version } });
    expect([response.statusCode, response.json()]).toMatchObject([201, { version: ID }]);
  });

  it.each([
    [undefined, "version is missing."],
    ["a1b2", `version: there is none but ${SOMEBODY}, where NAME is ${NAMES}.`],
    ["somebody/flux-kontext-dev", `version: there is none but ${SOMEBODY}, where NAME is ${NAMES}.`],
  ])("refuses %s", async (version, detail) => {
    const server = await startServer();
    const response = await post(server, INPUT, { route: "/predictions", body: { version } });
    expect([response.statusCode, response.json()]).toMatchObject([
      422,
      { detail, invalid_fields: [{ field: "version" }] },
    ]);
  });

  it("is one prediction for one idempotency key", async () => {
    const server = await startServer();
    const headers = { "idempotency-key": "a-key" };
    const first = await post(server, INPUT, { headers });
    expect((await post(server, INPUT, { headers })).json()).toEqual(first.json());
    expect((await post(server, { ...INPUT, seed: 1 }, { headers })).statusCode).toBe(409);
  });
});

describe("GET /replicate/v1/predictions/{id}", () => {
  const times = {
    startedAt: new Date(1_800_000_001_000),
    endedAt: new Date(1_800_000_003_500),
    executionMs: 2500,
  };

  it.each<[Partial<Job>, object]>([
    [{}, { status: "starting" }],
    [{ status: "running" }, { status: "processing", logs: "" }],
    [
      { status: "failed", error: "It broke." },
      { status: "failed", error: "It broke." },
    ],
    [{ status: "timedOut" }, { status: "failed", error: "The prediction took too long." }],
    [{ status: "cancelled" }, { status: "canceled" }],
  ])("of %j", async (changes, prediction) => {
    expect(await predictionOf(changes)).toMatchObject({ model: MODEL, ...prediction });
  });

  it("has the output, one or several, with its times", async () => {
    const [one, two] = [createKey("outputs", "png"), createKey("outputs", "png")];
    const single = await predictionOf({
      status: "completed",
      ...times,
      result: resultOf(one, { notices: ["A notice."] }),
    });
    expect(single).toMatchObject({
      output: expect.stringMatching(/^http:\S+\/files\/\S+signature=/),
      logs: "A notice.",
      started_at: "2027-01-15T08:00:01.000Z",
      completed_at: "2027-01-15T08:00:03.500Z",
      metrics: { predict_time: 2.5, total_time: expect.any(Number) },
    });
    const images = [one, two].map((key, seed) => ({ image: { kind: "stored" as const, key }, seed }));
    const several = await predictionOf({ status: "completed", ...times, result: resultOf(one, { images }) });
    expect((several as { output: string[] }).output).toHaveLength(2);
  });

  it("does not know predictions of other keys, shows jobs of the server's own API, and cancels both", async () => {
    const server = await startServer();
    const id = await server.submit();
    expect((await get(server, id)).json()).toMatchObject({ id, status: "starting", input: {} });
    const cancel = (key: string): Promise<LightMyRequestResponse> =>
      server.inject({
        method: "POST",
        url: `/replicate/v1/predictions/${id}/cancel`,
        headers: { authorization: `Bearer ${key}` },
      });
    const missing = { title: "Not Found", detail: "There is no such prediction.", status: 404 };
    expect((await get(server, id, OTHER_KEY)).json()).toEqual(missing);
    expect((await cancel(OTHER_KEY)).json()).toEqual(missing);
    expect((await cancel(KEY)).json()).toMatchObject({ id, status: "canceled" });
    expect((await server.call("GET", `/status/${id}`)).json()).toMatchObject({ status: "CANCELLED" });
  });
});
