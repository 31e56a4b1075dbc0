/** From the files of a request to pictures, where its pipeline takes as many. */
import { invalid } from "../errors.ts";
import { decodePicture } from "../images/decode.ts";
import { type DecodedSource, decodeSource } from "../images/decode-source.ts";
import type { Picture } from "../images/picture.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { sourceFor } from "./finish.ts";
import { checkImageCount } from "./model-traits.ts";
import { type EditRequest, imagesOf, type ResolvedRequest } from "./request.ts";
import { colourOf } from "./result-form.ts";

/**
 * The images and the mask of an edit, as its networks see them, and the first image as its file has it.
 * @throws RetouchError INVALID_PARAMETER for images or a mask that the pipeline does not take; IMAGE_*
 */
export async function decodeImages(
  request: EditRequest,
  form: ResolvedRequest,
  {
    pipeline: { minImages, maxImages, takesMask },
    maxPixels,
  }: { pipeline: Pipeline; maxPixels: number | undefined },
): Promise<{ images: readonly Picture[]; mask: Picture | undefined; source: DecodedSource | undefined }> {
  const given = imagesOf(request);
  checkImageCount(given.length, { minImages, maxImages });
  if (request.mask !== undefined && !takesMask) {
    throw invalid("unsupported", { field: "mask", reason: "the model of this checkpoint takes none" });
  }
  const [first, ...others] = given;
  const decoded = first && (await decodeSource(first, { maxPixels, background: colourOf(form.background) }));
  const source = sourceFor(decoded, form);
  const images = source ? [source.picture] : [];
  for (const bytes of others) images.push(await decodePicture(bytes, { maxPixels }));
  return { images, source, mask: request.mask && (await decodePicture(request.mask, { maxPixels })) };
}
