/** Estimates how long a job's edit will take, from what is known of it before it starts. */
import { type EditSpeed, estimateMs } from "../engine/estimate.ts";
import { skippedSteps } from "../engine/mask-rules.ts";
import { isNegativeUsed } from "../engine/request.ts";
import type { JobEdit } from "./job.ts";

/** Milliseconds on a worker of this speed. */
export function estimateJobMs(speed: EditSpeed, edit: JobEdit): number {
  const { size, numSteps, guidance, images } = edit;
  return estimateMs(speed, {
    size,
    numSteps: numSteps - skippedSteps(edit),
    guidance,
    images: images.map((image) => (image.kind === "stored" ? image.size : undefined)),
    isNegativeUsed: isNegativeUsed(edit),
  });
}
