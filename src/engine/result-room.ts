/** The room that large results take where they are stored, before any of them is drawn. */
import type { OutputFormat } from "../images/output-format.ts";
import { sizeText } from "../machine/size-text.ts";
import { USUAL_PIXELS } from "./extent.ts";
import type { ResolvedRequest, Size } from "./request.ts";
import { resultSizeOf } from "./sizes.ts";

type Wanted = Pick<ResolvedRequest, "size" | "numImages" | "format">;

/** What photographs take at most at the formats' own qualities: of PNG, all of their numbers. */
const BYTES_PER_PIXEL: Readonly<Record<OutputFormat, number>> = { png: 3, jpeg: 1, webp: 1, avif: 1 };
/** Where neither a size nor an image says more. */
const NATIVE = { area: 1024 ** 2 };

/**
 * Bytes that the results of an edit take beyond what every edit may.
 * @param image the size of the first image; absent if there is none
 */
export function roomOf({ size, numImages = 1, format }: Wanted, image: Size | undefined): number {
  const { width, height } = resultSizeOf(image, size, NATIVE);
  return BYTES_PER_PIXEL[format] * Math.max(numImages * width * height - USUAL_PIXELS, 0);
}

/** Larger than any image that is read. */
const LARGEST: Size = { width: 100_000, height: 100_000 };

/** Whether the results of an edit can take such room, whatever its image's size is. */
export const mayTakeRoom = (wanted: Wanted): boolean => roomOf(wanted, LARGEST) > 0;

/** "size: 8 results of 8000 x 8000 pixels take about 1.5 GB, ...": why there is no room for them. */
export function noRoomText(wanted: Wanted, image: Size | undefined): string {
  const { numImages = 1 } = wanted;
  const { width, height } = resultSizeOf(image, wanted.size, NATIVE);
  const results = numImages === 1 ? "a result" : `${numImages} results`;
  const verb = numImages === 1 ? "takes" : "take";
  return `${results} of ${width} x ${height} pixels ${verb} about ${sizeText(roomOf(wanted, image))}, for which there is no room`;
}
