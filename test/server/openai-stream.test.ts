/** `stream` of POST /v1/images/edits: what comes as server-sent events. */
import type { LightMyRequestResponse } from "fastify";
import { expect, it } from "vitest";
import { createKey } from "../../src/storage/storage.ts";
import { resultOf } from "./fakes.ts";
import { KEY, startServer, type TestServer } from "./server.ts";

const RESULT = Buffer.from("the bytes of a result");
/** 1 x 1 pixel. */
const DOT =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const post = ({ inject }: TestServer, fields: object): Promise<LightMyRequestResponse> =>
  inject({
    method: "POST",
    url: "/v1/images/edits",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    payload: {
      prompt: "a red hat",
      images: [{ image_url: "https://pictures.example/bird.png" }],
      stream: true,
      ...fields,
    },
  });

async function idOfWaiting(server: TestServer): Promise<string> {
  await expect.poll(() => server.jobs.waiting()).toBe(1);
  const { jobs } = await server.jobs.list(`id-of-${KEY}`, { offset: 0, limit: 1 });
  return jobs[0]!.id;
}

/** Name and data of each event; comments are none. */
function eventsIn({ body }: LightMyRequestResponse): [string, unknown][] {
  const found = [...body.matchAll(/^event: (.+)\ndata: (.+)\n\n/gm)];
  return found.map(([, name, data]) => [name!, JSON.parse(data!)]);
}

const stored = (server: TestServer, bytes: Buffer) => {
  const key = createKey("outputs", "png");
  server.storage.objects.set(key, bytes);
  return { kind: "stored", key } as const;
};

it("tells pictures as they form, each once, and then the result", async () => {
  const server = await startServer();
  const posted = post(server, { partial_images: 2, quality: "low" });
  const id = await idOfWaiting(server);
  expect(server.jobs.submitted[0]!.edit).toMatchObject({ isPreviewed: true, numPartials: 2 });
  const preview = `data:image/png;base64,${DOT}`;
  server.jobs.addChunk(id, { kind: "progress", progress: { step: 1, of: 28 } });
  server.jobs.addChunk(id, { kind: "progress", progress: { step: 9, of: 28, preview, isPartial: true } });
  server.jobs.addChunk(id, { kind: "progress", progress: { step: 18, of: 28, preview, isPartial: true } });
  const { image } = { image: stored(server, RESULT) };
  server.jobs.change(id, {
    status: "completed",
    endedAt: new Date(1_800_000_000_500),
    result: { ...resultOf(image.key), notices: ["A notice."] },
  });
  const response = await posted;
  expect([response.statusCode, response.headers["content-type"], response.headers["cache-control"]]).toEqual([
    200,
    "text/event-stream; charset=utf-8",
    "no-store",
  ]);
  const partial = {
    type: "image_edit.partial_image",
    b64_json: DOT,
    created_at: expect.any(Number),
    background: "opaque",
    output_format: "png",
    size: "1x1",
    quality: "low",
  };
  expect(eventsIn(response)).toEqual([
    ["image_edit.partial_image", { ...partial, partial_image_index: 0 }],
    ["image_edit.partial_image", { ...partial, partial_image_index: 1 }],
    [
      "image_edit.completed",
      {
        type: "image_edit.completed",
        b64_json: RESULT.toString("base64"),
        created_at: 1_800_000_000,
        quality: "low",
        background: "opaque",
        output_format: "png",
        size: "1024x1024",
        num_inference_steps: 28,
        guidance: 2,
        notices: ["A notice."],
        id,
        seed: 7,
        cost: 0.031457,
      },
    ],
  ]);
  // They are still there for /stream.
  expect(server.jobs.chunksLeft(id)).toBe(3);
});

it("has an event for each of several results", async () => {
  const server = await startServer();
  const posted = post(server, { n: 2 });
  const id = await idOfWaiting(server);
  const images = [7, 8].map((seed) => ({ image: stored(server, Buffer.of(seed)), seed }));
  server.jobs.change(id, {
    status: "completed",
    result: { ...resultOf(images[0]!.image.key), images, cost: 2 },
  });
  expect(eventsIn(await posted)).toMatchObject([
    ["image_edit.completed", { seed: 7, b64_json: "Bw==", cost: 1, quality: "auto" }],
    ["image_edit.completed", { seed: 8, b64_json: "CA==", cost: 1 }],
  ]);
});

it("ends with the failure in OpenAI's shape", async () => {
  const server = await startServer();
  const posted = post(server, {});
  const id = await idOfWaiting(server);
  const failure = { code: "OUTPUT_FLAGGED", kind: "sentence", values: {} } as const;
  server.jobs.change(id, { status: "failed", error: "The result was refused.", failure: failure as never });
  expect(eventsIn(await posted)).toEqual([
    [
      "error",
      {
        type: "error",
        error: {
          message: "The result was refused.",
          type: "image_generation_user_error",
          param: null,
          code: "moderation_blocked",
        },
      },
    ],
  ]);
});

it("names the job where the server stops before its end", async () => {
  const server = await startServer();
  const posted = post(server, {});
  const id = await idOfWaiting(server);
  const closing = server.app.close();
  expect(eventsIn(await posted)).toMatchObject([
    [
      "error",
      { error: { type: "server_error", code: "timeout", message: expect.stringContaining(`job ${id};`) } },
    ],
  ]);
  await closing;
});

it("shows no picture as it forms where every result must be checked", async () => {
  const server = await startServer({ safety: "required" });
  const posted = post(server, { partial_images: 3 });
  const id = await idOfWaiting(server);
  expect(server.jobs.submitted[0]!.edit).toMatchObject({ isPreviewed: false, numPartials: 3 });
  server.jobs.change(id, { status: "cancelled" });
  expect(eventsIn(await posted)).toMatchObject([["error", {}]]);
});

it("answers what is refused as any other call", async () => {
  const server = await startServer();
  const response = await post(server, { size: "1x1" });
  expect([response.statusCode, response.json()]).toMatchObject([400, { error: { param: "size" } }]);
});
