/** Estimates how long a job's edit will take, from what is known of it before it starts. */
import { type EditSpeed, estimateMs } from "../engine/estimate.ts";
import { isNegativeUsed } from "../engine/request.ts";
import { resultSizeOf } from "../engine/sizes.ts";
import type { JobEdit } from "./job.ts";

/** Milliseconds on a worker of this speed. */
export function estimateJobMs(speed: EditSpeed, edit: JobEdit): number {
  const { numSteps, guidance } = edit;
  const images = edit.images.map((image) => (image.kind === "stored" ? image.size : undefined));
  return estimateMs(speed, {
    size: resultSizeOf(images[0], edit.size, { area: speed.nativeArea }),
    numSteps,
    guidance,
    images,
    isNegativeUsed: isNegativeUsed(edit),
  });
}
