import type { LightMyRequestResponse } from "fastify";
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import type { Job, NewJob } from "../../src/jobs/job.ts";
import { createKey } from "../../src/storage/storage.ts";
import { resultOf } from "./fakes.ts";
import { documentOf, ENDPOINT, KEY, OTHER_KEY, startServer, type TestServer } from "./server.ts";

const MODEL = ENDPOINT.slice("/v2/".length);
const URL_OF_BIRD = "https://pictures.example/bird.png";
const PICTURE = Buffer.from("the bytes of a picture");
const RESULT = Buffer.from("the bytes of a result");
const EDITS = "/v1/images/edits";

type Fields = Record<string, string | Buffer | (string | Buffer)[]>;
type Options = { query?: string; headers?: Record<string, string> };

/** A form as clients write one: texts, and files with a name. */
async function formOf(fields: Fields): Promise<{ payload: Buffer; headers: Record<string, string> }> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) {
      if (typeof one === "string") form.append(name, one);
      else form.append(name, new Blob([one]), "bird.png");
    }
  }
  const response = new Response(form);
  return {
    payload: Buffer.from(await response.arrayBuffer()),
    headers: { "content-type": response.headers.get("content-type")! },
  };
}

async function postForm(
  { inject }: TestServer,
  fields: Fields,
  { query = "", headers }: Options = {},
): Promise<LightMyRequestResponse> {
  const form = await formOf(fields);
  return inject({
    method: "POST",
    url: `${EDITS}${query}`,
    payload: form.payload,
    headers: { authorization: `Bearer ${KEY}`, ...form.headers, ...headers },
  });
}

const postJson = ({ inject }: TestServer, body: unknown): Promise<LightMyRequestResponse> =>
  inject({
    method: "POST",
    url: EDITS,
    payload: typeof body === "string" ? body : JSON.stringify(body),
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
  });

/** The ids of the jobs that are submitted once `count` of them wait. */
async function submittedBy(server: TestServer, count: number): Promise<string[]> {
  await expect.poll(() => server.jobs.waiting()).toBe(count);
  const { jobs } = await server.jobs.list(`id-of-${KEY}`, { offset: 0, limit: 10 });
  return jobs.map(({ id }) => id).toReversed();
}

/** Ends each job as it says, and hands out the answer. */
async function answered(
  server: TestServer,
  posted: Promise<LightMyRequestResponse>,
  ...ends: Partial<Job>[]
): Promise<LightMyRequestResponse> {
  const ids = await submittedBy(server, ends.length);
  for (const [index, id] of ids.entries()) server.jobs.change(id, ends[index]!);
  return posted;
}

const completed = (server: TestServer, seed = 7): Partial<Job> => {
  const key = createKey("outputs", "png");
  server.storage.objects.set(key, RESULT);
  return { status: "completed", endedAt: new Date(1_800_000_000_500), result: resultOf(key, { seed }) };
};

/** Of several pictures, each a byte: its seed. */
function completedWith(server: TestServer, seeds: readonly number[]): Partial<Job> {
  const images = seeds.map((seed) => {
    const key = createKey("outputs", "png");
    server.storage.objects.set(key, Uint8Array.of(seed));
    return { image: { kind: "stored", key } as const, seed };
  });
  const [{ image, seed }] = images as [(typeof images)[number]];
  const result = { ...resultOf(image.key), image, images, seed, cost: images.length / 10 };
  return { status: "completed", endedAt: new Date(1_800_000_000_500), result };
}

/** What a refused form is answered with. */
async function refusedForm(fields: Fields): Promise<unknown> {
  const server = await startServer();
  const response = await postForm(server, { image: PICTURE, prompt: "a red hat", ...fields });
  expect([response.statusCode, server.jobs.submitted, server.storage.objects.size]).toEqual([400, [], 0]);
  return response.json();
}

const fault = (message: string, param: string | null, code: string | null = "invalid_value"): object => ({
  error: { message, type: "invalid_request_error", param, code },
});

describe("POST /v1/images/edits", () => {
  it("edits the file of a form and answers with the picture in base64", async () => {
    const server = await startServer();
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat" });
    const response = await answered(server, posted, completed(server));
    expect(response.statusCode).toBe(200);
    const { id } = response.json<{ data: { id: string }[] }>().data[0]!;
    expect(response.json()).toEqual({
      created: 1_800_000_000,
      data: [{ b64_json: RESULT.toString("base64"), id, seed: 7, cost: 0.031457 }],
      background: "opaque",
      output_format: "png",
      size: "1024x1024",
      num_inference_steps: 28,
      guidance: 2,
    });
    const [job] = server.jobs.submitted;
    expect(job).toMatchObject({
      isSync: true,
      policy: { executionTimeoutMs: undefined, ttlMs: 86_400_000, retentionMs: 60_000, isLowPriority: false },
      edit: {
        prompt: "a red hat",
        negativePrompt: "",
        trueCfgScale: 2,
        size: { width: 1024, height: 1024 },
        numSteps: 28,
        guidance: 2,
        format: "png",
        isSafetyChecked: true,
        isInlineResult: false,
      },
    });
    expect(job!.edit.images[0]!.kind).toBe("stored");
    const { key } = job!.edit.images[0] as { key: string };
    expect(Buffer.from(server.storage.objects.get(key)!)).toEqual(PICTURE);
    expect((await server.call("GET", `/status/${id}`)).json()).toMatchObject({ id, status: "COMPLETED" });
  });

  it("answers with an address that needs no key, where it is asked for one", async () => {
    const server = await startServer({ publicUrl: "https://edits.example" });
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat", response_format: "url" });
    const response = await answered(server, posted, completed(server));
    const [{ url, b64_json }] = response.json<{ data: [{ url: string; b64_json?: string }] }>().data;
    expect([url, b64_json]).toEqual([
      expect.stringMatching(/^https:\/\/edits\.example\/files\/.+signature=/),
      undefined,
    ]);
  });

  it("has OpenAI's fields and ours", async () => {
    const server = await startServer();
    const posted = postForm(server, {
      "image[]": [PICTURE],
      prompt: "größer 🐦",
      model: "gpt-image-2.5-sunburst",
      n: "1",
      size: "1536x1024",
      quality: "high",
      background: "transparent",
      input_fidelity: "high",
      moderation: "low",
      output_format: "webp",
      output_compression: "70",
      partial_images: "0",
      stream: "False",
      user: "",
      safety_identifier: "somebody",
      seed: "41",
      guidance: "3.5",
      negative_prompt: "rain",
      true_cfg_scale: "4",
      enable_safety_checker: "false",
      enable_base64_output: "true",
      __proto__: "x",
      something: "else",
    });
    await answered(server, posted, completed(server));
    expect(server.jobs.submitted[0]!.edit).toMatchObject({
      prompt: "größer 🐦",
      negativePrompt: "rain",
      trueCfgScale: 4,
      size: { width: 1536, height: 1024 },
      numSteps: 50,
      guidance: 3.5,
      seed: 41,
      format: "webp",
      outputQuality: 70,
      background: "transparent",
      requestNotices: [
        "enable_base64_output is not known here and has no effect.",
        "something is not known here and has no effect.",
      ],
      isSafetyChecked: false,
      isInlineResult: false,
    });
  });

  it.each([
    ["low", undefined, 14],
    ["medium", undefined, 28],
    ["auto", undefined, 28],
    ["max", undefined, 50],
    ["low", "4", 4],
  ])("takes %s quality with %s steps as %i", async (quality, steps, numSteps) => {
    const server = await startServer();
    const more = steps === undefined ? {} : { num_inference_steps: steps };
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat", quality, ...more });
    await answered(server, posted, completed(server));
    expect(server.jobs.submitted[0]!.edit.numSteps).toBe(numSteps);
  });

  it.each(["1,0.5, 1e-1", "[1, 0.5, 0.1]"])("takes noise levels written %s", async (sigmas) => {
    const server = await startServer();
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat", sigmas });
    await answered(server, posted, completed(server));
    expect(server.jobs.submitted[0]!.edit).toMatchObject({ sigmas: [1, 0.5, 0.1], numSteps: 3 });
  });

  it.each<[string, unknown]>([
    ["image_url in a list, as OpenAI has it", { images: [{ image_url: URL_OF_BIRD }] }],
    ["images as a text", { images: [URL_OF_BIRD] }],
    ["image as a text", { image: URL_OF_BIRD, images: null, mask: null }],
    ["image with its address", { image: { image_url: URL_OF_BIRD, file_id: null } }],
  ])("takes JSON: %s", async (_, picture) => {
    const server = await startServer();
    const body = { prompt: "a red hat", n: null, size: "auto", seed: 3, ...(picture as object) };
    const response = await answered(server, postJson(server, body), completed(server));
    expect(response.statusCode).toBe(200);
    expect(server.jobs.submitted[0]!.edit).toMatchObject({
      images: [{ kind: "url", url: URL_OF_BIRD }],
      // The image's own shape.
      size: undefined,
      seed: 3,
    });
  });

  it("takes an address in the place of a file", async () => {
    const server = await startServer();
    const posted = postForm(server, { image: URL_OF_BIRD, prompt: "a red hat" });
    await answered(server, posted, completed(server));
    expect(server.jobs.submitted[0]!.edit.images[0]).toEqual({ kind: "url", url: URL_OF_BIRD });
  });

  it("makes one job of n pictures, each with the next seed and its own cost", async () => {
    const server = await startServer();
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat", n: "3", seed: "4294967294" });
    const response = await answered(server, posted, completedWith(server, [5, 6, 7]));
    const { data } = response.json<{
      data: { id: string; b64_json: string; seed: number; cost: number }[];
    }>();
    expect(data.map(({ seed, cost }) => [seed, cost])).toEqual([
      [5, 0.1],
      [6, 0.1],
      [7, 0.1],
    ]);
    expect(data.map(({ b64_json: text }) => Buffer.from(text, "base64"))).toEqual(
      [5, 6, 7].map((seed) => Buffer.from([seed])),
    );
    expect(new Set(data.map(({ id }) => id)).size).toBe(1);
    const [{ edit }, ...others] = server.jobs.submitted as [NewJob];
    expect([edit.seed, edit.numImages, others]).toEqual([4_294_967_294, 3, []]);
  });

  it("gives n pictures by their addresses", async () => {
    const server = await startServer();
    const body = { images: [URL_OF_BIRD], prompt: "a red hat", n: 2, response_format: "url" };
    const response = await answered(server, postJson(server, body), completedWith(server, [1, 2]));
    const { data } = response.json<{ data: { url: string }[] }>();
    expect(data).toHaveLength(2);
    for (const { url } of data) expect(url).toMatch(/\/files\/[\w-]+\.png\?expires=\d+&signature=/);
    expect(new Set(data.map(({ url }) => url)).size).toBe(2);
  });

  it("takes several images as the request says, or as a model of one image can best, and says so", async () => {
    const server = await startServer();
    const fields = { "image[]": [PICTURE, PICTURE], prompt: "a red hat" };
    await answered(server, postForm(server, { ...fields, image_layout: "stitch" }), completed(server));
    const posted = postForm(server, fields);
    await expect.poll(() => server.jobs.submitted).toHaveLength(2);
    const { jobs } = await server.jobs.list(`id-of-${KEY}`, { offset: 0, limit: 1 });
    server.jobs.change(jobs[0]!.id, completed(server));
    await posted;
    const notice =
      "The model was trained with one image; the images after the first are taken as image_layout index takes them.";
    expect(server.jobs.submitted.map(({ edit }) => [edit.imageLayout, edit.requestNotices])).toEqual([
      ["stitch", undefined],
      ["index", [notice]],
    ]);
    for (const { edit } of server.jobs.submitted) expect(edit.images).toHaveLength(2);
  });

  it("is one job for one idempotency key, whatever stands between the parts of the form", async () => {
    const server = await startServer();
    const headers = { "idempotency-key": "a-key" };
    const fields = { image: PICTURE, prompt: "a red hat" };
    const first = await answered(server, postForm(server, fields, { headers }), completed(server));
    const again = await postForm(server, fields, { headers });
    expect(again.json()).toEqual(first.json());
    const other = await postForm(server, { ...fields, prompt: "a blue hat" }, { headers });
    expect([other.statusCode, other.headers["x-should-retry"], other.json()]).toEqual([
      409,
      "false",
      fault("Another body.", null, null),
    ]);
    // A source whose job is another one's is not kept.
    expect(server.storage.objects.size).toBe(2);
  });

  it.each<[Fields, string, string | null, (string | null)?]>([
    [{ image: [] }, "image is missing.", "image", "missing_required_parameter"],
    [{ "image[]": [PICTURE, PICTURE, PICTURE, PICTURE] }, "image must be at most 4 images, not 5.", "image"],
    [{ image: Buffer.alloc(0) }, "image holds no data.", "image"],
    [{ image: "a/path.png" }, "image must be an http or https URL, a data URL, or base64.", "image"],
    [
      { image: "http://10.0.0.1/a.png" },
      "image: the address of 10.0.0.1 is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.",
      "image",
    ],
    [{ prompt: "" }, "prompt is missing.", "prompt", "missing_required_parameter"],
    [{ prompt: " " }, "prompt must not be empty.", "prompt"],
    [{ prompt: "x".repeat(4001) }, "prompt must be a string of 1 to 4000 characters.", "prompt"],
    [{ prompt: ["a", "b"] }, 'The form has "prompt" twice.', null],
    [{ n: "9" }, "n must be a whole number from 1 to 8.", "n"],
    [{ n: "two" }, "n must be a whole number from 1 to 8.", "n"],
    [
      { n: "8", size: "1536x1536" },
      "n must not be 8: in base64 the results may have at most 16,777,216 pixels in all.",
      "n",
    ],
    [{ sigmas: "1;0" }, "sigmas must be a list of 1 to 50 numbers from 0 to 1.", "sigmas"],
    [{ size: "15x1024" }, "size must be width*height, each from 256 to 1536, not 15*1024.", "size"],
    [
      { size: "big" },
      "size must be auto (the image's shape), source (all of its pixels), or a width and a height such as 1536x1024, each from 256 to 1536.",
      "size",
    ],
    [{ response_format: "json" }, "response_format must be b64_json or url.", "response_format"],
    [{ output_format: "gif" }, "output_format must be png, jpeg, webp, avif or jpg.", "output_format"],
    [
      { output_compression: "80" },
      "output_compression must not be 80: PNG is always lossless; choose jpeg, webp or avif as output_format.",
      "output_compression",
    ],
    [
      { output_compression: "101" },
      "output_compression must be a whole number from 0 to 100.",
      "output_compression",
    ],
    [
      { output_compression: "80", output_quality: "80", output_format: "jpeg" },
      "output_compression and output_quality must not be given together.",
      "output_compression",
    ],
    [
      { background: "transparent", output_format: "jpeg" },
      "background must not be transparent: JPEG has no transparency.",
      "background",
    ],
    [
      { background: "clear" },
      "background must be auto, transparent, opaque or a colour such as #ffffff.",
      "background",
    ],
    [{ quality: "best" }, "quality must be auto, low, medium, high, xhigh, max or standard.", "quality"],
    [{ input_fidelity: "medium" }, "input_fidelity must be high or low.", "input_fidelity"],
    [{ moderation: "off" }, "moderation must be auto or low.", "moderation"],
    [{ partial_images: "2" }, "partial_images must not be given without stream.", "partial_images"],
    [
      { partial_images: "4", stream: "true" },
      "partial_images must be a whole number from 0 to 3.",
      "partial_images",
    ],
    [
      { stream: "true", response_format: "url" },
      "response_format must not be url: the events of a stream hold the pictures.",
      "response_format",
    ],
    [{ complexity: "high" }, "complexity is not supported: there is nothing to plan.", "complexity"],
    [{ seed: "-2" }, "seed must be a whole number from -1 to 9007199254740991.", "seed"],
    [{ seed: "0x7" }, "seed must be a whole number from -1 to 9007199254740991.", "seed"],
    [
      { num_inference_steps: "51" },
      "num_inference_steps must be a whole number from 1 to 50.",
      "num_inference_steps",
    ],
    [{ prompt: "a\0b" }, "The form has U+0000 in a text.", null],
    [
      Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`x${index}`, "1"])),
      "The form has more than 100 parts.",
      null,
    ],
  ])("refuses a form: $1", async (fields, message, param, code = param && "invalid_value") => {
    expect(await refusedForm(fields)).toEqual(fault(message, param, code));
  });

  it.each<[unknown, string, string | null, (string | null)?]>([
    ["", "The body must be a form or a JSON object.", null],
    ["[]", "The body must be a form or a JSON object.", null],
    ["{", "The body is not valid JSON.", null],
    [
      "prompt=a",
      "The body is a URL-encoded form; send JSON, or multipart/form-data to /v1/images/edits.",
      null,
    ],
    [
      { input: { prompt: "a" } },
      'prompt is missing; the body has "input.prompt".',
      "prompt",
      "missing_required_parameter",
    ],
    [
      { prompt: "a", input_image: URL_OF_BIRD },
      'image is missing; the body has "input_image".',
      "image",
      "missing_required_parameter",
    ],
    [{}, "prompt is missing.", "prompt", "missing_required_parameter"],
    [{ prompt: "a" }, "image is missing.", "image", "missing_required_parameter"],
    [{ prompt: 1, image: URL_OF_BIRD }, "prompt must be a string of 1 to 4000 characters.", "prompt"],
    [
      { prompt: "a", images: [{ file_id: "file-1" }] },
      "images must be a list of one object with an image_url; this server keeps no files to refer to.",
      "images",
    ],
    [{ prompt: "a", images: Array(5).fill(URL_OF_BIRD) }, "image must be at most 4 images, not 5.", "image"],
  ])("refuses JSON: $1", async (body, message, param, code = param && "invalid_value") => {
    const server = await startServer();
    const response = await postJson(server, body);
    expect([response.statusCode, response.json()]).toEqual([400, fault(message, param, code)]);
    expect(server.jobs.submitted).toEqual([]);
  });

  /** A form written by hand: the headers of each part, and its content. */
  const partsOf = (
    ...parts: (readonly [string, string | Buffer])[]
  ): { payload: Buffer; headers: Record<string, string> } => ({
    payload: Buffer.concat([
      ...parts.flatMap(([head, content]) => [
        Buffer.from(`--x\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
        Buffer.from(content),
        Buffer.from("\r\n"),
      ]),
      Buffer.from("--x--\r\n"),
    ]),
    headers: {
      "content-type": 'Multipart/Form-Data; charset=utf-8; boundary="x"',
      authorization: `Bearer ${KEY}`,
    },
  });
  const PNG = Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
  const PROMPT = ['name="prompt"', "ein roter Hut für dich"] as const;

  it.each<[string, readonly [string, string | Buffer]]>([
    ["no file name", ['name="image"', PNG]],
    ["no file name but a type", ['name="image"\r\nContent-Type: image/png', PNG]],
    ["an empty file name", ['name="image"; filename=""', PNG]],
    ["an extended file name", ["name=\"image\"; filename*=UTF-8''b%C3%BCcher.png", PNG]],
    ["another case", ['NAME=image; FileName="A.PNG"\r\ncontent-type: Image/PNG', PNG]],
    ["a list's name", ['name="image[]"; filename="a.png"', PNG]],
    ["a numbered name", ['name="image[0]"; filename="a.png"', PNG]],
    ["the name images", ['name="images"; filename="a.png"', PNG]],
    [
      "base64",
      ['name="image"; filename="a.png"\r\nContent-Transfer-Encoding: BASE64', PNG.toString("base64")],
    ],
    ["a file that only its headers call base64", ['name="image"\r\nContent-Transfer-Encoding: base64', PNG]],
  ])("takes the picture of a part with %s", async (_, part) => {
    const server = await startServer();
    const form = partsOf(PROMPT, part, ['name="n"', ""]);
    await answered(server, server.inject({ method: "POST", url: EDITS, ...form }), completed(server));
    const { edit } = server.jobs.submitted[0]!;
    expect(edit.prompt).toBe("ein roter Hut für dich");
    const { key } = edit.images[0] as { key: string };
    expect(Buffer.from(server.storage.objects.get(key)!)).toEqual(PNG);
  });

  it.each<[string, readonly [string, string | Buffer]]>([
    [
      "a text that is sent as a file",
      ['name="prompt"; filename="prompt.txt"\r\nContent-Type: text/plain', "a red hat"],
    ],
    ["a text of the type of bytes", ['name="prompt"\r\nContent-Type: application/octet-stream', "a red hat"]],
    ["a text in base64", ['name="prompt"\r\nContent-Transfer-Encoding: base64', "YSByZWQgaGF0"]],
    ["a text in Latin-1", ['name="prompt"\r\nContent-Type: text/plain; charset=iso-8859-1', "a red hat"]],
  ])("takes %s", async (_, part) => {
    const server = await startServer();
    const form = partsOf(part, ['name="image"; filename="a.png"', PNG]);
    await answered(server, server.inject({ method: "POST", url: EDITS, ...form }), completed(server));
    expect(server.jobs.submitted[0]!.edit.prompt).toBe("a red hat");
  });

  it.each<[readonly [string, string | Buffer], string, string | null, (string | null)?]>([
    [['name="file"; filename="a.png"', PNG], 'image is missing; the form has a file in "file".', "image"],
    [['name="Image"', URL_OF_BIRD], 'image is missing; the body has "Image".', "image"],
    [
      ['filename="a.png"', PNG],
      "image is missing; the form has a file without a name of its field.",
      "image",
    ],
    [['name="image_url"', URL_OF_BIRD], 'image is missing; the body has "image_url".', "image"],
    [['name="image"; filename=""', ""], "image is missing.", "image"],
    [
      ['name="seed"; filename="a.png"', PNG],
      "seed must be a text in UTF-8, not a file.",
      "seed",
      "invalid_value",
    ],
    [
      ['name="image"\r\nContent-Transfer-Encoding: base64', "?"],
      'The form has "image" in base64, by its headers, and its data is not base64.',
      null,
      null,
    ],
    [
      ['name="image"\r\nContent-Transfer-Encoding: quoted-printable', "a=3D"],
      'The form has "image" in the transfer encoding "quoted-printable"; send it as it is.',
      null,
      null,
    ],
    [
      ['name="user"', Buffer.from("f\xfcr", "latin1")],
      'The form has text in "user" that is not UTF-8, or has U+FFFD.',
      null,
      null,
    ],
  ])(
    "says of a part which field it is about: $1",
    async (part, message, param, code = "missing_required_parameter") => {
      const server = await startServer();
      const response = await server.inject({ method: "POST", url: EDITS, ...partsOf(PROMPT, part) });
      expect([response.statusCode, response.json()]).toEqual([400, fault(message, param, code)]);
    },
  );

  it.each([
    ["a boundary that is not in it", "multipart/form-data; boundary=none", "The body is not a valid form."],
    [
      "no boundary",
      "multipart/form-data",
      "The content type of the form names no boundary, or too long a one.",
    ],
  ])("refuses a form with %s", async (_, contentType, message) => {
    const server = await startServer();
    const fields = { image: PICTURE, prompt: "a" };
    const response = await postForm(server, fields, { headers: { "content-type": contentType } });
    expect([response.statusCode, response.json()]).toEqual([400, fault(message, null, null)]);
  });

  it("refuses a form that is cut short", async () => {
    const server = await startServer();
    const { payload, headers } = await formOf({ image: PICTURE, prompt: "a" });
    for (const bytes of [30, 100, payload.byteLength - 10]) {
      const response = await server.inject({
        method: "POST",
        url: EDITS,
        payload: payload.subarray(0, bytes),
        headers: { authorization: KEY, ...headers },
      });
      expect([response.statusCode, response.json()]).toEqual([
        400,
        fault("The body is not a valid form.", null, null),
      ]);
    }
  });

  it.each<[Partial<Job>, number, object]>([
    [
      {
        status: "failed",
        error: "image: it cannot be downloaded.",
        failure: {
          code: "IMAGE_UNREADABLE",
          kind: "about",
          values: { field: "image", sentence: "it cannot be downloaded." },
        },
      },
      400,
      fault("image: it cannot be downloaded.", "image"),
    ],
    [
      {
        status: "failed",
        error: "The safety checker refused the result: it looks pornographic.",
        failure: { code: "OUTPUT_FLAGGED", kind: "flagged", values: { score: "0.950", threshold: 0.9 } },
      },
      400,
      {
        error: {
          message: "The safety checker refused the result: it looks pornographic.",
          type: "image_generation_user_error",
          param: null,
          code: "moderation_blocked",
        },
      },
    ],
    [
      { status: "failed", error: "The edit failed unexpectedly." },
      500,
      { error: { message: "The edit failed unexpectedly.", type: "server_error", param: null, code: null } },
    ],
    [
      { status: "timedOut", error: "The job took too long." },
      504,
      { error: { message: "The job took too long.", type: "server_error", param: null, code: "timeout" } },
    ],
  ])("answers the job %j with %i", async (end, status, error) => {
    const server = await startServer();
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat" });
    const response = await answered(server, posted, { ...end, endedAt: new Date() });
    expect([response.statusCode, response.json()]).toEqual([status, error]);
    // Clients would submit it again by themselves.
    expect(response.headers["x-should-retry"]).toBe("false");
  });

  it("says which job was cancelled", async () => {
    const server = await startServer();
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat" });
    const [id] = await submittedBy(server, 1);
    await server.call("POST", `/cancel/${id}`);
    expect((await posted).json()).toEqual(fault(`The job ${id} was cancelled.`, null, null));
    expect((await posted).statusCode).toBe(409);
  });

  it("names the job that is not done in time, which goes on", async () => {
    const server = await startServer();
    const posted = postForm(server, { image: PICTURE, prompt: "a red hat" }, { query: "?wait=1" });
    const [id] = await submittedBy(server, 1);
    const response = await posted;
    expect([response.statusCode, response.headers["x-should-retry"], response.json()]).toEqual([
      504,
      "false",
      {
        error: {
          message: `The edit continues as job ${id}; GET ${ENDPOINT}/status/${id} tells when it ends.`,
          type: "server_error",
          param: null,
          code: "timeout",
        },
      },
    ]);
    server.jobs.change(id!, completed(server));
    expect((await server.call("GET", `/status/${id}`)).json()).toMatchObject({ status: "COMPLETED" });
  });

  it("is over with the client, and the job goes on", async () => {
    const server = await startServer({}, { connectionTimes: { halfCloseMs: 0 } });
    const address = await server.app.listen({ port: 0 });
    const controller = new AbortController();
    const { payload, headers } = await formOf({ image: PICTURE, prompt: "a red hat" });
    const gone = fetch(`${address}${EDITS}`, {
      method: "POST",
      body: payload,
      headers: { authorization: KEY, ...headers },
      signal: controller.signal,
    });
    const [id] = await submittedBy(server, 1);
    controller.abort();
    await expect(gone).rejects.toThrow(/abort/);
    await expect.poll(() => server.jobs.waiting()).toBe(0);
    expect((await server.call("GET", `/status/${id}`)).json()).toMatchObject({ status: "IN_QUEUE" });
  });

  it("is a matter of the key's owner", async () => {
    const server = await startServer();
    const fields = { image: PICTURE, prompt: "a red hat" };
    const posted = postForm(server, fields, { headers: { authorization: `Bearer ${OTHER_KEY}` } });
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    expect(server.jobs.submitted[0]!.keyId).toBe(`id-of-${OTHER_KEY}`);
    await server.app.close();
    expect((await posted).statusCode).toBe(504);
  });

  it("shares the limits of /runsync", async () => {
    const server = await startServer({ runsyncRate: 1, ratePerWorker: 0, runsyncMaxBytes: 2000 });
    const large = await postForm(server, { image: Buffer.alloc(3000), prompt: "a" });
    expect([large.statusCode, large.json()]).toEqual([
      413,
      fault("The body is larger than this route allows.", null, null),
    ]);
    const second = await server.call("POST", "/runsync", { body: {} });
    expect(second.statusCode).toBe(429);
    const third = await postForm(server, { image: PICTURE, prompt: "a" });
    expect([third.statusCode, third.json<{ error: object }>().error]).toMatchObject([
      429,
      { type: "requests", param: null, code: "rate_limit_exceeded" },
    ]);
  });
});

describe("GET /v1/models", () => {
  const headers = { authorization: `Bearer ${KEY}` };
  const model = { id: MODEL, object: "model", created: 1_750_896_000, owned_by: "retouch" };

  it("has the one model", async () => {
    const { inject } = await startServer();
    expect((await inject({ url: "/v1/models", headers })).json()).toEqual({ object: "list", data: [model] });
    expect((await inject({ url: `/v1/models/${MODEL}`, headers })).json()).toEqual(model);
    const other = await inject({ url: "/v1/models/gpt-image-2", headers });
    expect([other.statusCode, other.json()]).toEqual([
      404,
      fault(`model: there is none but ${MODEL}.`, "model", "model_not_found"),
    ]);
  });
});

describe("an error under /v1", () => {
  it.each([
    ["GET", "/v1/models", 401, "unauthorized", "invalid_api_key"],
    ["POST", EDITS, 401, "unauthorized", "invalid_api_key"],
    ["GET", "/v1/files", 404, "not found", null],
    ["POST", "/v1/images/generations", 404, "not found", null],
    ["GET", EDITS, 405, "Only POST can be used here.", null],
    ["DELETE", "/v1/models", 405, "Only GET, HEAD can be used here.", null],
  ] as const)("%s %s is %i in OpenAI's shape", async (method, url, status, message, code) => {
    const { inject } = await startServer();
    const response = await inject({ method, url });
    expect([response.statusCode, response.json()]).toEqual([status, fault(message, null, code)]);
    expect(response.headers["x-should-retry"]).toBe("false");
  });

  it("tells of a database that is away, and of a defect, with nothing of their insides", async () => {
    const server = await startServer();
    const fields = { image: URL_OF_BIRD, prompt: "a" };
    for (const [error, status, message, retry] of [
      [
        new RetouchError("DATABASE_UNAVAILABLE", "postgres://user@host"),
        503,
        "The service is unavailable at the moment; try again later.",
        "true",
      ],
      [new TypeError("Cannot read properties"), 500, "internal error", "false"],
    ] as const) {
      server.jobs.refuseNext(error);
      const response = await postForm(server, fields);
      expect([response.statusCode, response.headers["x-should-retry"], response.json()]).toEqual([
        status,
        retry,
        { error: { message, type: "server_error", param: null, code: null } },
      ]);
    }
  });

  it("is like all others elsewhere", async () => {
    const { inject } = await startServer();
    for (const url of ["/v1x", "/v2/v1/models", "/v10/models"]) {
      expect((await inject({ url })).json()).toEqual({ error: expect.any(String) });
    }
  });
});

describe("the document of /v1", () => {
  it("has both kinds of body, with OpenAI's fields and ours, and every status", async () => {
    const { app } = await startServer();
    const operation = documentOf(app).paths[EDITS]!["post"] as unknown as {
      security: object[];
      requestBody: { content: Record<string, { schema: { properties: Record<string, object> } }> };
      responses: object;
    };
    expect(operation.security).toEqual([{ key: [] }]);
    const { content } = operation.requestBody;
    expect(Object.keys(content)).toEqual(["multipart/form-data", "application/json"]);
    expect(content["multipart/form-data"]!.schema.properties).toMatchObject({
      image: { type: "string", format: "binary" },
      n: { type: "integer", minimum: 1, maximum: 8, default: 1 },
      seed: { type: "integer" },
    });
    expect(content["application/json"]!.schema.properties["images"]).toMatchObject({ type: "array" });
    expect(Object.keys(operation.responses)).toEqual([
      "200",
      "400",
      "401",
      "404",
      "408",
      "409",
      "413",
      "429",
      "500",
      "503",
      "504",
      "507",
    ]);
  });
});
