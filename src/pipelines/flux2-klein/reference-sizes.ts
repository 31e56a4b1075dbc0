/**
 * Sizes as diffusers' `Flux2KleinPipeline` chooses them (diffusers 0.42.1), in place of those of `engine/sizes.ts`: an
 * image above a megapixel is reduced to it, cropped in its middle to whole tokens, and the first one's size is the
 * result's, unless one is requested, which is rounded down to whole tokens.
 */
import { invalid } from "../../errors.ts";
import type { Size } from "../../engine/request.ts";
import type { SizePlan, WorkingSize } from "../../engine/sizes.ts";

const MAX_AREA = 1024 * 1024;
/** Side of the result in latent cells if there is neither an image nor a size. */
const DEFAULT_CELLS = 128;

/**
 * @param size the requested size, if any
 * @param options.scaleFactor pixels per latent cell; that of every published autoencoder is 8
 * @throws RetouchError INVALID_PARAMETER for a size or an image smaller than a token
 */
export function referenceSizes(
  images: readonly Size[],
  size: Size | undefined,
  { scaleFactor = 8 }: { scaleFactor?: number } = {},
): SizePlan {
  const grid = 2 * scaleFactor;
  const references = images.map((image) => croppedSize(image, grid));
  const side = DEFAULT_CELLS * scaleFactor;
  const target = onGrid(size ?? references[0]?.canvas ?? { width: side, height: side }, grid);
  for (const [field, { width, height }] of [
    ["size", target] as const,
    ...references.map(({ canvas }) => ["image", canvas] as const),
  ]) {
    if (Math.min(width, height) > 0) continue;
    throw invalid("type", { field, wanted: `at least ${grid} pixels wide and high` });
  }
  return { size: target, target: { content: target, canvas: target }, references };
}

function croppedSize(image: Size, grid: number): WorkingSize {
  const { width, height } = image;
  const scale = Math.sqrt(MAX_AREA / (width * height));
  const isReduced = width * height > MAX_AREA;
  const content = isReduced
    ? { width: Math.trunc(width * scale), height: Math.trunc(height * scale) }
    : { width, height };
  return { content, canvas: onGrid(content, grid) };
}

function onGrid({ width, height }: Size, grid: number): Size {
  const down = (length: number): number => Math.floor(length / grid) * grid;
  return { width: down(width), height: down(height) };
}
