/** From the files of a request to pictures, where its pipeline takes as many. */
import { decodePicture } from "../images/decode.ts";
import { laidOn } from "../images/convert-deep.ts";
import { decodeSource } from "../images/decode-source.ts";
import type { DecodedSource } from "../images/deep-picture.ts";
import type { GrayPicture, Picture } from "../images/picture.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { sourceFor } from "./finish.ts";
import { checkMasking } from "./mask-rules.ts";
import { readMask } from "./masking.ts";
import { checkImageCount } from "./model-traits.ts";
import { type EditRequest, imagesOf, type ResolvedRequest } from "./request.ts";
import { colourOf, TRANSPARENT } from "./result-form.ts";

/** What an edit sees of a request's files. */
export interface DecodedImages {
  images: readonly Picture[];
  mask: GrayPicture | undefined;
  /** The first image as its file has it; absent if there is none. */
  source: DecodedSource | undefined;
}

/**
 * The images and the mask of an edit, as its networks see them, and the first image as its file has it.
 * @throws RetouchError INVALID_PARAMETER for images or a mask that the pipeline does not take; IMAGE_*
 */
export async function decodeImages(
  request: EditRequest,
  resolved: ResolvedRequest,
  { pipeline, maxPixels }: { pipeline: Pipeline; maxPixels: number | undefined },
): Promise<DecodedImages> {
  const given = imagesOf(request);
  const hasMask = request.mask !== undefined;
  checkImageCount(given.length, pipeline, resolved.imageLayout, hasMask);
  const { takesMask } = pipeline;
  const isOneEdited = resolved.isTransparencyEdited === true && takesMask && given.length === 1;
  // What is to stay transparent is no mask.
  const isSought = isOneEdited && resolved.background !== TRANSPARENT;
  const rules = { numImages: given.length, takesMask };
  checkMasking(resolved, { ...rules, hasMask: hasMask || isSought });

  const colour = colourOf(resolved.background);
  const [first, ...others] = given;
  const decoded = first && (await decodeSource(first, { maxPixels, background: colour }));
  const source = sourceFor(decoded, resolved);
  const images = source ? [source.picture] : [];
  for (const bytes of others) images.push(await decodePicture(bytes, { maxPixels }));
  if (!hasMask && !isSought) return { images, mask: undefined, source };
  const image = { bytes: first!, picture: source!.picture };
  const mask = await readMask({ mask: request.mask, image }, resolved, { maxPixels });
  if (mask === undefined) checkMasking(resolved, { ...rules, hasMask: false });
  // What is drawn where the image was transparent is to be seen.
  const isFilled = mask !== undefined && !hasMask;
  return { images, mask, source: isFilled ? { ...source!, deep: laidOn(source!.deep, colour) } : source };
}
