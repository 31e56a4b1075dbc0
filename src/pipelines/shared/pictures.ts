/** Between pictures and the latents of an edit. */
import { type Encodings, NOTHING_KEPT } from "../../engine/encodings.ts";
import { RetouchError } from "../../errors.ts";
import {
  cropPicture,
  padPicture,
  type Picture,
  pictureToPixels,
  pixelsToPicture,
} from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import type { Size } from "../../engine/request.ts";
import { type SizePlan, sourceInResult, type WorkingSize } from "../../engine/sizes.ts";
import type { LatentSpace } from "./latent-space.ts";
import { packLatents, unpackLatents } from "./packing.ts";

/** Encodes a picture, resized and padded or cropped, to packed latents, which must not change. */
export async function encode(
  space: LatentSpace,
  picture: Picture,
  { content, canvas }: WorkingSize,
  encodings: Encodings = NOTHING_KEPT,
): Promise<Float32Array> {
  const resized = await resizePicture(picture, content.width, content.height);
  const seen = onCanvas(resized, canvas);
  const key = {
    encoder: "autoencoder",
    read: [canvas.width, canvas.height, space.tileSide],
    bytes: seen.data,
  };
  return encodings.get(key, async () => {
    const grid = await space.encodePixels(pictureToPixels(seen), canvas);
    return packLatents(grid, space.autoencoder.latentChannels, space.latentSize(canvas));
  });
}

/** Of a side that is longer than the canvas, the middle is kept; a shorter one is padded. */
function onCanvas(picture: Picture, canvas: Size): Picture {
  const width = Math.min(picture.width, canvas.width);
  const height = Math.min(picture.height, canvas.height);
  const middle = {
    left: Math.floor((picture.width - width) / 2),
    top: Math.floor((picture.height - height) / 2),
  };
  return padPicture(cropPicture(picture, width, height, middle), canvas.width, canvas.height);
}

/** Decodes packed latents to an image, without padding. */
export async function decode(
  space: LatentSpace,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = space.latentSize(canvas);
  const grid = unpackLatents(latents, space.autoencoder.latentChannels, gridSize);
  const pixels = await space.decodeLatents(grid, gridSize);
  // Otherwise, weights that overflow give a black image, which looks like a result.
  if (pixels.some(Number.isNaN)) {
    throw new RetouchError(
      "RUNTIME_FAILED",
      "The networks produced values that are not finite: the checkpoint's weights overflow.",
    );
  }
  return cropPicture(pixelsToPicture(pixels, canvas.width, canvas.height), content.width, content.height);
}

/** The same, from the fast linear sketch. */
export async function sketch(
  space: LatentSpace,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = space.latentSize(canvas);
  const draw = await space.sketcher();
  const picture = draw(unpackLatents(latents, space.autoencoder.latentChannels, gridSize), gridSize);
  const scale = picture.width / canvas.width;
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return cropPicture(picture, side(content.width), side(content.height));
}

/** The source at its size and place in the result. */
export async function sourceAt(source: Picture, plan: SizePlan): Promise<Picture> {
  const { width, height } = sourceInResult(plan);
  return padPicture(await resizePicture(source, width, height), plan.size.width, plan.size.height);
}
