/** What becomes of a mask's file. */
import { invalid } from "../errors.ts";
import { decodeAlpha } from "../images/decode-alpha.ts";
import { decodePicture, type DecodeOptions } from "../images/decode.ts";
import { uprightSize } from "../images/upright-size.ts";
import { gaussianBlurred } from "../images/gaussian-blur.ts";
import { grayOf, WHITE_FROM } from "../images/gray.ts";
import type { GrayPicture, Picture } from "../images/picture.ts";
import { aboutMask, type GivenMask, wrongMaskSize } from "./mask-rules.ts";
import type { ResolvedRequest, Size } from "./request.ts";

type MaskFields = Pick<ResolvedRequest, "isTransparencyEdited" | "maskBlur">;

/**
 * The mask of an edit: 255 where the image may change, of the image's size, blurred.
 * @returns undefined if there is none
 * @throws RetouchError INVALID_PARAMETER about `mask`
 */
export async function readMask(
  { mask, image }: { mask: Uint8Array | undefined; image: { bytes: Uint8Array; picture: Picture } },
  { isTransparencyEdited = false, maskBlur = 0 }: MaskFields,
  options: DecodeOptions,
): Promise<GrayPicture | undefined> {
  const decoded = mask
    ? await aboutMask(() => decodeMask(mask, isTransparencyEdited, options))
    : isTransparencyEdited
      ? await transparent(image.bytes, options)
      : undefined;
  if (decoded === undefined) return undefined;
  checkSize(decoded, image.picture);
  return blurredMask(decoded, maskBlur);
}

/** More than these take a mask's file longer than somebody waits who only wants to know whether it is taken. */
const MAX_CHECKED_PIXELS = 32e6;

/**
 * Checks the file of a mask before there is an edit. What is wrong with the image is the edit's to tell.
 * @throws RetouchError INVALID_PARAMETER about `mask`
 */
export async function checkMaskFile(
  { mask, image, isTransparencyEdited = false, maskBlur = 0 }: GivenMask,
  options: DecodeOptions,
): Promise<void> {
  const size = await aboutMask(() => uprightSize(mask, options));
  const own = image && (await uprightSize(image, options).catch(() => undefined));
  if (own) checkSize(size, own);
  if (size.width * size.height > MAX_CHECKED_PIXELS) return;
  blurredMask(await aboutMask(() => decodeMask(mask, isTransparencyEdited, options)), maskBlur);
}

/** @throws RetouchError INVALID_PARAMETER */
function checkSize(mask: Size, image: Size): void {
  if (mask.width !== image.width || mask.height !== image.height) throw wrongMaskSize(mask, image);
}

/** @throws RetouchError INVALID_PARAMETER if nothing of it is white */
function blurredMask(decoded: GrayPicture, maskBlur: number): GrayPicture {
  const blurred = gaussianBlurred(decoded, maskBlur);
  if (blurred.data.some((value) => value >= WHITE_FROM)) return blurred;
  const why = maskBlur > 0 ? "nothing of it is white once it has been blurred" : "nothing of it is white";
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
