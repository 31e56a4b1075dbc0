/** Masks on the wire and on OpenAI's route: what is taken, and what is refused with 400 and the field's name. */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { toDataUrl } from "../../src/images/data-url.ts";
import { USUAL_TRAITS } from "../../src/server/schemas.ts";
import { INPUT, KEY, startServer, type TestServer } from "./server.ts";

const pngOf = async (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: "#ffffff" } })
    .png()
    .toBuffer();
const [image, mask, other, turned] = await Promise.all([
  pngOf(30, 20),
  pngOf(30, 20),
  pngOf(31, 20),
  pngOf(20, 30),
]);
const url = (bytes: Buffer): string => toDataUrl("image/png", bytes);
const MASK_URL = "https://pictures.example/mask.png";

async function submitted(input: object, settings: Parameters<typeof startServer>[0] = {}) {
  const server = await startServer(settings);
  const response = await server.call("POST", "/run", { body: { input: { ...INPUT, ...input } } });
  return { server, response, edit: server.jobs.submitted[0]?.edit };
}

describe("the wire", () => {
  it("takes a mask as it takes an image, with its fields", async () => {
    const fields = { strength: 0.5, padding_mask_crop: 32, mask_blur: 2.5, mask_feather: 8 };
    const { edit, server } = await submitted({ image: url(image), mask: url(mask), ...fields });
    expect(edit).toMatchObject({
      images: [{ kind: "stored", size: { width: 30, height: 20 } }],
      mask: { kind: "stored", size: { width: 30, height: 20 } },
      strength: 0.5,
      paddingMaskCrop: 32,
      maskBlur: 2.5,
      maskFeather: 8,
    });
    expect(server.storage.objects.size).toBe(2);
    expect(server.jobs.submitted[0]!.sources).toHaveLength(2);
    const { edit: later } = await submitted({ mask: MASK_URL });
    expect(later).toMatchObject({ mask: { kind: "url", url: MASK_URL }, strength: 1, maskBlur: 0 });
    const { edit: without } = await submitted({});
    expect(without?.mask).toBeUndefined();
  });

  it("gives a result of the image's shape where a mask comes without a size", async () => {
    expect((await submitted({ image: url(image), mask: url(mask) })).edit?.size).toBeUndefined();
    expect((await submitted({ image: url(image), mask: url(mask), size: "512*256" })).edit?.size).toEqual({
      width: 512,
      height: 256,
    });
    expect((await submitted({ image: url(image) })).edit?.size).toEqual({ width: 1024, height: 1024 });
  });

  it("takes a mask whose sides are the image's once both are upright", async () => {
    expect((await submitted({ image: url(image), mask: url(turned) })).response.statusCode).toBe(200);
  });

  it.each<[object, string | RegExp]>([
    [{ image: url(image), mask: url(other) }, "mask: it has 31 x 20 pixels, and the image 30 x 20."],
    [{ mask: url(Buffer.from("not a picture at all")) }, /^mask: it is not an image; .* are accepted\.$/],
    [{ mask: "data:image/png;base64,%" }, /^mask: it cannot be read: |^mask: the data URL cannot be read: /],
    [{ mask: "hat.png" }, "mask must be an http or https URL, a data URL, or base64."],
    [{ mask: "" }, /^mask must/],
    [{ mask: 5 }, /^mask must/],
    [{ mask: "http://user:word@pictures.example/a.png" }, /^mask must not be a URL with a user name/],
    [{ mask: "http://127.0.0.1/mask.png" }, /^mask: .*not public/],
    [{ mask: MASK_URL, strength: 0 }, "strength must be a number above 0, not 0."],
    [{ mask: MASK_URL, strength: 1.1 }, /^strength must be a number from 0 to 1/],
    [{ mask: MASK_URL, padding_mask_crop: -1 }, /^padding_mask_crop must/],
    [{ mask: MASK_URL, mask_feather: 3 }, /^mask_feather: it is the edge/],
    [{ strength: 0.5 }, "strength must not be given without mask."],
    [{ padding_mask_crop: 5 }, "padding_mask_crop must not be given without mask."],
    [{ mask_blur: 5 }, "mask_blur must not be given without mask."],
    [{ mask_feather: 5 }, "mask_feather must not be given without mask."],
  ])("refuses %j", async (input, sentence) => {
    const { response, server } = await submitted(input);
    expect(response.statusCode).toBe(400);
    const { error } = response.json<{ error: string }>();
    if (typeof sentence === "string") expect(error).toBe(sentence);
    else expect(error).toMatch(sentence);
    expect([server.jobs.submitted, server.storage.objects.size]).toEqual([[], 0]);
  });

  it("refuses a mask of too many bytes, and keeps nothing", async () => {
    const { response, server } = await submitted(
      { image: url(image), mask: url(Buffer.concat([mask, Buffer.alloc(2000)])) },
      { imageMaxBytes: 1500 },
    );
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      error: expect.stringMatching(/^mask: the data URL is larger than the limit of 1500 bytes/),
    });
    expect(server.storage.objects.size).toBe(0);
  });

  it("refuses a mask where the model takes none, or takes it with other images", async () => {
    const none = await startServer({}, { model: { ...USUAL_TRAITS, takesMask: false } });
    const body = { input: { ...INPUT, mask: MASK_URL } };
    const refused = await none.call("POST", "/run", { body });
    expect([refused.statusCode, refused.json()]).toEqual([
      400,
      expect.objectContaining({ error: "mask is not supported: the model of this checkpoint takes none." }),
    ]);
    const several = await startServer({}, { model: USUAL_TRAITS });
    const two = { input: { ...body.input, image: [INPUT.image, INPUT.image], image_layout: "index" } };
    expect((await several.call("POST", "/run", { body: two })).json()).toMatchObject({
      error: "mask: it goes with one image, and there are 2.",
    });
  });
});

const postForm = async (server: TestServer, fields: Record<string, string | Buffer>) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, new Blob([Uint8Array.from(value)]), "a.png");
  }
  const response = new Response(form);
  return server.inject({
    method: "POST",
    url: "/v1/images/edits?wait=1000",
    payload: Buffer.from(await response.arrayBuffer()),
    headers: { authorization: `Bearer ${KEY}`, "content-type": response.headers.get("content-type")! },
  });
};
const postJson = (server: TestServer, body: object) =>
  server.inject({
    method: "POST",
    url: "/v1/images/edits?wait=1000",
    payload: JSON.stringify({ prompt: "a red hat", ...body }),
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
  });

describe("OpenAI's route", () => {
  it("takes a mask as a file, whose transparency is what may change", async () => {
    const server = await startServer();
    await postForm(server, { image, mask, prompt: "a red hat", strength: "0.75" });
    expect(server.jobs.submitted[0]!.edit).toMatchObject({
      mask: { kind: "stored", size: { width: 30, height: 20 } },
      isTransparencyEdited: true,
      strength: 0.75,
    });
    expect(server.jobs.submitted[0]!.edit.size).toBeUndefined();
  });

  it.each([{ image_url: MASK_URL }, MASK_URL])("takes a mask in JSON: %j", async (given) => {
    const server = await startServer();
    await postJson(server, { image: INPUT.image, mask: given });
    expect(server.jobs.submitted[0]!.edit).toMatchObject({
      mask: { kind: "url", url: MASK_URL },
      isTransparencyEdited: true,
    });
  });

  it("leaves the image's transparency to the engine where there is no mask", async () => {
    const server = await startServer();
    await postForm(server, { image, prompt: "a red hat" });
    expect(server.jobs.submitted[0]!.edit).toMatchObject({ isTransparencyEdited: true });
    expect(server.jobs.submitted[0]!.edit.mask).toBeUndefined();
    const none = await startServer({}, { model: { ...USUAL_TRAITS, takesMask: false } });
    await postForm(none, { image, prompt: "a red hat" });
    expect(none.jobs.submitted[0]!.edit).toMatchObject({ isTransparencyEdited: false });
  });

  it.each<[Record<string, string | Buffer>, string, string]>([
    [{ mask: other }, "mask: it has 31 x 20 pixels, and the image 30 x 20.", "mask"],
    [{ mask: "hat.png" }, "mask must be an http or https URL, a data URL, or base64.", "mask"],
    [{ mask, strength: "2" }, "strength must be a number from 0 to 1.", "strength"],
  ])("refuses a form with 400, and names the field: $1", async (fields, message, param) => {
    const server = await startServer();
    const response = await postForm(server, { image, prompt: "a red hat", ...fields });
    expect([response.statusCode, response.json()]).toEqual([
      400,
      { error: { message, param, type: "invalid_request_error", code: "invalid_value" } },
    ]);
    expect([server.jobs.submitted, server.storage.objects.size]).toEqual([[], 0]);
  });

  it("answers a job that failed for its mask with 400", async () => {
    const server = await startServer();
    const posted = postForm(server, { image, mask, prompt: "a red hat" });
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    const { jobs } = await server.jobs.list(`id-of-${KEY}`, { offset: 0, limit: 1 });
    const sentence = "nothing of it is white, so nothing may change.";
    server.jobs.change(jobs[0]!.id, {
      status: "failed",
      error: `mask: ${sentence}`,
      failure: { code: "INVALID_PARAMETER", kind: "about", values: { field: "mask", sentence } },
    });
    const response = await posted;
    expect([response.statusCode, response.json()]).toMatchObject([400, { error: { param: "mask" } }]);
  });
});
