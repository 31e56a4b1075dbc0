import { describe, expect, it } from "vitest";
import type { JobEdit } from "../../src/jobs/job.ts";
import { readConfig } from "../../src/config/config.ts";
import { editInputSchema } from "../../src/server/schemas.ts";
import { documentOf, INPUT, startServer } from "./server.ts";
import type { ServerSettings } from "../../src/server/settings.ts";

/** The edit that an input becomes. */
async function editOf(input: object, settings: Partial<ServerSettings> = {}): Promise<JobEdit> {
  const { call, jobs } = await startServer(settings);
  const response = await call("POST", "/run", { body: { input: { ...INPUT, ...input } } });
  expect(response.statusCode, response.body).toBe(200);
  return jobs.submitted[0]!.edit;
}

/** The sentence that refuses a body, after a look that nothing was queued or kept. */
async function sentenceFor(body: unknown, settings: Partial<ServerSettings> = {}): Promise<string> {
  const { call, jobs, storage } = await startServer(settings);
  for (const [route, id] of [
    ["/run", /^[0-9a-f-]{36}-u1$/],
    ["/runsync", /^sync-[0-9a-f-]{36}-u1$/],
  ] as const) {
    const response = await call("POST", route, { body });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({
      id: expect.stringMatching(id),
      status: "FAILED",
      error: expect.any(String),
    });
  }
  expect(jobs.submitted).toEqual([]);
  expect(storage.objects.size).toBe(0);
  return (await call("POST", "/run", { body })).json<{ error: string }>().error;
}

const WHY_ONE =
  "because the model was trained on one; image_layout index, offset or stitch accepts several anyway.";

const refusedInput = (input: object, settings?: Partial<ServerSettings>): Promise<string> =>
  sentenceFor({ input: { ...INPUT, ...input } }, settings);

describe("a field in the wrong place", () => {
  it.each<[object, string]>([
    [{ prompt: "a", image: INPUT.image }, "input is missing; prompt and image must be inside of it."],
    [{ Input: INPUT }, 'input is missing; the body has "Input".'],
    [{ body: { input: INPUT } }, 'input is missing; the body has "body.input".'],
    [{ inputs: INPUT }, "input is missing."],
    [{ input: { input: INPUT } }, 'prompt is missing; the body has "input.input.prompt".'],
    [{ input: { Prompt: "a", image: INPUT.image } }, 'prompt is missing; the body has "input.Prompt".'],
    [{ input: { image: INPUT.image }, prompt: "a" }, 'prompt is missing; the body has "prompt".'],
    [{ input: { prompt: "a", image_url: INPUT.image } }, 'image is missing; the body has "input.image_url".'],
    [{ input: { prompt: "a" } }, "image is missing."],
    [{ input: { image: INPUT.image, text: null } }, "prompt is missing."],
    [{ input: { image: INPUT.image, a: { b: { c: { d: { prompt: "a" } } } } } }, "prompt is missing."],
  ])("is named with the place where it is: %j", async (body, sentence) => {
    const { call, jobs } = await startServer();
    const response = await call("POST", "/run", { body });
    expect([response.statusCode, response.json<{ error: string }>().error]).toEqual([400, sentence]);
    expect(jobs.submitted).toEqual([]);
  });
});

describe("an endpoint of a model with other traits", () => {
  it("takes several images by itself, and refuses to be told how", async () => {
    const { call, jobs } = await startServer({}, { model });
    const input = { prompt: "a red hat", image: ["https://a.example/a.png", "https://a.example/b.png"] };
    expect((await call("POST", "/run", { body: { input } })).statusCode).toBe(200);
    expect(jobs.submitted[0]!.edit.images).toHaveLength(2);
    const refused = await call("POST", "/run", { body: { input: { ...input, image_layout: "index" } } });
    expect([refused.statusCode, refused.json<{ error: string }>().error]).toEqual([
      400,
      "image_layout is not supported: the model of this checkpoint takes several images by itself.",
    ]);
  });

  const model = {
    minImages: 0,
    maxImages: 4,
    takesSizeRule: true,
    defaults: { numSteps: 4, guidance: 1, isGuided: false },
  };

  it("has the model's defaults, and takes the reference's rule of sizes", async () => {
    const { app, call, jobs } = await startServer({}, { model });
    const body = { input: { prompt: "a red hat", size_rule: "diffusers" } };
    expect((await call("POST", "/run", { body })).statusCode).toBe(200);
    expect(jobs.submitted[0]!.edit).toMatchObject({
      sizeRule: "diffusers",
      size: { width: 1024, height: 1024 },
      numSteps: 4,
      guidance: 1,
    });
    const { guidance, num_inference_steps: steps } = editInputSchema(readConfig({}), model).properties;
    expect(steps).toMatchObject({ default: 4 });
    expect(guidance).toMatchObject({
      default: 1,
      description:
        "How closely the prompt is followed. It has no effect on this model, which was distilled to do without it.",
    });
    expect(JSON.stringify(documentOf(app))).toContain("It has no effect on this model");
  });
});

describe("an input", () => {
  it("has the documented defaults", async () => {
    const { seed, ...edit } = await editOf({});
    expect(edit).toEqual({
      prompt: "a red hat",
      negativePrompt: "",
      sizeRule: "exact",
      sampler: "euler",
      isEmptyNegativeUsed: false,
      trueCfgScale: 2,
      size: { width: 1024, height: 1024 },
      numSteps: 28,
      guidance: 2,
      acceleration: "off",
      numImages: 1,
      imageLayout: "auto",
      format: "png",
      background: "auto",
      isSafetyChecked: true,
      isInlineResult: false,
      isPreviewed: false,
      isUnchangedKept: false,
      preserve: "off",
      isMaskWanted: false,
      loras: [],
      strength: 1,
      maskBlur: 0,
      maskFeather: 0,
      images: [{ kind: "url", url: INPUT.image }],
      bucket: undefined,
    });
    expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true);
  });

  it("is taken over field by field", async () => {
    const edit = await editOf({
      negative_prompt: "rain",
      true_cfg_scale: 3.5,
      size: "1472*1140",
      num_inference_steps: 50,
      guidance: 0,
      seed: 0,
      output_format: "jpeg",
      enable_safety_checker: false,
      enable_base64_output: true,
      enable_preview: true,
      keep_unchanged: true,
    });
    expect(edit).toMatchObject({
      negativePrompt: "rain",
      trueCfgScale: 3.5,
      size: { width: 1472, height: 1140 },
      numSteps: 50,
      guidance: 0,
      seed: 0,
      format: "jpeg",
      isSafetyChecked: false,
      isInlineResult: true,
      isPreviewed: true,
      isUnchangedKept: true,
    });
  });

  it.each<[string, object, Partial<JobEdit>]>([
    ["guidance_scale", { guidance_scale: 3 }, { guidance: 3 }],
    ["acceleration", { acceleration: "auto" }, { acceleration: "auto", minPsnr: 40 }],
    ["min_psnr", { acceleration: "auto", min_psnr: 34.5 }, { acceleration: "auto", minPsnr: 34.5 }],
    ["the default of min_psnr without acceleration", { min_psnr: 40 }, { acceleration: "off" }],
    ["guidance before guidance_scale", { guidance: 1, guidance_scale: 3 }, { guidance: 1 }],
    ["width and height", { width: 512, height: 768 }, { size: { width: 512, height: 768 } }],
    ["image_format", { image_format: "jpeg" }, { format: "jpeg" }],
    ["jpg", { output_format: "jpg" }, { format: "jpeg" }],
    ["webp", { output_format: "webp", output_quality: 80 }, { format: "webp", outputQuality: 80 }],
    ["avif", { image_format: "avif" }, { format: "avif", outputQuality: undefined }],
    ["a colour as background", { background: "#Ffcc00" }, { background: "#Ffcc00" }],
    ["transparency", { background: "transparent", output_format: "webp" }, { background: "transparent" }],
    ["known fields, without a notice", { enable_sync_mode: true }, { requestNotices: undefined }],
    [
      "unknown fields, with the nearest known one",
      { aspect_ratio: 1, num_steps: 4, guidence: 2 },
      {
        requestNotices: [
          "aspect_ratio is not known here and has no effect.",
          "num_steps is not known here and has no effect; did you mean num_inference_steps?",
          "guidence is not known here and has no effect; did you mean guidance?",
        ],
      },
    ],
    ["a size with x", { size: "512x768" }, { size: { width: 512, height: 768 } }],
    ["a size with blanks", { size: " 512 X 768 " }, { size: { width: 512, height: 768 } }],
    ["a second prompt", { prompt_2: "a red hat with a feather" }, { prompt2: "a red hat with a feather" }],
    ["an empty second prompt, as none", { prompt_2: "" }, { prompt2: undefined }],
    ["a number of text tokens", { max_sequence_length: 512 }, { maxSequenceLength: 512 }],
    [
      "an empty negative prompt that counts",
      { negative_prompt: "", use_empty_negative_prompt: true },
      { negativePrompt: "", isEmptyNegativeUsed: true },
    ],
    [
      "noise levels, which decide the steps",
      { sigmas: [1, 0.5, 0.1], num_inference_steps: 28 },
      { sigmas: [1, 0.5, 0.1], numSteps: 3 },
    ],
    ["a sampler", { sampler: "dpmpp_2m" }, { sampler: "dpmpp_2m" }],
    [
      "as many steps as are enough, which nobody measured here",
      { num_inference_steps: "auto" },
      { numSteps: 28, requestNotices: [expect.stringContaining("the edit takes the model's own 28.")] },
    ],
    ["the rule of sizes that every model has", { size_rule: "exact" }, { sizeRule: "exact" }],
    ["several results", { num_images: 8 }, { numImages: 8 }],
    [
      "several results in base64",
      { num_images: 8, enable_base64_output: true },
      { numImages: 8, isInlineResult: true },
    ],
    [
      "several images, one of them under two names",
      { images: [INPUT.image, "https://a.example/b.png"], image_layout: "offset" },
      {
        images: [
          { kind: "url", url: INPUT.image },
          { kind: "url", url: "https://a.example/b.png" },
        ],
        imageLayout: "offset",
      },
    ],
    [
      "an image and others",
      { images: ["https://a.example/b.png"], image_layout: "stitch" },
      {
        images: [
          { kind: "url", url: INPUT.image },
          { kind: "url", url: "https://a.example/b.png" },
        ],
        imageLayout: "stitch",
      },
    ],
    ["enable_sync_mode", { enable_sync_mode: true }, {}],
    ["seeds above 32 bits", { seed: 2 ** 40 }, { seed: 2 ** 40 }],
    ["keys of clients", { maxPollAttempts: 60, pollIntervalMillis: 5000, foo: { bar: [null] } }, {}],
  ])("may have %s", async (_, input, expected) => {
    expect(await editOf(input)).toMatchObject(expected);
  });

  it("may write 28.0 for 28, and a list of one image", async () => {
    const { call, jobs } = await startServer();
    const body = '{"input":{"prompt":"p","images":["https://a.example/b.png"],"num_inference_steps":28.0}}';
    expect((await call("POST", "/run", { body })).statusCode).toBe(200);
    expect(jobs.submitted[0]!.edit).toMatchObject({
      numSteps: 28,
      images: [{ kind: "url", url: "https://a.example/b.png" }],
    });
  });

  it("gets a new seed for -1 each time", async () => {
    const { call, jobs } = await startServer();
    const body = { input: { ...INPUT, seed: -1 } };
    await call("POST", "/run", { body });
    await call("POST", "/run", { body });
    const [first, second] = jobs.submitted.map(({ edit }) => edit.seed);
    expect(first).not.toBe(second);
  });

  it("takes all of the image's pixels, however long RETOUCH_MAX_SIDE lets a side be", async () => {
    const server = await startServer({ minSide: 16, maxSide: 64 });
    await server.submit({ ...INPUT, size: "source" });
    expect(server.jobs.submitted[0]!.edit.size).toBe("source");
  });

  it.each<[object, string]>([
    [{ prompt: undefined }, "prompt is missing."],
    [{ prompt: "" }, "prompt must be a string of 1 to 4000 characters."],
    [{ prompt: " \n" }, "prompt must not be empty."],
    [{ prompt: 5 }, "prompt must be a string of 1 to 4000 characters."],
    [{ prompt: "p".repeat(4001) }, "prompt must be a string of 1 to 4000 characters."],
    [{ prompt_2: "p".repeat(4001) }, "prompt_2 must be a string of at most 4000 characters."],
    [{ max_sequence_length: 0 }, "max_sequence_length must be a whole number from 1 to 512."],
    [{ max_sequence_length: 513 }, "max_sequence_length must be a whole number from 1 to 512."],
    [{ use_empty_negative_prompt: 1 }, "use_empty_negative_prompt must be true or false."],
    ...[[], [1.5], ["1"], 1, Array.from({ length: 51 }, () => 0.5)].map((sigmas): [object, string] => [
      { sigmas },
      Array.isArray(sigmas) && sigmas.length === 1
        ? "sigmas[0] must be a number from 0 to 1."
        : "sigmas must be a list of 1 to 50 numbers from 0 to 1.",
    ]),
    [{ num_inference_steps: "Auto" }, "num_inference_steps must be a whole number from 1 to 50."],
    [{ sampler: "ddim" }, "sampler must be euler, heun or dpmpp_2m."],
    [{ size_rule: "stretch" }, "size_rule must be exact or diffusers."],
    [
      { size_rule: "diffusers" },
      "size_rule is not supported: diffusers has a rule of sizes of this kind for FLUX.2 alone.",
    ],
    [{ image: undefined }, "image is missing."],
    [{ image: "" }, "image must be a string that is not empty, or a list of at most 4 strings."],
    [{ image: [] }, "image must be a string that is not empty, or a list of at most 4 strings."],
    [{ image: ["a", "b"] }, `image must be one image, not 2, ${WHY_ONE}`],
    [
      { image: ["a", "b", "c"], images: ["d", "e"], image_layout: "index" },
      "image must be at most 4 images, not 5.",
    ],
    [{ image_layout: "beside" }, "image_layout must be auto, index, offset or stitch."],
    [{ image: [1] }, "image[0] must be a string that is not empty."],
    [{ image: undefined, images: [] }, "images must be a list of at most 4 strings."],
    [{ image: undefined, images: ["a", "b"] }, `image must be one image, not 2, ${WHY_ONE}`],
    [{ images: ["a", "b"] }, `image must be one image, not 3, ${WHY_ONE}`],
    [{ images: ["a", "b", "c", "d", "e"] }, "images must be a list of at most 4 strings."],
    [{ image: "bird.png" }, "image must be an http or https URL, a data URL, or base64."],
    [{ image: "ftp://a.example/b.png" }, "image must be an http or https URL, a data URL, or base64."],
    [{ image: "http://[::1" }, "image is not a valid URL."],
    [{ image: "https://u:p@a.example/" }, "image must not be a URL with a user name or password."],
    [{ image: "data:image/png;base64,*" }, "image: the data URL cannot be read: its data is not base64."],
    [{ negative_prompt: 1 }, "negative_prompt must be a string of at most 4000 characters."],
    [{ true_cfg_scale: 0.9 }, "true_cfg_scale must be a number from 1 to 10."],
    [
      { size: "big" },
      "size must be width*height, each from 256 to 1536, auto (the image's shape) or source (all of its pixels).",
    ],
    [{ size: "source", size_rule: "exact", preserve: "all" }, "preserve must be off, exact or auto."],
    [{ preserve: "off", keep_unchanged: true }, "preserve and keep_unchanged must not be given together."],
    [{ preserve: "auto", keep_unchanged: false }, "preserve and keep_unchanged must not be given together."],
    [{ enable_mask_output: true }, "enable_mask_output is not supported: nothing is preserved."],
    [{ size: "4096*4096" }, "size must be width*height, each from 256 to 1536, not 4096*4096."],
    [{ size: " 255 * 256" }, "size must be width*height, each from 256 to 1536, not 255*256."],
    [{ width: 512 }, "width and height must be given together."],
    [{ width: 512, height: 8 }, "height must be a whole number from 256 to 1536."],
    [{ num_inference_steps: 0 }, "num_inference_steps must be a whole number from 1 to 50."],
    [{ num_inference_steps: 51 }, "num_inference_steps must be a whole number from 1 to 50."],
    [{ num_inference_steps: "28" }, "num_inference_steps must be a whole number from 1 to 50."],
    [{ num_inference_steps: 1.5 }, "num_inference_steps must be a whole number from 1 to 50."],
    [{ guidance: 11 }, "guidance must be a number from 0 to 10."],
    [{ guidance_scale: -1 }, "guidance_scale must be a number from 0 to 10."],
    [{ acceleration: "on" }, "acceleration must be off or auto."],
    [{ acceleration: "auto", min_psnr: 29 }, "min_psnr must be a number from 30 to 60."],
    [{ acceleration: "auto", min_psnr: 61 }, "min_psnr must be a number from 30 to 60."],
    [{ min_psnr: 34 }, "min_psnr must not be given without acceleration."],
    [{ acceleration: "off", min_psnr: 50 }, "min_psnr must not be given without acceleration."],
    [{ seed: -2 }, "seed must be a whole number from -1 to 9007199254740991."],
    [{ seed: null }, "seed must be a whole number from -1 to 9007199254740991."],
    [
      { background: "transparent", output_format: "jpg" },
      "background must not be transparent: JPEG has no transparency.",
    ],
    [{ background: "white" }, "background must be auto, transparent, opaque or a colour such as #ffffff."],
    [{ output_quality: 0 }, "output_quality must be a whole number from 1 to 100."],
    [{ output_format: "gif" }, "output_format must be png, jpeg, webp, avif or jpg."],
    [{ enable_safety_checker: "no" }, "enable_safety_checker must be true or false."],
    [{ enable_preview: "yes" }, "enable_preview must be true or false."],
    [{ keep_unchanged: 1 }, "keep_unchanged must be true or false."],
    [{ num_images: 0 }, "num_images must be a whole number from 1 to 8."],
    [{ num_images: 9 }, "num_images must be a whole number from 1 to 8."],
    [{ num_images: "2" }, "num_images must be a whole number from 1 to 8."],
    [
      { num_images: 8, size: "1536*1536", enable_base64_output: true },
      "num_images must not be 8: in base64 the results may have at most 16,777,216 pixels in all.",
    ],
  ])("of %j is refused by name", async (input, sentence) => {
    expect(await refusedInput(input)).toBe(sentence);
  });

  it("is refused without a field being read from a prototype", async () => {
    expect(await sentenceFor('{"input":{"__proto__":{"prompt":"p","image":"https://a.example"}}}')).toBe(
      'prompt is missing; the body has "input.__proto__.prompt".',
    );
  });

  it("must be there, as an object", async () => {
    const { call, jobs } = await startServer();
    for (const [body, error] of [
      ["", "The body must be a JSON object."],
      ["{}", "input is missing."],
      ["[]", "The body must be a JSON object."],
      ["null", "The body must be a JSON object."],
      ['{"input":null}', "input must be an object."],
      ['{"input":[]}', "input must be an object."],
      ['{"input":"a"}', "input must be an object."],
      ["{", "The body is not valid JSON."],
      ['{"input":{},"input":{}}', 'The body has the key "input" twice.'],
    ]) {
      const response = await call("POST", "/run", { body });
      expect([response.statusCode, response.json()]).toEqual([400, { error }]);
    }
    expect(jobs.submitted).toEqual([]);
  });
});

describe("the safety checker", () => {
  it("is as asked for where it is optional, and off where it is off", async () => {
    expect((await editOf({})).isSafetyChecked).toBe(true);
    expect((await editOf({ enable_safety_checker: false })).isSafetyChecked).toBe(false);
    expect((await editOf({ enable_safety_checker: true }, { safety: "off" })).isSafetyChecked).toBe(false);
  });

  it("cannot be switched off where it is required", async () => {
    const required = { safety: "required" } as const;
    expect((await editOf({}, required)).isSafetyChecked).toBe(true);
    expect(await refusedInput({ enable_safety_checker: false }, required)).toBe(
      "enable_safety_checker must not be false: this server checks every result.",
    );
  });
});

describe("previews", () => {
  it("are unchecked, so there are none where the checker is required", async () => {
    const preview = { enable_preview: true };
    expect((await editOf(preview)).isPreviewed).toBe(true);
    expect((await editOf(preview, { safety: "off" })).isPreviewed).toBe(true);
    expect((await editOf(preview, { safety: "required" })).isPreviewed).toBe(false);
  });
});

describe("a body around an input", () => {
  const bodyWith = (fields: object): object => ({ input: INPUT, ...fields });

  it("has the documented policy, and another retention for each route", async () => {
    const { call, jobs } = await startServer();
    await call("POST", "/run", { body: bodyWith({}) });
    const held = call("POST", "/runsync", { body: bodyWith({}) });
    await expect.poll(() => jobs.waiting()).toBe(1);
    await call("POST", "/purge-queue");
    await held;
    const policy = { executionTimeoutMs: undefined, ttlMs: 86_400_000, isLowPriority: false };
    expect(jobs.submitted.map(({ isSync }) => isSync)).toEqual([false, true]);
    expect(jobs.submitted.map((job) => job.policy)).toEqual([
      { ...policy, retentionMs: 1_800_000 },
      { ...policy, retentionMs: 60_000 },
    ]);
  });

  it.each([
    [
      { executionTimeout: 3000, ttl: 1 },
      { executionTimeoutMs: 5000, ttlMs: 10_000 },
    ],
    [
      { executionTimeout: 1e12, ttl: 1e12 },
      { executionTimeoutMs: 604_800_000, ttlMs: 604_800_000 },
    ],
    [
      { executionTimeout: 6000.4, ttl: 20_000, lowPriority: true, other: 1 },
      { executionTimeoutMs: 6000, ttlMs: 20_000, isLowPriority: true },
    ],
  ])("has the policy %j brought into range", async (policy, expected) => {
    const { call, jobs } = await startServer();
    expect((await call("POST", "/run", { body: bodyWith({ policy }) })).statusCode).toBe(200);
    expect(jobs.submitted[0]!.policy).toMatchObject(expected);
  });

  it("keeps the address of a webhook byte for byte, under either name", async () => {
    const { call, jobs } = await startServer();
    const address = "https://Hooks.example/a%2Fb?secret=1&&x#part";
    const other = "https://other.example/";
    await call("POST", "/run", { body: bodyWith({ webhook: address, webhookV2: other }) });
    await call("POST", "/run", { body: bodyWith({ webhookV2: other }) });
    await call("POST", "/run", { body: bodyWith({ webhook: "" }) });
    expect(jobs.submitted.map(({ webhook }) => webhook)).toEqual([address, other, undefined]);
  });

  it("hands a bucket over, and shows nothing of it", async () => {
    const { call, jobs, lines } = await startServer();
    const s3Config = {
      accessId: "id",
      accessSecret: "very-secret",
      bucketName: "pictures",
      endpointUrl: "https://s3.example",
      objectPath: "a/b",
      more: 1,
    };
    const response = await call("POST", "/run", { body: bodyWith({ s3Config }) });
    const { more: _, ...bucket } = s3Config;
    expect(jobs.submitted[0]!.edit.bucket).toEqual(bucket);
    expect(response.body + JSON.stringify(lines)).not.toContain("very-secret");
  });

  it.each<[object, string]>([
    [{ webhook: 5 }, "webhook must be a string of at most 8192 characters."],
    [{ webhook: "a.example/hook" }, "webhook must be an http or https URL."],
    [{ webhook: "file:///etc/passwd" }, "webhook must be an http or https URL."],
    [{ webhookV2: "javascript:1" }, "webhookV2 must be an http or https URL."],
    [{ webhook: "https://u:p@a.example" }, "webhook must not be a URL with a user name or password."],
    [{ policy: 1 }, "policy must be an object."],
    [{ policy: { ttl: "1" } }, "policy.ttl must be a number."],
    [{ policy: { lowPriority: 1 } }, "policy.lowPriority must be true or false."],
    [{ s3Config: {} }, "s3Config.accessId is missing."],
    [
      { s3Config: { accessId: "a", accessSecret: "s", bucketName: "", endpointUrl: "https://a.example" } },
      "s3Config.bucketName must be a string of 1 to 255 characters.",
    ],
    [
      { s3Config: { accessId: "a", accessSecret: "s", bucketName: "b", endpointUrl: "s3.example" } },
      "s3Config.endpointUrl must be an http or https URL.",
    ],
    [
      { s3Config: { accessId: "a", accessSecret: "s", bucketName: "a/b", endpointUrl: "https://a.example" } },
      "s3Config.bucketName must be the name of a bucket.",
    ],
    [
      {
        s3Config: {
          accessId: "ASIAIOSFODNN7EXAMPLE",
          accessSecret: "s",
          bucketName: "pictures",
          endpointUrl: "https://s3.amazonaws.com",
        },
      },
      "s3Config.accessId: temporary access keys cannot be used; give a long-term key, which the URL of the result needs for 7 days.",
    ],
  ])("with %j is refused by name", async (fields, sentence) => {
    expect(await sentenceFor(bodyWith(fields))).toBe(sentence);
  });

  it("may have keys that nobody knows", async () => {
    const { call } = await startServer();
    expect((await call("POST", "/run", { body: bodyWith({ timeout: 5, id: "x" }) })).statusCode).toBe(200);
  });
});

describe("an address that leads inside by what it says itself", () => {
  const bucket = { accessId: "a", accessSecret: "s", bucketName: "pictures" };
  const bodyWith: Record<string, (address: string) => object> = {
    webhook: (address) => ({ input: INPUT, webhook: address }),
    webhookV2: (address) => ({ input: INPUT, webhookV2: address }),
    "s3Config.endpointUrl": (address) => ({ input: INPUT, s3Config: { ...bucket, endpointUrl: address } }),
    image: (address) => ({ input: { ...INPUT, image: address } }),
  };
  const fields = Object.keys(bodyWith);

  it.each(fields)("is refused as %s, and nothing of it but the host is repeated", async (field) => {
    for (const [address, host] of [
      ["http://127.0.0.1:6379/secret-path?a=b", "127.0.0.1"],
      ["https://0x7f.1/secret-path", "127.0.0.1"],
      ["http://169.254.169.254/latest", "169.254.169.254"],
      ["http://[::1]/secret-path", "::1"],
      ["http://[::ffff:10.0.0.1]/", "::ffff:a00:1"],
      ["http://LOCALHOST./", "localhost."],
      [`http://${"a".repeat(1500)}.localhost/`, `${"a".repeat(100)}...`],
    ]) {
      expect(await sentenceFor(bodyWith[field]!(address!))).toBe(
        `${field}: the address of ${host} is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.`,
      );
    }
  });

  it.each(fields)("is taken as %s where the operator allows it, with its port", async (field) => {
    const { call } = await startServer({}, { allowPrivateHosts: ["127.0.0.1:9000", "localhost"] });
    const statusOf = async (address: string): Promise<number> =>
      (await call("POST", "/run", { body: bodyWith[field]!(address) })).statusCode;
    expect(await statusOf("http://127.0.0.1:9000/a")).toBe(200);
    expect(await statusOf("http://localhost:1234/a")).toBe(200);
    expect(await statusOf("http://127.0.0.1:9001/a")).toBe(400);
  });

  it.each(fields)("is left to the connection as %s where only its name could lead inside", async (field) => {
    const { call } = await startServer();
    const body = bodyWith[field]!("http://nas.local:8080/a");
    expect((await call("POST", "/run", { body })).statusCode).toBe(200);
  });
});

describe("the LoRAs of an input", () => {
  const loras = { ink: "/srv/loras/ink.safetensors", snow: "/srv/loras/snow.safetensors" };

  it("are taken by their names, with their scales", async () => {
    const edit = await editOf({ loras: [{ name: "ink" }, { path: "snow", scale: -0.5 }] }, { loras });
    expect(edit.loras).toEqual([
      { name: "ink", scale: 1 },
      { name: "snow", scale: -0.5 },
    ]);
  });

  it.each(["rain", "/srv/loras/ink.safetensors", "toString"])(
    "are refused with the known names, where one is called %s",
    async (name) => {
      expect(await refusedInput({ loras: [{ path: name }] }, { loras })).toBe(
        `loras: there is no LoRA ${JSON.stringify(name)}; known are ink, snow.`,
      );
    },
  );

  it("are refused where this server has none", async () => {
    expect(await refusedInput({ loras: [{ name: "ink" }] })).toBe(
      'loras: there is no LoRA "ink"; none is known here.',
    );
  });

  it("are refused by the field that is wrong", async () => {
    expect(await refusedInput({ loras: [{ scale: 1 }] }, { loras })).toBe("loras[0].name is missing.");
    for (const wrong of [
      [{ name: "ink", scale: 11 }],
      [{ name: 5 }],
      Array.from({ length: 5 }, () => ({ name: "ink" })),
    ]) {
      expect(await refusedInput({ loras: wrong }, { loras })).toMatch(/^loras/);
    }
  });
});
