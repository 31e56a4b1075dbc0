/** The routes for clients of black-forest-labs' API. */
import type { LightMyRequestResponse } from "fastify";
import { describe, expect, it } from "vitest";
import type { Job } from "../../src/jobs/job.ts";
import { createKey } from "../../src/storage/storage.ts";
import { createFakeJobs, resultOf } from "./fakes.ts";
import { ENDPOINT, KEY, OTHER_KEY, startServer, type TestServer } from "./server.ts";
import { USUAL_TRAITS } from "../../src/server/schemas.ts";

const BIRD = "https://pictures.example/bird.png";
const BODY = { prompt: "a red hat", input_image: BIRD };
const NAMES = `${ENDPOINT.slice("/v2/".length)}, flux-kontext-dev, flux-kontext-pro or flux-kontext-max`;

const post = (
  { inject }: TestServer,
  body: object,
  { model = "flux-kontext-pro", headers = {} }: { model?: string; headers?: Record<string, string> } = {},
): Promise<LightMyRequestResponse> =>
  inject({ method: "POST", url: `/bfl/v1/${model}`, headers: { "x-key": KEY, ...headers }, payload: body });

const poll = ({ inject }: TestServer, id: string, key = KEY): Promise<LightMyRequestResponse> =>
  inject({ url: `/bfl/v1/get_result?id=${id}`, headers: { "x-key": key } });

/** The state of a job that was changed so. */
async function taskOf(changes: Partial<Job>): Promise<unknown> {
  const server = await startServer();
  const { id } = (await post(server, BODY)).json<{ id: string }>();
  server.jobs.change(id, changes);
  const { id: same, ...task } = (await poll(server, id)).json<{ id: string }>();
  expect(same).toBe(id);
  return task;
}

describe("POST /bfl/v1/{model}", () => {
  it("queues an edit with the fields renamed, and says where to poll", async () => {
    const server = await startServer();
    const response = await post(server, {
      ...BODY,
      input_image_2: "https://pictures.example/hat.png",
      input_image_3: null,
      seed: 41,
      steps: 20,
      guidance: 3.5,
      width: 1024,
      height: 768,
      aspect_ratio: "4:3",
      output_format: "jpeg",
      prompt_upsampling: false,
      safety_tolerance: 2,
      webhook_url: "https://hooks.example/bfl",
      webhook_secret: "hush",
      stile: "none",
    });
    const { id } = response.json<{ id: string }>();
    expect([response.statusCode, response.json()]).toEqual([
      200,
      { id, polling_url: `http://localhost:80/bfl/v1/get_result?id=${id}` },
    ]);
    const [{ edit, webhook, call, isSync }] = server.jobs.submitted as [(typeof server.jobs.submitted)[0]];
    expect(edit).toMatchObject({
      prompt: "a red hat",
      images: [{ url: BIRD }, { url: "https://pictures.example/hat.png" }],
      imageLayout: "index",
      seed: 41,
      numSteps: 20,
      guidance: 3.5,
      size: { width: 1024, height: 768 },
      format: "jpeg",
      isSafetyChecked: true,
      requestNotices: [
        "stile is not known here and has no effect.",
        expect.stringContaining("image_layout index"),
      ],
    });
    expect([webhook, isSync, call]).toEqual([
      "https://hooks.example/bfl",
      false,
      { api: "bfl", prompt: "a red hat", webhookSecret: "hush" },
    ]);
  });

  it.each([
    [{}, undefined],
    [{ aspect_ratio: "1:1" }, { width: 1024, height: 1024 }],
    [{ aspect_ratio: "16:9" }, { width: 1360, height: 768 }],
    // 21:9 of a megapixel would be longer than the longest side.
    [{ aspect_ratio: "21:9" }, { width: 1536, height: 656 }],
    [{ aspect_ratio: "9:21" }, { width: 656, height: 1536 }],
  ])("draws %j", async (fields, size) => {
    const server = await startServer();
    await post(server, { ...BODY, ...fields });
    expect(server.jobs.submitted[0]!.edit.size).toEqual(size);
  });

  it("is one task for one idempotency key", async () => {
    const server = await startServer();
    const headers = { "idempotency-key": "a-key" };
    const first = await post(server, BODY, { headers });
    expect((await post(server, BODY, { headers })).json()).toEqual(first.json());
    const other = await post(server, { ...BODY, seed: 1 }, { headers });
    expect([other.statusCode, other.json()]).toEqual([409, { detail: "Another body." }]);
  });

  it("reaches another endpoint by its id", async () => {
    const jobs = createFakeJobs();
    const server = await startServer({}, { others: [{ id: "flux-2-klein-4b", jobs, model: USUAL_TRAITS }] });
    const { id } = (await post(server, BODY, { model: "flux-2-klein-4b" })).json<{ id: string }>();
    expect([jobs.submitted.length, server.jobs.submitted.length]).toEqual([1, 0]);
    expect((await poll(server, id)).json()).toEqual({ id, status: "Pending", progress: 0 });
  });

  it.each<[object, string, string, string?]>([
    [{ input_image: BIRD }, "prompt", "prompt is missing.", "missing"],
    [{ prompt: "a" }, "input_image", "input_image is missing.", "missing"],
    [{ ...BODY, steps: 99 }, "steps", "steps must be a whole number from 1 to 50."],
    [{ ...BODY, guidance: 11 }, "guidance", "guidance must be a number from 0 to 10."],
    [{ ...BODY, seed: "7" }, "seed", "seed must be a whole number from -1 to 9007199254740991."],
    [{ ...BODY, width: 1024 }, "width", "width and height must be given together."],
    [{ ...BODY, width: 1920, height: 1080 }, "width", "width must be a whole number from 256 to 1536."],
    [
      { ...BODY, aspect_ratio: "5:1" },
      "aspect_ratio",
      "aspect_ratio must be between 21:9 and 9:21, not 5:1.",
    ],
    [
      { ...BODY, output_format: "gif" },
      "output_format",
      "output_format must be png, jpeg, webp, avif or jpg.",
    ],
    [
      { ...BODY, prompt_upsampling: true },
      "prompt_upsampling",
      "prompt_upsampling must not be true: this server does not rewrite prompts.",
    ],
    [{ ...BODY, raw: true }, "raw", "raw must not be true: the model has no such mode."],
    [
      { ...BODY, image_prompt: "x" },
      "image_prompt",
      "image_prompt is not supported: the model edits input_image by its prompt.",
    ],
    [
      { ...BODY, input_image: "a/path" },
      "input_image",
      "input_image must be an http or https URL, a data URL, or base64.",
    ],
    [
      { ...BODY, input_image: "http://127.0.0.1/bird.png" },
      "input_image",
      "input_image: the address of 127.0.0.1 is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.",
    ],
    [
      { ...BODY, webhook_url: "ftp://hooks.example" },
      "webhook_url",
      "webhook_url must be an http or https URL.",
    ],
    [
      { ...BODY, input_image_2: BIRD, input_image_3: BIRD, input_image_4: BIRD, input_image_5: BIRD },
      "input_image",
      "input_image must be at most 4 images, not 5.",
    ],
  ])("refuses %j", async (body, field, msg, type = "value_error") => {
    const server = await startServer();
    const response = await post(server, body);
    expect([response.statusCode, response.json(), server.jobs.submitted]).toEqual([
      422,
      { detail: [{ loc: ["body", field], msg, type }] },
      [],
    ]);
  });

  it("answers in sentences what is not the body's fault", async () => {
    const server = await startServer({ runsyncMaxBytes: 2000 });
    const answers = [
      await post(server, BODY, { model: "flux-pro-1.1" }),
      await post(server, BODY, { headers: { "x-key": "no-key" } }),
      await server.inject({ method: "POST", url: "/bfl/v1/flux-kontext-pro", payload: BODY }),
      await post(server, { ...BODY, input_image: "A".repeat(3000) }),
      await server.inject({ url: "/bfl/v1/nowhere/at/all", headers: { "x-key": KEY } }),
    ];
    expect(answers.map((answer) => [answer.statusCode, answer.json()])).toEqual([
      [404, { detail: `model: there is none but ${NAMES}.` }],
      [401, { detail: "unauthorized" }],
      [401, { detail: "unauthorized" }],
      [413, { detail: expect.any(String) }],
      [404, { detail: "not found" }],
    ]);
  });

  it("takes x-key on its own paths alone, and an Authorization too", async () => {
    const server = await startServer();
    const bearer = await server.inject({
      method: "POST",
      url: "/bfl/v1/flux-kontext-pro",
      headers: { authorization: `Bearer ${KEY}` },
      payload: BODY,
    });
    const elsewhere = await server.inject({ url: "/v1/models", headers: { "x-key": KEY } });
    expect([bearer.statusCode, elsewhere.statusCode]).toEqual([200, 401]);
  });

  it("counts towards the limits of /run", async () => {
    const server = await startServer({ runRate: 1, ratePerWorker: 0 });
    await post(server, BODY);
    const response = await post(server, BODY);
    expect([response.statusCode, response.json(), response.headers["retry-after"]]).toEqual([
      429,
      { detail: "More than 1 calls in 10 s; try again later." },
      expect.any(String),
    ]);
  });
});

describe("GET /bfl/v1/get_result", () => {
  it("is Pending while the task waits and runs", async () => {
    expect(await taskOf({})).toEqual({ status: "Pending", progress: 0 });
    expect(await taskOf({ status: "running" })).toEqual({ status: "Pending", progress: 0 });
    const progress = { step: 7, of: 28 };
    expect(await taskOf({ status: "running", progress })).toEqual({ status: "Pending", progress: 0.25 });
  });

  it("is Ready with the sample", async () => {
    const key = createKey("outputs", "png");
    const ended = {
      status: "completed",
      startedAt: new Date(1_800_000_000_000),
      endedAt: new Date(1_800_000_002_500),
      executionMs: 2500,
      result: resultOf(key, { notices: ["A notice."] }),
    } as const;
    expect(await taskOf(ended)).toEqual({
      status: "Ready",
      progress: 1,
      result: {
        sample: expect.stringMatching(/^http:\/\/localhost:80\/files\/.+signature=/),
        prompt: "a red hat",
        seed: 7,
        start_time: 1_800_000_000,
        end_time: 1_800_000_002.5,
        duration: 2.5,
      },
      details: { notices: ["A notice."] },
    });
  });

  it.each<[Partial<Job>, string, string]>([
    [
      {
        status: "failed",
        error: "It looks so.",
        failure: { code: "OUTPUT_FLAGGED", kind: "sentence", values: {} } as never,
      },
      "Content Moderated",
      "It looks so.",
    ],
    [{ status: "failed", error: "It broke." }, "Error", "It broke."],
    [{ status: "timedOut", error: "It took too long." }, "Error", "It took too long."],
    [{ status: "cancelled" }, "Error", "The task was cancelled."],
  ])("of %j says why", async (changes, status, error) => {
    expect(await taskOf(changes)).toEqual({ status, details: { error } });
  });

  it("does not know tasks of other keys, and shows those of the server's own API", async () => {
    const server = await startServer();
    const id = await server.submit();
    expect((await poll(server, id)).json()).toEqual({ id, status: "Pending", progress: 0 });
    const answers = [await poll(server, id, OTHER_KEY), await poll(server, "%20"), await poll(server, "")];
    for (const answer of answers) {
      expect([answer.statusCode, answer.json()]).toMatchObject([
        404,
        { status: "Task not found", detail: "Task not found" },
      ]);
    }
  });
});
