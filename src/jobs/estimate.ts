/** Estimates how long a job's edit will take, from what is known of it before it starts. */
import { type EditSpeed, estimateMs } from "../engine/estimate.ts";
import { skippedSteps } from "../engine/mask-rules.ts";
import { isNegativeUsed, type Size } from "../engine/request.ts";
import { resultSizeOf } from "../engine/sizes.ts";
import { isStitched, stitchedSize } from "../engine/stitched-size.ts";
import type { JobEdit, JobImage } from "./job.ts";

/** Milliseconds on a worker of this speed. */
export function estimateJobMs(speed: EditSpeed, edit: JobEdit): number {
  const { numSteps, sampler, guidance, numImages } = edit;
  const [first] = edit.images;
  return estimateMs(speed, {
    size: resultSizeOf(first && sizeOf(first), edit.size, { area: speed.nativeArea }),
    numSteps: numSteps - skippedSteps(edit),
    sampler,
    guidance,
    numImages,
    images: sizesSeen(edit),
    isNegativeUsed: isNegativeUsed(edit),
  });
}

const sizeOf = (image: JobImage): Size | undefined => (image.kind === "stored" ? image.size : undefined);

/** The sizes of the images as the network sees them: stitched, they are one. */
function sizesSeen({ images, imageLayout }: JobEdit): (Size | undefined)[] {
  const sizes = images.map(sizeOf);
  if (imageLayout !== "stitch" || sizes.length === 1) return sizes;
  const known = sizes.filter((size) => size !== undefined);
  return [known.length === sizes.length && isStitched(known) ? stitchedSize(known) : undefined];
}
