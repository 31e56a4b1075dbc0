/** Masks on the wire and on OpenAI's route: what is taken, and what is refused with 400 and the field's name. */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { toDataUrl } from "../../src/images/data-url.ts";
import { createKey } from "../../src/storage/storage.ts";
import { USUAL_TRAITS } from "../../src/server/schemas.ts";
import { INPUT, KEY, startServer, type TestServer } from "./server.ts";

const pngOf = async (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: "#ffffff" } })
    .png()
    .toBuffer();
const [image, mask, other, across] = await Promise.all([
  pngOf(30, 20),
  pngOf(30, 20),
  pngOf(31, 20),
  pngOf(20, 30),
]);
/** To be turned by a quarter. */
const turned = await sharp(across).withMetadata({ orientation: 6 }).png().toBuffer();
const plain = (background: string): Promise<Buffer> =>
  sharp({ create: { width: 30, height: 20, channels: 3, background } })
    .png()
    .toBuffer();
const black = await plain("#7f7f7f");
const dot = await sharp(await plain("#000000"))
  .composite([{ input: await pngOf(1, 1), left: 15, top: 10 }])
  .png()
  .toBuffer();
const damaged = mask.subarray(0, mask.length - 20);
const url = (bytes: Buffer): string => toDataUrl("image/png", bytes);
const MASK_URL = "https://pictures.example/mask.png";

type ServerSettingsOf = Parameters<typeof startServer>[0];
const EXAMPLE = "http://localhost:80/examples/bluebird.png";

async function submitted(input: Record<string, unknown>, settings: ServerSettingsOf = {}) {
  const server = await startServer(settings);
  const body = { input: { ...INPUT, ...input, ...(input["image"] === "EXAMPLE" && { image: EXAMPLE }) } };
  const response = await server.call("POST", "/run", { body });
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

  it.each<[Record<string, unknown>, string | RegExp]>([
    [{ image: url(image), mask: url(other) }, "mask: it has 31 x 20 pixels, and the image 30 x 20."],
    [{ image: url(image), mask: url(across) }, "mask: it has 20 x 30 pixels, and the image 30 x 20."],
    [{ image: "EXAMPLE", mask: url(mask) }, "mask: it has 30 x 20 pixels, and the image 1024 x 1024."],
    [{ mask: url(damaged) }, /^mask: it is damaged or cut short/],
    [{ image: url(damaged), mask: url(other) }, "mask: it has 31 x 20 pixels, and the image 30 x 20."],
    [{ mask: url(black) }, "mask: nothing of it is white, so nothing may change."],
    [{ mask: black.toString("base64") }, "mask: nothing of it is white, so nothing may change."],
    [
      { image: url(image), mask: url(dot), mask_blur: 3 },
      "mask: nothing of it is white once it has been blurred, so nothing may change.",
    ],
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

  it("refuses a mask of too many pixels by its header", async () => {
    const large = Buffer.from(mask);
    // The header's checksum is not what says so.
    large.writeUInt32BE(20_000, 16);
    large.writeUInt32BE(20_000, 20);
    const { response } = await submitted({ image: url(image), mask: url(large) });
    expect([response.statusCode, response.json<{ error: string }>().error]).toEqual([
      400,
      expect.stringMatching(/^mask: /),
    ]);
  });

  it("takes the earlier result of an edit as a mask or an image, and checks it", async () => {
    const server = await startServer();
    const key = createKey("outputs", "png");
    await server.storage.put(key, other);
    const earlier = `http://localhost:80${server.signedUrls.sign(key, new Date())}`;
    const sentences: string[] = [];
    for (const input of [
      { image: url(image), mask: earlier },
      { image: earlier, mask: url(mask) },
    ]) {
      const response = await server.call("POST", "/run", { body: { input: { ...INPUT, ...input } } });
      sentences.push(response.json<{ error: string }>().error);
    }
    expect(sentences).toEqual([
      "mask: it has 31 x 20 pixels, and the image 30 x 20.",
      "mask: it has 30 x 20 pixels, and the image 31 x 20.",
    ]);
  });

  it("leaves a damaged image to its job", async () => {
    const { response } = await submitted({ image: url(damaged), mask: url(mask) });
    expect(response.statusCode).toBe(200);
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
    const sentenceOf = async (numImages: number, changes: object): Promise<string | undefined> => {
      const image = Array.from({ length: numImages }, () => INPUT.image);
      const input = { ...body.input, image, ...changes };
      const response = await several.call("POST", "/run", { body: { input } });
      return response.json<{ error?: string }>().error;
    };
    expect(await sentenceOf(3, {})).toBe(
      "mask: it goes with the image to edit and at most one to look at, and there are 3.",
    );
    expect(await sentenceOf(2, { image_layout: "index" })).toBe(
      "image_layout must not be index: with a mask, the second image shows what is to be drawn inside.",
    );
    expect(await sentenceOf(2, {})).toBeUndefined();
    expect(several.jobs.submitted[0]!.edit.images).toHaveLength(2);
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
/** A form as it travels. */
async function sent(form: FormData) {
  const response = new Response(form);
  const headers = { authorization: `Bearer ${KEY}`, "content-type": response.headers.get("content-type")! };
  return { payload: Buffer.from(await response.arrayBuffer()), headers };
}
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
    [{ mask: black }, "mask: nothing of it is white, so nothing may change.", "mask"],
    [{ mask: url(black) }, "mask: nothing of it is white, so nothing may change.", "mask"],
    [{ mask: damaged }, "mask: it is damaged or cut short: its PNG data cannot be decoded.", "mask"],
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

  it("takes a mask with a second image to look at, and several results of both", async () => {
    const server = await startServer();
    const body = new FormData();
    const bytesOf = (bytes: Buffer): Blob => new Blob([Uint8Array.from(bytes)]);
    for (const name of ["image[]", "image[]", "mask"]) body.append(name, bytesOf(image), "a.png");
    body.append("prompt", "a red hat");
    body.append("n", "3");
    const { headers, payload } = await sent(body);
    await server.inject({ method: "POST", url: "/v1/images/edits?wait=1000", payload, headers });
    const { edit } = server.jobs.submitted[0]!;
    expect(edit).toMatchObject({ numImages: 3, isTransparencyEdited: true, mask: { kind: "stored" } });
    expect(edit.images).toHaveLength(2);
    // Without a mask, several images are as transparent as they are.
    const none = await startServer();
    body.delete("mask");
    body.append("image_layout", "index");
    const without = await sent(body);
    await none.inject({ method: "POST", url: "/v1/images/edits?wait=1000", ...without });
    expect(none.jobs.submitted[0]!.edit).toMatchObject({ isTransparencyEdited: false, numImages: 3 });
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
