/** Masks and crops, against what Pillow and diffusers' image processor make of the same pictures. */
import { describe, expect, it } from "vitest";
import { gaussianBlurred } from "../../src/images/gaussian-blur.ts";
import { grayOf, resizeGray } from "../../src/images/gray.ts";
import { cropped, cropRegion, overlay, resizeAndCrop, resizeAndFill } from "../../src/images/mask-crop.ts";
import type { GrayPicture } from "../../src/images/picture.ts";
import type { Samples } from "../../src/images/pillow-resize.ts";
import { readJson, readTensors } from "../support/fixtures.ts";

interface Crop {
  working: [number, number];
  padding: number;
  blur: number;
  region: [number, number, number, number];
}
const { crops, blurs, sizes } = readJson<{ crops: Crop[]; blurs: number[]; sizes: [number, number][] }>(
  "masks.json",
);
const tensors = await readTensors("masks.safetensors");

function samplesOf(name: string): Samples {
  const { shape, data } = tensors.get(name)!;
  const [height, width, channels = 1] = shape as [number, number, number?];
  return { width, height, channels, data: data as Uint8Array };
}
const grayNamed = (name: string): GrayPicture => samplesOf(name);
const one = ({ width, height, data }: GrayPicture): Samples => ({ width, height, channels: 1, data });

describe.each(blurs.map((radius, index) => ({ radius, index })))("a blur of $radius pixels", (blur) => {
  it("gives Pillow's bytes", () => {
    const { data } = gaussianBlurred(grayNamed("gray"), blur.radius);
    expect(data).toEqual(samplesOf(`blur.${blur.index}`).data);
  });
});

it("resizes a grey image to Pillow's bytes", () => {
  for (const [index, [width, height]] of sizes.entries()) {
    expect(resizeGray(grayNamed("gray"), width, height).data).toEqual(samplesOf(`resize.${index}`).data);
  }
});

describe.each([...crops.entries()].map(([index, crop]) => Object.assign(crop, { index })))(
  "the crop $index around $region",
  ({ working: [width, height], padding, blur, region: [x1, y1, x2, y2], index }) => {
    const of = (name: string) => samplesOf(`crop.${index}.${name}`);
    const mask = gaussianBlurred(of("mask"), blur);
    const region = { left: x1, top: y1, width: x2 - x1, height: y2 - y1 };

    it("is diffusers', and fills the network's size as diffusers fills it", () => {
      expect(cropRegion(mask, { width, height }, padding)).toEqual(region);
      expect(resizeAndFill(cropped(of("image"), region), { width, height }).data).toEqual(of("filled").data);
      const filledMask = resizeAndFill(cropped(one(mask), region), { width, height });
      expect(filledMask.data).toEqual(of("filledMask").data);
    });

    it("goes back into the picture as diffusers lays it there", () => {
      const filled = of("filled");
      const mirrored = filled.data.map((_, i) => {
        const [x, rest] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
        return filled.data[(rest * width + width - 1 - x) * 3 + (i % 3)]!;
      });
      const back = resizeAndCrop({ ...filled, data: mirrored }, region);
      expect(back.data).toEqual(of("cropped").data);
      const alpha = cropped(one(mask), region);
      expect(overlay(of("image"), back, alpha, region).data).toEqual(of("overlaid").data);
    });
  },
);

it("weighs colours as Pillow does", () => {
  const data = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 7, 7, 7);
  expect([...grayOf({ width: 4, height: 1, data }).data]).toEqual([76, 150, 29, 7]);
});
