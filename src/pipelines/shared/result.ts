/** The last steps of an edit: from its latents to the picture, with the source's own pixels where that is wanted. */
import { throwIfAborted } from "../../engine/abort.ts";
import { composite, findKept, type Kept } from "../../engine/keep-unchanged.ts";
import type { DrawnImage, EditOutcome } from "../../engine/model.ts";
import type { FloatTensor } from "../../engine/given-tensors.ts";
import type { ResolvedRequest, Size } from "../../engine/request.ts";
import { notTransparent, TRANSPARENT } from "../../engine/result-form.ts";
import { hasOneCanvas, sourceInResult, type SizePlan } from "../../engine/sizes.ts";
import { padGray, resizeGray } from "../../images/gray.ts";
import { cropped, overlay as layOver, type Region, resizeAndCrop } from "../../images/mask-crop.ts";
import { checkFormatSides } from "../../images/output-format.ts";
import type { GrayPicture, Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import type { MaskOverlay } from "./inpaint.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sourceAt } from "./pictures.ts";

/** An image whose pixels are to stay wherever the network merely reproduced them. */
export interface KeptSource {
  picture: Picture;
  /** As the network saw it, packed. */
  latents: Float32Array;
  /** The same decoded, once for all images of an edit. */
  seen?: Picture | undefined;
}

/** One image before it is decoded. */
export interface LatentImage {
  /** Its last packed latents, [L, C]. */
  latents: FloatTensor;
}

export interface Result {
  picture: Picture;
  /** Where the first image lies in it: see EditOutcome. */
  sourceInResult?: Size | undefined;
  kept?: Kept | undefined;
  /** What the user should know of it, as sentences. */
  notices: string[];
}

/**
 * Decodes, cuts off the padding, resizes to the requested size, and puts the source's pixels back if it is given.
 * @param overlay how what was drawn inside a mask is laid over the source
 */
export async function resultOf(
  space: LatentSpace,
  latents: Float32Array,
  plan: SizePlan,
  source: KeptSource | undefined,
  overlay?: MaskOverlay,
): Promise<Result> {
  const { size, target } = plan;
  const working = await decode(space, latents, target);
  if (overlay?.region) return cropLaidOver(working, overlay, overlay.region, source !== undefined);
  const picture = await resizePicture(working, size.width, size.height);
  const placed = hasOneCanvas(plan) ? sourceInResult(plan) : undefined;
  if (source === undefined) return { picture, sourceInResult: placed, notices: [] };
  if (placed === undefined) return { picture, notices: [NOT_KEPT] };

  source.seen ??= await decode(space, source.latents, target);
  const found = findKept(working, source.seen, space.autoencoder.scaleFactor);
  if (overlay === undefined) {
    if (found.changedShare < 1) composite(picture, await sourceAt(source.picture, plan), found.mask);
    return { picture, sourceInResult: placed, kept: found, notices: [] };
  }
  const own = await sourceAt(source.picture, plan);
  if (found.changedShare < 1) composite(picture, own, found.mask);
  // What is kept was found at the working size; outside of the edit's mask every pixel of the result is exact.
  const exact = layOver(own, picture, alphaAt(overlay, plan, size));
  const kept = withOutside(found, alphaAt(overlay, plan, target.content));
  return { picture: exact, sourceInResult: placed, kept, notices: [] };
}

/** The same of every image that was drawn, with the notices of all. @throws RetouchError ABORTED before the next one */
export async function resultsOf(
  space: LatentSpace,
  drawn: readonly LatentImage[],
  plan: SizePlan,
  { kept: source, overlay }: { kept: KeptSource | undefined; overlay: MaskOverlay | undefined },
  signal: AbortSignal | undefined,
): Promise<{ images: DrawnImage[]; sourceInResult: Size | undefined; notices: string[] }> {
  const images: DrawnImage[] = [];
  const all = new Set<string>();
  let placed: Size | undefined;
  for (const { latents } of drawn) {
    throwIfAborted(signal);
    const { picture, kept, ...result } = await resultOf(space, latents.data, plan, source, overlay);
    images.push({ latents, picture, kept });
    placed = result.sourceInResult;
    for (const notice of result.notices) all.add(notice);
  }
  return { images, sourceInResult: placed, notices: [...all] };
}

/**
 * Checks before the first step that the result can be the file that is asked for.
 * @throws RetouchError INVALID_PARAMETER if its format has no such sides, or transparency must be kept and the result has
 * another shape than the image
 */
export function checkForm(
  plan: SizePlan,
  { format, background }: Pick<ResolvedRequest, "format" | "background">,
): void {
  checkFormatSides(format, plan.size);
  if (background !== TRANSPARENT || hasOneCanvas(plan)) return;
  throw notTransparent("the result has another shape than the image");
}

/** What an edit returns, from what its images have in common and what each is. */
export const outcomeOf = (
  common: Omit<EditOutcome, keyof DrawnImage | "images">,
  images: readonly DrawnImage[],
): EditOutcome => ({ ...common, ...images[0]!, ...(images.length > 1 && { images }) });

/** Lays a part that was drawn by itself over the source, at the source's size, and resizes all of it. */
async function cropLaidOver(
  working: Picture,
  { source, alpha, plan }: MaskOverlay,
  region: Region,
  isKept: boolean,
): Promise<Result> {
  const drawn = resizeAndCrop({ ...working, channels: 3 }, region);
  const part = cropped({ ...alpha, channels: 1 }, region);
  const picture = await sourceAt(layOver(source, drawn, part, region), plan);
  const placed = sourceInResult(plan);
  if (!isKept) return { picture, sourceInResult: placed, notices: [] };
  const { width, height } = plan.target.content;
  const nothing = { changedShare: 1, mask: { width, height, data: new Uint8Array(width * height) } };
  const kept = withOutside(nothing, alphaAt({ alpha }, plan, { width, height }));
  return { picture, sourceInResult: placed, kept, notices: [] };
}

/** The alpha of an overlay where the result, or its working size, has the source. */
function alphaAt({ alpha }: Pick<MaskOverlay, "alpha">, plan: SizePlan, size: Size): GrayPicture {
  const { width, height } = sourceInResult({ ...plan, size });
  return padGray(resizeGray(alpha, width, height), size.width, size.height);
}

/** What is kept, with all that lies outside of the mask. */
function withOutside({ mask }: Kept, alpha: GrayPicture): Kept {
  const data = mask.data.map((kept, pixel) => Math.max(kept, WHITE - alpha.data[pixel]!));
  const share = data.reduce((sum, value) => sum + value, 0) / (WHITE * data.length);
  return { changedShare: 1 - share, mask: { ...mask, data } };
}

const WHITE = 255;

const NOT_KEPT =
  "What was not edited could not be kept as it was, because the image and the result differ in shape.";
