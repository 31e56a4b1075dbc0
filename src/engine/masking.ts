/** What becomes of a mask's file. */
import { invalid } from "../errors.ts";
import { decodeAlpha } from "../images/decode-alpha.ts";
import { decodePicture, type DecodeOptions } from "../images/decode.ts";
import { gaussianBlurred } from "../images/gaussian-blur.ts";
import { grayOf, WHITE_FROM } from "../images/gray.ts";
import type { GrayPicture, Picture } from "../images/picture.ts";
import { aboutMask, wrongMaskSize } from "./mask-rules.ts";
import type { ResolvedRequest } from "./request.ts";

/**
 * The mask of an edit: 255 where the image may change, of the image's size, blurred.
 * @returns undefined if there is none
 * @throws RetouchError INVALID_PARAMETER about `mask`
 */
export async function readMask(
  { mask, image }: { mask: Uint8Array | undefined; image: { bytes: Uint8Array; picture: Picture } },
  { isTransparencyEdited = false, maskBlur = 0 }: Pick<ResolvedRequest, "isTransparencyEdited" | "maskBlur">,
  options: DecodeOptions,
): Promise<GrayPicture | undefined> {
  const decoded = mask
    ? await aboutMask(() => decodeMask(mask, isTransparencyEdited, options))
    : isTransparencyEdited
      ? await transparent(image.bytes, options)
      : undefined;
  if (decoded === undefined) return undefined;
  const { width, height } = image.picture;
  if (decoded.width !== width || decoded.height !== height) throw wrongMaskSize(decoded, image.picture);
  const blurred = gaussianBlurred(decoded, maskBlur);
  if (blurred.data.some((value) => value >= WHITE_FROM)) return blurred;
  const why = maskBlur > 0 ? "nothing of it is white once it is blurred" : "nothing of it is white";
  throw invalid("about", { field: "mask", sentence: `${why}, so nothing may change.` });
}

/** @throws RetouchError IMAGE_* */
async function decodeMask(
  bytes: Uint8Array,
  isTransparencyEdited: boolean,
  options: DecodeOptions,
): Promise<GrayPicture> {
  const picture = await decodePicture(bytes, options);
  const alpha = await decodeAlpha(bytes, options);
  const gray = grayOf(picture);
  if (alpha === undefined) return gray;
  if (isTransparencyEdited) return alpha.data.includes(0) ? inverse(alpha) : gray;
  // On white, what is transparent is white; on black, as much less as it is transparent.
  const data = gray.data.map((value, pixel) => Math.max(0, value - (255 - alpha.data[pixel]!)));
  return { ...gray, data };
}

/** What is transparent in the image, as white; undefined if nothing is entirely so. */
async function transparent(bytes: Uint8Array, options: DecodeOptions): Promise<GrayPicture | undefined> {
  const alpha = await decodeAlpha(bytes, options);
  return alpha?.data.includes(0) ? inverse(alpha) : undefined;
}

const inverse = ({ width, height, data }: GrayPicture): GrayPicture => ({
  width,
  height,
  data: data.map((value) => 255 - value),
});
