/** Edits inside masks against diffusers' inpainting pipelines: the latents, and the pictures at 75 dB or more. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { cropPicture, type Picture } from "../../src/images/picture.ts";
import { difference, psnr } from "../support/compare.ts";
import { type FixtureTensor, fixtures, readJson, readTensors } from "../support/fixtures.ts";
import { grayPng } from "../support/gray-png.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

/** As allowed for whole loops in `parity.test.ts`. */
const TOLERANCE = 2e-4;
const PICTURE_DB = 75;

/** An edit in the engine's names. */
interface Case extends Omit<EditRequest, "image" | "mask" | "size"> {
  checkpoint: string;
  size: [number, number];
  mask: string;
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
  const engine = await createEngine({ checkpoint: folder, threads: 1, safety: { isOn: false } });
  onTestFinished(() => engine.close());
  return engine;
}

function pictureOf({ shape, data }: FixtureTensor): Picture {
  const [height, width] = shape as [number, number];
  return { width, height, data: data as Uint8Array };
}

async function requestOf(family: Family, edit: Case): Promise<EditRequest> {
  const { checkpoint: _, scheduler: __, size, mask, ...fields } = edit;
  const sides = size.join("x");
  return {
    ...fields,
    ...(family === "klein" && { maxSequenceLength: 32 }),
    image: await encodePicture(pictureOf(tensors.get(`source.${sides}`)!), "png"),
    mask: await grayPng(pictureOf(tensors.get(`${mask}.${sides}`)!)),
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
    if (process.env["SHOW_DB"]) console.log(family, name, decibels);
    expect(decibels).toBeGreaterThanOrEqual(PICTURE_DB);
  });
});
