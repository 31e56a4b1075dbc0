/** Previews of the forming image: as often as they cost next to nothing, or as many as were asked for. */
import { skippedSteps } from "../engine/mask-rules.ts";
import type { EditStep } from "../engine/model.ts";
import { toDataUrl } from "../images/data-url.ts";
import { encodePartial, encodePreview } from "../images/encode.ts";
import type { JobEdit, JobProgress } from "../jobs/job.ts";

/** Pause after a preview, as a multiple of its duration: previews take at most a thirtieth of the time. */
const PREVIEW_PAUSE = 30;

export type Preview = Pick<JobProgress, "preview" | "isPartial">;

export interface Previews {
  /** Whether a picture that was asked for is due after so many steps over all results: its progress must be told. */
  isPartialDue(taken: number): boolean;
  /** The preview after a step, if there is to be one. @param taken steps over all results */
  after(taken: number, step: Pick<EditStep, "sketch">): Promise<Preview>;
}

type PreviewedEdit = Pick<
  JobEdit,
  "isPreviewed" | "numPartials" | "numImages" | "numSteps" | "strength" | "format"
>;

export function createPreviews(edit: PreviewedEdit): Previews {
  const { isPreviewed, numPartials, numImages = 1, numSteps, format } = edit;
  const partials = isPreviewed ? partialSteps(edit) : [];
  let nextAt = performance.now();
  const isPartialDue = (taken: number): boolean => taken >= (partials[0] ?? Infinity);
  return {
    isPartialDue,
    async after(taken, step) {
      if (isPartialDue(taken)) {
        while (isPartialDue(taken)) partials.shift();
        const { bytes, type } = await encodePartial(await step.sketch(), format);
        return { preview: toDataUrl(type, bytes), isPartial: true };
      }
      const now = performance.now();
      const isLast = taken === numSteps * numImages;
      if (!isPreviewed || numPartials !== undefined || isLast || now < nextAt) return {};
      const preview = toDataUrl("image/jpeg", await encodePreview(await step.sketch()));
      const tookMs = performance.now() - now;
      nextAt = now + (1 + PREVIEW_PAUSE) * tookMs;
      return { preview };
    },
  };
}

/**
 * After which steps, over all results, the pictures come that were asked for: evenly between the first step that is taken
 * and the last, which is followed by the result itself. There are fewer of an edit with fewer steps.
 */
export function partialSteps({
  numPartials = 0,
  numImages = 1,
  ...edit
}: Omit<PreviewedEdit, "isPreviewed" | "format">): number[] {
  const { numSteps } = edit;
  const skipped = skippedSteps(edit);
  const steps = new Set<number>();
  for (let image = 0; image < numImages; image += 1) {
    for (let place = 1; place <= numPartials; place += 1) {
      const step = skipped + Math.round(((numSteps - skipped) * place) / (numPartials + 1));
      if (step > skipped && step < numSteps) steps.add(image * numSteps + step);
    }
  }
  return [...steps].toSorted((a, b) => a - b);
}
