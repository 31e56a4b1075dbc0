/** The wire's conformance cases about pictures, with the real engine and the checkpoint that ships. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import {
  type Answer,
  type DatabaseName,
  realEngine,
  startTestService,
  type TestService,
} from "../support/service.ts";

const PROMPT = "Make it night";

// Without PostgreSQL the conformance suite is skipped on it, and says why.
const databases: readonly DatabaseName[] =
  postgresMissing === undefined ? ["PGlite", "PostgreSQL"] : ["PGlite"];

describe.each(databases)("the endpoint with the shipped checkpoint on %s", (database) => {
  let server: TestService;
  let example: Buffer;
  beforeAll(async () => {
    server = await startTestService({ database, engine: realEngine });
    example = await readFile(path.join(root, "examples", "bluebird.png"));
  });
  afterAll(() => server.close());

  const edit = (input: object): Promise<Answer> =>
    server.call("/runsync", {
      body: { input: { prompt: PROMPT, seed: 3, size: "256*256", num_inference_steps: 3, ...input } },
    });
  const pictureOf = async ({ body }: Answer): Promise<Buffer> => {
    expect(body).toMatchObject({ status: "COMPLETED" });
    return Buffer.from(await (await fetch(body.output.image_url)).arrayBuffer());
  };
  const pixelsOf = (picture: Buffer): Promise<Buffer> => sharp(picture).raw().toBuffer();
  const exampleUrl = (): string => `${server.address}/examples/bluebird.png`;

  it("28: edits a picture alike by address, data URL and base64, and by the format's content alone", async () => {
    const byUrl = await pixelsOf(await pictureOf(await edit({ image: exampleUrl() })));
    const base64 = example.toString("base64");
    for (const image of [`data:image/png;base64,${base64}`, `data:text/plain;base64,${base64}`, base64]) {
      expect((await pixelsOf(await pictureOf(await edit({ image })))).equals(byUrl)).toBe(true);
    }
    for (const format of ["jpeg", "webp"] as const) {
      const bytes = await sharp(example).toFormat(format, { quality: 100 }).toBuffer();
      const image = `data:image/${format};base64,${bytes.toString("base64")}`;
      const { width, height } = await sharp(await pictureOf(await edit({ image }))).metadata();
      expect([width, height]).toEqual([256, 256]);
    }
  });

  it.each([
    ["1472*1140", 1472, 1140],
    ["1024x1024", 1024, 1024],
    [" 300 X 260 ", 300, 260],
  ])("30: draws exactly %s", async (size, width, height) => {
    const answer = await edit({ image: exampleUrl(), size });
    expect(await sharp(await pictureOf(answer)).metadata()).toMatchObject({ width, height });
    expect(answer.body.output.size).toBe(`${width}*${height}`);
  });

  it("30: takes width and height, and 1024*1024 where nothing is said", async () => {
    const both = await edit({ image: exampleUrl(), size: undefined, width: 512, height: 264 });
    expect(both.body.output.size).toBe("512*264");
    expect((await edit({ image: exampleUrl(), size: undefined })).body.output.size).toBe("1024*1024");
  });

  it("31: answers in the format that was asked for, PNG by default", async () => {
    for (const [output_format, extension, type] of [
      ["jpeg", ".jpeg", "image/jpeg"],
      ["jpg", ".jpeg", "image/jpeg"],
      ["png", ".png", "image/png"],
      ["webp", ".webp", "image/webp"],
      ["avif", ".avif", "image/avif"],
      [undefined, ".png", "image/png"],
    ] as const) {
      const answer = await edit({ image: exampleUrl(), output_format });
      const url = new URL(answer.body.output.image_url);
      expect(path.extname(url.pathname)).toBe(extension);
      const response = await fetch(url);
      expect(response.headers.get("content-type")).toBe(type);
      const { format, xmpAsString } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
      expect(`image/${format}`).toBe(type === "image/avif" ? "image/heif" : type);
      expect(xmpAsString).toContain("compositeWithTrainedAlgorithmicMedia");
      expect(xmpAsString).not.toContain(PROMPT);
    }
  });

  it("32: draws the same for the same seed, and says which seed it chose", async () => {
    const [first, second] = [await edit({ image: exampleUrl() }), await edit({ image: exampleUrl() })];
    expect((await pictureOf(first)).equals(await pictureOf(second))).toBe(true);
    expect(first.body.output.seed).toBe(3);
    const [one, other] = [
      await edit({ image: exampleUrl(), seed: -1 }),
      await edit({ image: exampleUrl(), seed: -1 }),
    ];
    expect(one.body.output.seed).not.toBe(other.body.output.seed);
    expect((await pictureOf(one)).equals(await pictureOf(other))).toBe(false);
    const again = await edit({ image: exampleUrl(), seed: one.body.output.seed });
    expect((await pictureOf(again)).equals(await pictureOf(one))).toBe(true);
  });

  it("says what was in effect", async () => {
    const { body } = await edit({
      image: exampleUrl(),
      negative_prompt: "stars",
      true_cfg_scale: 3,
      guidance_scale: 4,
    });
    expect(body.output).toMatchObject({
      num_inference_steps: 3,
      guidance: 4,
      negative_prompt_used: true,
      true_cfg_scale: 3,
      working_size: "128*128",
      model: "tiny",
      precision: "float32",
      cost: 0.001966,
    });
  });

  it("edits its own result again, by the address that it gave", async () => {
    const first = await edit({ image: exampleUrl() });
    const second = await edit({ image: first.body.output.image_url });
    expect(second.body.status).toBe("COMPLETED");
    const forged = first.body.output.image_url.replace("signature=", "signature=x");
    expect(await edit({ image: forged })).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/^image/) },
    });
  });

  it.each([true, false])("streams the picture as it forms where asked: %s", async (enable_preview) => {
    const { body: queued } = await server.call("/run", {
      body: {
        input: {
          prompt: PROMPT,
          image: exampleUrl(),
          size: "256*256",
          num_inference_steps: 50,
          enable_preview,
        },
      },
    });
    const outputs: { progress?: string; preview?: string }[] = [];
    for (let state = ""; state !== "COMPLETED";) {
      const { body } = await server.call(`/stream/${queued.id}`);
      state = body.status;
      outputs.push(...body.stream.map(({ output }: { output: object }) => output));
    }
    const between = outputs.filter(({ progress }) => progress && !/^(?:0|50)\//.test(progress));
    expect(between.length).toBeGreaterThan(0);
    const previews = between.flatMap(({ preview }) => preview ?? []);
    expect(previews.length > 0).toBe(enable_preview);
    for (const preview of previews) {
      const bytes = Buffer.from(preview.replace("data:image/jpeg;base64,", ""), "base64");
      expect(await sharp(bytes).metadata()).toMatchObject({ format: "jpeg", width: 64, height: 64 });
    }
    for (const output of outputs.filter((one) => !between.includes(one))) {
      expect(output).not.toHaveProperty("preview");
    }
  });

  it("keeps what was not edited where asked, and shows where", async () => {
    const image = `${server.address}/examples/car.png`;
    const prompt = "Make the car green";
    const { body } = await edit({ image, prompt, keep_unchanged: true, num_inference_steps: 8 });
    const { changed_share, unchanged_mask, working_size } = body.output;
    expect(changed_share).toBeGreaterThan(0.1);
    expect(changed_share).toBeLessThan(0.8);
    expect(String(changed_share)).toMatch(/^0\.\d{1,4}$/);
    const bytes = Buffer.from(unchanged_mask.replace("data:image/png;base64,", ""), "base64");
    const { width, height } = await sharp(bytes).metadata();
    expect(`${width}*${height}`).toBe(working_size);
    const without = await edit({ image, prompt, num_inference_steps: 8 });
    expect(without.body.output).not.toHaveProperty("changed_share");
    expect(without.body.output).not.toHaveProperty("unchanged_mask");
  });

  it("says so where what was not edited cannot be kept", async () => {
    const { body } = await edit({ image: exampleUrl(), size: "512*256", keep_unchanged: true });
    expect(body.output.notices).toEqual([expect.stringContaining("differ in shape")]);
    expect(body.output).not.toHaveProperty("changed_share");
  });

  it("answers with a data URL where asked", async () => {
    const { body } = await edit({ image: exampleUrl(), enable_base64_output: true });
    const bytes = Buffer.from(body.output.image_url.replace(/^data:image\/png;base64,/, ""), "base64");
    expect(await sharp(bytes).metadata()).toMatchObject({ format: "png", width: 256 });
  });
});
