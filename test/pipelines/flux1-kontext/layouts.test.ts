/** Several images: their positions, and whole edits against diffusers' networks and loop around them (`layouts.py`). */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { decodePicture } from "../../../src/images/decode.ts";
import type { ImageLayout } from "../../../src/engine/edit-parameters.ts";
import { editImage } from "../../../src/pipelines/flux1-kontext/edit.ts";
import { referenceIds } from "../../../src/pipelines/flux1-kontext/layouts.ts";
import { loadNetworks } from "../../../src/pipelines/flux1-kontext/model.ts";
import { joined } from "../../../src/pipelines/shared/rotary.ts";
import { stitchedSize } from "../../../src/engine/stitched-size.ts";
import { Checkpoint } from "../../../src/weights/checkpoint.ts";
import { psnr } from "../../support/compare.ts";
import { type FixtureTensor, fixtures, readJson, readTensors } from "../../support/fixtures.ts";

/** Of the pictures, in decibels. */
const LEAST = 75;

interface LayoutCase {
  name: string;
  checkpoint: string;
  layout: Exclude<ImageLayout, "auto">;
  pictures: [number, number][];
  edit: { prompt: string; width: number; height: number; seed: number; steps: number; guidance: number };
}

const cases = readJson<LayoutCase[]>("layouts.json");
let tensors: Map<string, FixtureTensor>;
beforeAll(async () => {
  tensors = await readTensors("layouts.safetensors");
});

const sizeOf = ([width, height]: [number, number]) => ({ width, height });

it.each(cases.filter(({ layout }) => layout !== "stitch"))(
  "the images of $name are where ComfyUI's method of this name puts them",
  ({ name, layout, pictures }) => {
    const grids = pictures.map(([width, height]) => ({ width: width / 8, height: height / 8 }));
    const ids = joined(referenceIds(grids, layout === "offset" ? "offset" : "index"));
    expect(ids).toEqual(tensors.get(`${name}.ids`)!.data);
  },
);

describe.each(cases)("the images of $name", ({ name, checkpoint, layout, pictures, edit }) => {
  it("lead to the same picture", async () => {
    const folder = path.join(fixtures, "checkpoints", checkpoint);
    const networks = await loadNetworks(await Checkpoint.open(folder), { threads: 1 });
    onTestFinished(() => networks.dispose());
    const images = await Promise.all(
      pictures.map(async ([width, height]) =>
        decodePicture(await readFile(path.join(fixtures, "pictures", `scene-${width}x${height}.png`))),
      ),
    );
    const size = { width: edit.width, height: edit.height };
    const seen = layout === "stitch" ? [stitchedSize(pictures.map(sizeOf))] : pictures.map(sizeOf);
    const [target, ...references] = [size, ...seen].map((one) => ({ content: one, canvas: one }));
    const request = {
      prompt: edit.prompt,
      negativePrompt: "",
      trueCfgScale: 1,
      size,
      numSteps: edit.steps,
      guidance: edit.guidance,
      seed: edit.seed,
      imageLayout: layout,
      format: "png" as const,
      isSafetyChecked: false,
      isUnchangedKept: false,
      loras: [],
    };
    const steps = editImage(networks, images, request, { sizes: { size, target: target!, references } });
    let next = await steps.next();
    while (!next.done) next = await steps.next();
    const expected = tensors.get(`${name}.picture`)!.data as Uint8Array;
    expect(psnr(next.value.picture!.data, expected)).toBeGreaterThanOrEqual(LEAST);
    // The images count: without the others, the picture is another one.
    const alone = editImage(networks, images.slice(0, 1), request, {
      sizes: {
        size,
        target: target!,
        references: [{ content: sizeOf(pictures[0]!), canvas: sizeOf(pictures[0]!) }],
      },
    });
    let last = await alone.next();
    while (!last.done) last = await alone.next();
    expect(psnr(last.value.picture!.data, expected)).toBeLessThan(60);
  });
});

describe("one image", () => {
  it("is in stream 1 from the corner, however it is placed", () => {
    const grids = [{ width: 4, height: 2 }];
    const ids = Float32Array.of(1, 0, 0, 1, 0, 1);
    for (const layout of ["index", "offset"] as const) expect(referenceIds(grids, layout)).toEqual([ids]);
  });
});
