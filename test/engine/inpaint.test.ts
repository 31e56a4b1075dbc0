/** Edits inside masks against diffusers' inpainting pipelines: the latents, and the pictures at 75 dB or more. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Components } from "../../src/engine/components.ts";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { cropPicture, type GrayPicture, type Picture } from "../../src/images/picture.ts";
import { grown } from "../../src/images/plane.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { difference, psnr } from "../support/compare.ts";
import { type FixtureTensor, fixtures, readJson, readTensors } from "../support/fixtures.ts";
import { grayPng, transparentPng } from "../support/gray-png.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

/** As allowed for whole loops in `parity.test.ts`. */
const TOLERANCE = 2e-4;
const PICTURE_DB = 75;

/** An edit in the engine's names. */
interface Case extends Omit<EditRequest, "image" | "mask" | "size"> {
  checkpoint: string;
  size: [number, number];
  mask: string;
  /** Size of the second image, if there is one. */
  reference?: [number, number];
  scheduler?: object;
}
type Family = "kontext" | "klein";

const cases = readJson<Record<Family, Record<string, Case>>>("inpaint.json");
const tensors = await readTensors("inpaint.safetensors");

const rows = Object.entries(cases).flatMap(([family, edits]) =>
  Object.entries(edits).map(([name, edit]) => ({ family: family as Family, name, edit })),
);

async function open(family: Family, { checkpoint, scheduler = {} }: Case): Promise<Engine> {
  const folder =
    family === "kontext"
      ? await copyOfCheckpoint(checkpoint)
      : path.join(fixtures, "klein", "checkpoints", checkpoint);
  if (Object.keys(scheduler).length > 0) {
    const file = path.join(folder, "scheduler", "scheduler_config.json");
    const fields = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...fields, ...scheduler }));
  }
  const engine = await createEngine({
    checkpoint: folder,
    weights: "fp32",
    threads: 1,
    safety: { isOn: false },
  });
  onTestFinished(() => engine.close());
  return engine;
}

function pictureOf({ shape, data }: FixtureTensor): Picture {
  const [height, width] = shape as [number, number];
  return { width, height, data: data as Uint8Array };
}

async function requestOf(family: Family, edit: Case): Promise<EditRequest> {
  const { checkpoint: _, scheduler: __, size, mask, reference, ...fields } = edit;
  const sides = size.join("x");
  return {
    ...fields,
    ...(family === "klein" && { maxSequenceLength: 32 }),
    image: await encodePicture(pictureOf(tensors.get(`source.${sides}`)!), "png"),
    mask: await grayPng(pictureOf(tensors.get(`${mask}.${sides}`)!)),
    images: reference && [
      await encodePicture(pictureOf(tensors.get(`reference.${reference.join("x")}`)!), "png"),
    ],
  };
}

describe.each(rows)("the edit $name of $family", ({ family, name, edit }) => {
  it("ends with diffusers' latents and picture", async () => {
    const engine = await open(family, edit);
    const request = await requestOf(family, edit);
    const { latents } = await engine.editToLatents(request);
    const expected = tensors.get(`${family}.${name}.latents`)!;
    expect(latents.shape).toEqual(expected.shape);
    expect(difference(latents.data, expected.data as Float32Array).relative).toBeLessThanOrEqual(TOLERANCE);

    const result = await engine.edit(request);
    const [width, height] = edit.size;
    expect(result).toMatchObject({ width, height, kept: undefined });
    const wanted = cropPicture(pictureOf(tensors.get(`${family}.${name}.picture`)!), width, height);
    const drawn = await decodePicture(result.image);
    const decibels = psnr(drawn.data, wanted.data);
    expect(decibels).toBeGreaterThanOrEqual(PICTURE_DB);
  });
});

/** A request on the plain checkpoint, and its source and mask. */
async function sample(name: string, family: Family = "kontext") {
  const edit = cases[family][name]!;
  const sides = edit.size.join("x");
  return {
    engine: await open(family, edit),
    request: await requestOf(family, edit),
    source: pictureOf(tensors.get(`source.${sides}`)!),
    mask: pictureOf(tensors.get(`${edit.mask}.${sides}`)!) as GrayPicture,
  };
}

/** How many pixels outside and inside the mask differ from the source. */
function changed(drawn: Picture, source: Picture, mask: GrayPicture): { outside: number; inside: number } {
  const counts = { outside: 0, inside: 0 };
  mask.data.forEach((value, pixel) => {
    const isEqual = [0, 1, 2].every((i) => drawn.data[3 * pixel + i] === source.data[3 * pixel + i]);
    if (!isEqual) counts[value >= 128 ? "inside" : "outside"] += 1;
  });
  return counts;
}

describe.each<[Family, string]>([
  ["kontext", "plain"],
  ["kontext", "plain-odd-size"],
  ["kontext", "plain-crop"],
  ["kontext", "odd"],
  ["klein", "plain"],
  ["klein", "odd-odd-size"],
  ["klein", "plain-crop"],
])("the edit of %s %s", (family, name) => {
  it("keeps every pixel outside the mask if that is wanted, with a feather and without", async () => {
    const { engine, request, source, mask } = await sample(name, family);
    const inside: number[] = [];
    for (const maskFeather of [0, 5]) {
      const result = await engine.edit({ ...request, maskBlur: 0, isUnchangedKept: true, maskFeather });
      const counts = changed(await decodePicture(result.image), source, mask);
      expect(counts.outside).toBe(0);
      inside.push(counts.inside);
      const outside = mask.data.filter((value) => value < 128).length / mask.data.length;
      expect(1 - result.kept!.changedShare).toBeGreaterThanOrEqual(outside - 0.05);
    }
    expect(inside[0]).toBeGreaterThan(0);
    const plain = await decodePicture((await engine.edit({ ...request, maskBlur: 0 })).image);
    // Without it, the autoencoder draws what is outside as well; a crop leaves what is black alone all the same.
    const marked = { ...mask, data: mask.data.map((value) => (value > 0 ? 255 : 0)) };
    expect(changed(plain, source, marked).outside > 0).toBe(request.paddingMaskCrop === undefined);
  });
});

describe("a mask", () => {
  it("has an edge as soft as its feather", async () => {
    const { engine, request, source } = await sample("plain");
    const drawnAt = async (maskFeather: number): Promise<Picture> =>
      decodePicture((await engine.edit({ ...request, isUnchangedKept: true, maskFeather })).image);
    const away = ({ data }: Picture): number =>
      data.reduce((sum, value, i) => sum + Math.abs(value - source.data[i]!), 0);
    const [hard, soft, softer] = [away(await drawnAt(0)), away(await drawnAt(4)), away(await drawnAt(12))];
    expect(soft).toBeLessThan(hard);
    expect(softer).toBeLessThan(soft);
    expect(softer).toBeGreaterThan(0);
  });

  it("keeps what lies outside at another size of the result, too", async () => {
    const { engine, request, source, mask } = await sample("plain");
    const size = { width: 128, height: 128 };
    const result = await engine.edit({ ...request, size, isUnchangedKept: true });
    expect(result).toMatchObject(size);
    const [drawn, large] = [await decodePicture(result.image), await resizePicture(source, 128, 128)];
    // Lanczos reaches three pixels of the mask beyond its edge.
    const far = grown({ ...mask, data: Float32Array.from(mask.data, (v) => (v > 0 ? 1 : 0)) }, 4);
    for (const [pixel, mark] of far.data.entries()) {
      if (mark !== 0) continue;
      const at = (2 * Math.floor(pixel / 64) * 128 + 2 * (pixel % 64)) * 3;
      expect(drawn.data.subarray(at, at + 3)).toEqual(large.data.subarray(at, at + 3));
    }
  });

  it("goes with as many images of one draw, and with steps that are taken up again", async () => {
    const { engine, request } = await sample("plain-strength");
    const { images } = await engine.edit({ ...request, numImagesPerPrompt: 2 });
    expect(images[0]).not.toEqual(images[1]);
    const states: Uint8Array[] = [];
    const steps: string[] = [];
    const whole = await engine.edit(request, {
      onState: async (state) => void states.push(await state.encode()),
      onStep: ({ step, of }) => void steps.push(`${step}/${of}`),
    });
    expect(steps).toEqual(["3/5", "4/5", "5/5"]);
    const rest = await engine.edit(request, { resumeFrom: states[0]! });
    expect(rest.resumedFrom).toBe(3);
    expect(rest.image).toEqual(whole.image);
    const other = await engine.edit({ ...request, strength: 0.8 }, { resumeFrom: states[0]! });
    expect(other.resumedFrom).toBeUndefined();
  });

  it("goes on in the middle of several results, each of which leaves steps out", async () => {
    const { engine, request } = await sample("plain-strength");
    const several = { ...request, numImages: 2 };
    const states: Uint8Array[] = [];
    const whole = await engine.edit(several, {
      onState: async (state) => void states.push(await state.encode()),
    });
    expect(states).toHaveLength(6);
    for (const place of [1, 2, 3, 5]) {
      const rest = await engine.edit(several, { resumeFrom: states[place]! });
      expect(rest.images).toEqual(whole.images);
    }
  });

  it.each(["kontext", "klein"] as const)("is counted for the memory of an edit of %s", async (family) => {
    const [name] = Object.keys(cases[family]);
    const edit = cases[family][name!]!;
    const engine = await open(family, edit);
    const prepare = vi.spyOn(Components.prototype, "prepare");
    onTestFinished(() => prepare.mockRestore());
    const request = await requestOf(family, edit);
    const { width, height } = await decodePicture([request.image].flat()[0]!);
    await engine.edit({ ...request, maskBlur: 0, maskFeather: 0 });
    await engine.edit({ ...request, maskFeather: 1, isUnchangedKept: true });
    expect(prepare.mock.calls.map(([{ source, mask }]) => [source?.width, source?.height, mask])).toEqual([
      [width, height, "hard"],
      [width, height, "soft"],
    ]);
  });

  it("may be given by what is transparent", async () => {
    const { engine, request, source, mask } = await sample("plain");
    const alpha = { ...mask, data: mask.data.map((value) => 255 - value) };
    const { mask: _, ...rest } = request;
    const wanted = await engine.edit(request);
    const { image: ofMask } = await engine.edit({
      ...request,
      mask: await transparentPng(source, alpha),
      isTransparencyEdited: true,
    });
    expect((await decodePicture(ofMask)).data).toEqual((await decodePicture(wanted.image)).data);
    const image = await transparentPng(source, alpha);
    const own = { ...rest, image, isTransparencyEdited: true, isUnchangedKept: true };
    const { image: ofImage } = await engine.edit(own);
    const counts = changed(await decodePicture(ofImage), source, mask);
    expect(counts.outside).toBe(0);
    expect(counts.inside).toBeGreaterThan(0);
  });

  it("shows in the previews what stays", async () => {
    const { engine, request, source, mask } = await sample("plain");
    const errors: number[] = [];
    await engine.edit(request, {
      async onStep({ preview }) {
        const { data } = await preview();
        const outside = [...data].flatMap((value, i) =>
          mask.data[Math.floor(i / 3)] === 0 ? [Math.abs(value - source.data[i]!)] : [],
        );
        errors.push(outside.reduce((sum, error) => sum + error, 0) / outside.length);
      },
    });
    // All have the image's own latents there, but for what the decoder's neighbourhood brings in.
    expect(Math.max(...errors) - Math.min(...errors)).toBeLessThan(3);
  });

  it.each<[string, (request: EditRequest) => Partial<EditRequest>, string]>([
    [
      "a result of another shape",
      () => ({ size: { width: 64, height: 128 } }),
      "mask: the result must have the image's shape, and 64 x 128 is not that of 64 x 64.",
    ],
    [
      "three images",
      ({ image }) => ({ image: [image, image, image] as Uint8Array[] }),
      "mask: it goes with the image to edit and at most one to look at, and there are 3.",
    ],
    [
      "a layout of several images",
      ({ image }) => ({ image: [image, image] as Uint8Array[], imageLayout: "index" }),
      "imageLayout must not be index: with a mask, the second image shows what is to be drawn inside.",
    ],
    ["no step to take", () => ({ strength: 0 }), "strength must be a number above 0, not 0."],
    [
      "its fields without it",
      () => ({ mask: undefined, maskBlur: 1 }),
      "maskBlur must not be given without mask.",
    ],
    [
      "its fields without transparency",
      () => ({ mask: undefined, isTransparencyEdited: true, strength: 0.5 }),
      "strength must not be given without mask.",
    ],
  ])("is refused with %s", async (_, fields, sentence) => {
    const { engine, request } = await sample("plain");
    await expect(engine.edit({ ...request, ...fields(request) })).rejects.toEqual(
      refusal("INVALID_PARAMETER", sentence),
    );
  });

  it("is refused if the network would see nothing of it", async () => {
    const { engine, request, mask } = await sample("plain");
    const one = mask.data.map((_, pixel) => (pixel === 64 * 33 + 33 ? 255 : 0));
    const thin = { ...request, mask: await grayPng({ ...mask, data: one }) };
    await expect(engine.edit(thin)).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        /^mask: what is white is too small for the network, which sees one pixel in \d+; /,
      ),
    );
    const near = await engine.edit({ ...thin, paddingMaskCrop: 8 });
    expect(near).toMatchObject({ width: 64, height: 64 });
  });
});
