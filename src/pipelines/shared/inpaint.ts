/**
 * Edits inside a mask, as diffusers' `FluxKontextInpaintPipeline` and `Flux2KleinInpaintPipeline` make them (diffusers
 * 0.42.1, `pipelines/flux/pipeline_flux_kontext_inpaint.py` and `pipelines/flux2/pipeline_flux2_klein_inpaint.py`): the
 * image's own latents, with as much noise as the level has, replace the drawn ones outside the mask after every step. With
 * `paddingMaskCrop` the networks see the part around the mask alone, enlarged. Neither pipeline then gives back a whole
 * image as it should (Kontext's returns the part, klein's pastes its middle without reducing it); here it is reduced and
 * laid over the image by diffusers' own `apply_overlay`.
 */
import type { ResolvedRequest, Size } from "../../engine/request.ts";
import { hasOneCanvas, type SizePlan } from "../../engine/sizes.ts";
import { invalid } from "../../errors.ts";
import { binarized, padGray, resizeGray, WHITE_FROM } from "../../images/gray.ts";
import { cropped, cropRegion, type Region, resizeAndFill } from "../../images/mask-crop.ts";
import type { GrayPicture, Picture } from "../../images/picture.ts";
import { noised } from "../../sampling/euler.ts";
import type { AfterStep } from "../../sampling/sampler.ts";
import { feathered } from "./feather.ts";
import { packLatents, planesToTokens } from "./packing.ts";

/** What an edit inside a mask works on. */
export interface Inpainting {
  /** What the networks see: the image, or the part of it around the mask. */
  picture: Picture;
  /** The sizes of that. */
  plan: SizePlan;
  /** Of the canvas: white where the latents are drawn. */
  mask: GrayPicture;
  /** How what was drawn is laid over the image; absent if it is not. */
  overlay: MaskOverlay | undefined;
}

export interface MaskOverlay {
  source: Picture;
  /** The part that was drawn; absent if all of the image was. */
  region: Region | undefined;
  /** Of the source's size: 0 where its own pixels stay, 255 where the drawn ones are. */
  alpha: GrayPicture;
  /** The sizes of the whole image. */
  plan: SizePlan;
}

type MaskRequest = Pick<ResolvedRequest, "isUnchangedKept" | "paddingMaskCrop" | "maskFeather">;

/**
 * @param mask of the source's size
 * @param plan of the whole image
 * @throws RetouchError INVALID_PARAMETER if the result has not the image's shape
 */
export function planInpainting(
  source: Picture,
  mask: GrayPicture,
  request: MaskRequest,
  plan: SizePlan,
): Inpainting {
  if (!hasOneCanvas(plan)) {
    const { width, height } = plan.size;
    const sentence = `the result must have the image's shape, and ${width} x ${height} is not that of ${source.width} x ${source.height}.`;
    throw invalid("about", { field: "mask", sentence });
  }
  const { paddingMaskCrop: padding, maskFeather = 0, isUnchangedKept } = request;
  const { canvas } = plan.target;
  const region = padding === undefined ? undefined : cropRegion(mask, canvas, padding);
  // Diffusers lays a crop over the image with the mask as it is; what is to be kept is kept exactly.
  const isSoft = !isUnchangedKept && maskFeather === 0;
  const alpha = isSoft ? mask : feathered(binarized(mask), maskFeather);
  const overlay = region || isUnchangedKept ? { source, region, alpha, plan } : undefined;
  if (region === undefined) {
    const { width, height } = plan.references[0]!.content;
    const seen = padGray(resizeGray(mask, width, height), canvas.width, canvas.height);
    return { picture: source, plan, mask: binarized(seen), overlay };
  }
  const whole = { content: canvas, canvas };
  return {
    picture: resizeAndFill(cropped({ ...source, channels: 3 }, region), canvas),
    plan: { size: plan.size, target: whole, references: [whole, ...plan.references.slice(1)] },
    mask: binarized(resizeAndFill(cropped({ ...mask, channels: 1 }, region), canvas)),
    overlay,
  };
}

/** The mask on Kontext's latents, [L, 4C]: of each cell its first pixel, as `interpolate` takes the nearest one. */
export function maskOfCells(mask: GrayPicture, grid: Size, numChannels: number): Float32Array {
  const cell = mask.width / grid.width;
  const count = grid.width * grid.height;
  const plane = Float32Array.from({ length: count }, (_, index) => {
    const [x, y] = [index % grid.width, Math.floor(index / grid.width)];
    return whiteAt(mask, x * cell, y * cell);
  });
  const planes = new Float32Array(numChannels * count);
  for (let channel = 0; channel < numChannels; channel += 1) planes.set(plane, channel * count);
  return seen(packLatents(planes, numChannels, grid), cell);
}

/**
 * The mask on klein's latents, [L, C]: of each token the mean of the four pixels in its middle, as `interpolate` takes them
 * linearly, without a filter.
 */
export function maskOfTokens(mask: GrayPicture, grid: Size, numChannels: number): Float32Array {
  const tokens = { width: grid.width / 2, height: grid.height / 2 };
  const side = mask.width / tokens.width;
  const count = tokens.width * tokens.height;
  const plane = Float32Array.from({ length: count }, (_, index) => {
    const x = (index % tokens.width) * side + side / 2;
    const y = Math.floor(index / tokens.width) * side + side / 2;
    const upper = whiteAt(mask, x - 1, y - 1) + whiteAt(mask, x, y - 1);
    return (upper + whiteAt(mask, x - 1, y) + whiteAt(mask, x, y)) / 4;
  });
  const planes = new Float32Array(numChannels * count);
  for (let channel = 0; channel < numChannels; channel += 1) planes.set(plane, channel * count);
  return seen(planesToTokens(planes, numChannels), side);
}

const whiteAt = ({ width, data }: GrayPicture, x: number, y: number): number =>
  data[y * width + x]! >= WHITE_FROM ? 1 : 0;

/** @throws RetouchError INVALID_PARAMETER if nothing of the mask is left */
function seen(mask: Float32Array, side: number): Float32Array {
  if (mask.some((share) => share > 0)) return mask;
  const sentence = `what is white is too small for the network, which sees one pixel in ${side}; a crop around the mask enlarges it.`;
  throw invalid("about", { field: "mask", sentence });
}

/** Packed latents, all of one shape. */
export interface InpaintingLatents {
  /** Of the image. */
  image: Float32Array;
  noise: Float32Array;
  /** 1 where the latents are drawn, 0 where they stay. */
  mask: Float32Array;
}

/** The latents that an edit begins with: the image, with as much noise as the first level after the skipped ones has. */
export const inpaintingStart = (
  { image, noise }: Pick<InpaintingLatents, "image" | "noise">,
  sigmas: Float32Array,
  skipped: number,
): Float32Array => noised(image, noise, sigmas[skipped]!);

/** Puts the image back outside the mask, as noisy as what was drawn; after the last step without noise. */
export const blendedWith =
  ({ image, noise, mask }: InpaintingLatents): AfterStep =>
  (latents, { sigma, isLast }) => {
    const own = isLast ? image : noised(image, noise, sigma);
    const { fround } = Math;
    return latents.map((drawn, index) => {
      const share = mask[index]!;
      return fround(fround(1 - share) * own[index]!) + fround(share * drawn);
    });
  };
