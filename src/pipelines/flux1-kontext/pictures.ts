/** Between pictures and the latents of an edit. */
import { RetouchError } from "../../errors.ts";
import {
  cropPicture,
  padPicture,
  type Picture,
  pictureToPixels,
  pixelsToPicture,
} from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import { type SizePlan, sourceInResult, type WorkingSize } from "../../engine/sizes.ts";
import { packLatents, unpackLatents } from "./latents.ts";
import type { Networks } from "./networks.ts";

/** Encodes a picture, resized and padded, to packed latents. */
export async function encode(
  networks: Networks,
  picture: Picture,
  { content, canvas }: WorkingSize,
): Promise<Float32Array> {
  const resized = await resizePicture(picture, content.width, content.height);
  const pixels = pictureToPixels(padPicture(resized, canvas.width, canvas.height));
  const grid = await networks.encodePixels(pixels, canvas);
  return packLatents(grid, networks.autoencoder.latentChannels, networks.latentSize(canvas));
}

/** Decodes packed latents to an image, without padding. */
export async function decode(
  networks: Networks,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = networks.latentSize(canvas);
  const grid = unpackLatents(latents, networks.autoencoder.latentChannels, gridSize);
  const pixels = await networks.decodeLatents(grid, gridSize);
  // Otherwise, weights that overflow give a black image, which looks like a result.
  if (pixels.some(Number.isNaN)) {
    throw new RetouchError(
      "RUNTIME_FAILED",
      "The networks gave no numbers: the checkpoint's weights overflow.",
    );
  }
  return cropPicture(pixelsToPicture(pixels, canvas.width, canvas.height), content.width, content.height);
}

/** The same, from the networks' fast linear sketch. */
export async function sketch(
  networks: Networks,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = networks.latentSize(canvas);
  const draw = await networks.sketcher();
  const picture = draw(unpackLatents(latents, networks.autoencoder.latentChannels, gridSize), gridSize);
  const scale = picture.width / canvas.width;
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return cropPicture(picture, side(content.width), side(content.height));
}

/** The source at its size and place in the result. */
export async function sourceAt(source: Picture, plan: SizePlan): Promise<Picture> {
  const { width, height } = sourceInResult(plan);
  return padPicture(await resizePicture(source, width, height), plan.size.width, plan.size.height);
}
