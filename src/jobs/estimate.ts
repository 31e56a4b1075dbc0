/** Estimates how long a job's edit will take, from what is known of it before it starts. */
import { type EditSpeed, estimateMs } from "../engine/estimate.ts";
import { isNegativeUsed, type Size } from "../engine/request.ts";
import { isStitched, stitchedSize } from "../engine/stitched-size.ts";
import type { JobEdit } from "./job.ts";

/** Milliseconds on a worker of this speed. */
export function estimateJobMs(speed: EditSpeed, edit: JobEdit): number {
  const { size, numSteps, guidance, numImages } = edit;
  return estimateMs(speed, {
    size,
    numSteps,
    guidance,
    numImages,
    images: sizesSeen(edit),
    isNegativeUsed: isNegativeUsed(edit),
  });
}

/** The sizes of the images as the network sees them: stitched, they are one. */
function sizesSeen({ images, imageLayout }: JobEdit): (Size | undefined)[] {
  const sizes = images.map((image) => (image.kind === "stored" ? image.size : undefined));
  if (imageLayout !== "stitch" || sizes.length === 1) return sizes;
  const known = sizes.filter((size) => size !== undefined);
  return [known.length === sizes.length && isStitched(known) ? stitchedSize(known) : undefined];
}
