/** Estimates how long an edit will take, before it starts, from what the worker measured at its native size. */
import { type SamplerName, velocitiesOf } from "../sampling/sampler-names.ts";
import type { SecondPass } from "./extent.ts";
import type { Size } from "./request.ts";
import { targetSize, workingReference } from "./sizes.ts";

/** What the time of an edit depends on, of a model. */
export interface EditScale {
  /** Pixels of the native size. */
  nativeArea: number;
  /** Side of a token, in pixels. */
  grid: number;
  /** As in `NativeScale`. @default false */
  isSmallKept?: boolean | undefined;
  /** @default "negative" */
  secondPass?: SecondPass | undefined;
  /** The part of an edit's operations that grows with the square of its tokens. @default 0 */
  attentionShare?: number | undefined;
}

/** What a worker measured while warming up, then averages with every edit. */
export interface EditSpeed extends EditScale {
  /** Everything but the steps, in milliseconds. */
  fixedMs: number;
  /** One step of one pass with the result and one image at the native size, in milliseconds. */
  stepMs: number;
}

/** What is known of an edit before it starts. */
export interface EstimatedEdit {
  /** Of the result. */
  size: Size;
  /** Of each image; undefined where it is not known, which counts as the native one, the largest. */
  images: readonly (Size | undefined)[];
  /** Results. @default 1 */
  numImages?: number | undefined;
  numSteps: number;
  /** @default "euler" */
  sampler?: SamplerName | undefined;
  guidance: number;
  /** Whether there is a negative prompt in effect, for models that have a second pass for it. */
  isNegativeUsed: boolean;
}

/**
 * Estimates an edit in milliseconds. What is done once an edit is taken as what it was for the edits that were measured, and
 * as often as there are results, which is too much by what they share: text and references.
 */
export const estimateMs = (speed: EditSpeed, edit: EstimatedEdit): number =>
  (edit.numImages ?? 1) * (speed.fixedMs + speed.stepMs * nativeSteps(speed, edit));

/** How many steps of one pass, with one result and one image at the native size, take as long as those of one result of this edit. */
export function nativeSteps(scale: EditScale, edit: EstimatedEdit): number {
  const { nativeArea, grid, isSmallKept, attentionShare = 0 } = scale;
  const native = { area: nativeArea, grid, isSmallKept };
  const target = targetSize(edit.size, native);
  const seen = edit.images.map((image, index) =>
    image === undefined ? nativeArea : areaOf(workingReference(image, index, target, native).canvas),
  );
  const tokens = seen.reduce((sum, area) => sum + area, areaOf(target.canvas)) / (2 * nativeArea);
  const perStep = (1 - attentionShare) * tokens + attentionShare * tokens ** 2;
  return velocitiesOf(edit.sampler, edit.numSteps) * (hasSecondPass(scale, edit) ? 2 : 1) * perStep;
}

function hasSecondPass(
  { secondPass = "negative" }: EditScale,
  { guidance, isNegativeUsed }: EstimatedEdit,
): boolean {
  return secondPass === "guidance" ? guidance > 1 : secondPass === "negative" && isNegativeUsed;
}

const areaOf = ({ width, height }: Size): number => width * height;
