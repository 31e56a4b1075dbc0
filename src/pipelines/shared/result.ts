/** The last steps of an edit: from its latents to the picture, with the source's own pixels where that is wanted. */
import { throwIfAborted } from "../../engine/abort.ts";
import { composite, findKept, type Kept } from "../../engine/keep-unchanged.ts";
import type { DrawnImage, EditOutcome } from "../../engine/model.ts";
import type { FloatTensor } from "../../engine/given-tensors.ts";
import { hasOneCanvas, type SizePlan } from "../../engine/sizes.ts";
import type { Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
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
  kept?: Kept | undefined;
  /** What the user should know of it, as sentences. */
  notices: string[];
}

/** Decodes, cuts off the padding, resizes to the requested size, and puts the source's pixels back if it is given. */
export async function resultOf(
  space: LatentSpace,
  latents: Float32Array,
  plan: SizePlan,
  source: KeptSource | undefined,
): Promise<Result> {
  const { size, target } = plan;
  const working = await decode(space, latents, target);
  const picture = await resizePicture(working, size.width, size.height);
  if (source === undefined) return { picture, notices: [] };
  if (!hasOneCanvas(plan)) return { picture, notices: [NOT_KEPT] };

  source.seen ??= await decode(space, source.latents, target);
  const kept = findKept(working, source.seen, space.autoencoder.scaleFactor);
  if (kept.changedShare < 1) composite(picture, await sourceAt(source.picture, plan), kept.mask);
  return { picture, kept, notices: [] };
}

/** The same of every image that was drawn, with the notices of all. @throws RetouchError ABORTED before the next one */
export async function resultsOf(
  space: LatentSpace,
  drawn: readonly LatentImage[],
  plan: SizePlan,
  source: KeptSource | undefined,
  signal: AbortSignal | undefined,
): Promise<{ images: DrawnImage[]; notices: string[] }> {
  const images: DrawnImage[] = [];
  const all = new Set<string>();
  for (const { latents } of drawn) {
    throwIfAborted(signal);
    const { picture, kept, notices } = await resultOf(space, latents.data, plan, source);
    images.push({ latents, picture, kept });
    for (const notice of notices) all.add(notice);
  }
  return { images, notices: [...all] };
}

/** What an edit returns, from what its images have in common and what each is. */
export const outcomeOf = (
  common: Omit<EditOutcome, keyof DrawnImage | "images">,
  images: readonly DrawnImage[],
): EditOutcome => ({ ...common, ...images[0]!, ...(images.length > 1 && { images }) });

const NOT_KEPT =
  "What was not edited could not be kept as it was, because the image and the result differ in shape.";
