/** The room that large results take where they are stored, before any of them is drawn. */
import type { OutputFormat } from "../images/output-format.ts";
import { sizeText } from "../machine/size-text.ts";
import { USUAL_PIXELS } from "./extent.ts";
import type { ResolvedRequest, Size } from "./request.ts";
import { resultSizeOf } from "./sizes.ts";

/** What decides how large the files of an edit's results are. */
export type ResultFiles = Pick<ResolvedRequest, "size" | "numImages" | "format">;

/** What photographs take at most at the formats' own qualities: of PNG, all of their numbers. */
const BYTES_PER_PIXEL: Readonly<Record<OutputFormat, number>> = { png: 3, jpeg: 1, webp: 1, avif: 1 };
/** Where neither a size nor an image says more. */
const NATIVE = { area: 1024 ** 2 };

/**
 * Bytes that the results of an edit take beyond what every edit may.
 * @param image the size of the first image; absent if there is none
 */
export const roomOf = (wanted: ResultFiles, image: Size | undefined): number =>
  Math.max(fileBytesOf(wanted, image) - BYTES_PER_PIXEL[wanted.format] * USUAL_PIXELS, 0);

/** Bytes of the files of an edit's results, whole. @param image as of {@link roomOf} */
export function fileBytesOf({ size, numImages = 1, format }: ResultFiles, image: Size | undefined): number {
  const { width, height } = resultSizeOf(image, size, NATIVE);
  return BYTES_PER_PIXEL[format] * numImages * width * height;
}

/** Larger than any image that is read. */
const LARGEST: Size = { width: 100_000, height: 100_000 };

/** Whether the results of an edit can take such room, whatever its image's size is. */
export const mayTakeRoom = (wanted: ResultFiles): boolean => roomOf(wanted, LARGEST) > 0;

/**
 * "8 results of 8000 x 8000 pixels take about 1.5 GB, ...": why there is no room for them.
 * @param bytes what they take @default {@link roomOf} them
 */
export function noRoomText(
  wanted: ResultFiles,
  image: Size | undefined,
  bytes = roomOf(wanted, image),
): string {
  const { numImages = 1 } = wanted;
  const { width, height } = resultSizeOf(image, wanted.size, NATIVE);
  const results = numImages === 1 ? "a result" : `${numImages} results`;
  const verb = numImages === 1 ? "takes" : "take";
  return `${results} of ${width} x ${height} pixels ${verb} about ${sizeText(bytes)}, for which there is no room`;
}
