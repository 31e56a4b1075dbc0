/** The images that one request draws, and the steps in which an editor draws them. */
import { invalid } from "../errors.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { type GivenTensors, hasTensors, latentsOf } from "./given-tensors.ts";
import type { DrawState } from "../sampling/draw-state.ts";
import type { Draw, EditOutcome, EditStep } from "./model.ts";
import { type ResolvedRequest, seedAt } from "./request.ts";

/** What is drawn: `numImages` of seeds that follow each other, or `numImagesPerPrompt` of one draw of noise. @throws RetouchError INVALID_PARAMETER */
export function drawsOf({ seed, numImages = 1 }: ResolvedRequest, given: GivenTensors): Draw[] {
  if (numImages > 1) {
    const other = given.latents ? "latents" : given.numImages > 1 ? "numImagesPerPrompt" : undefined;
    if (other !== undefined) throw invalid("notTogether", { field: "numImages", other });
    return Array.from({ length: numImages }, (_, index) => ({ seed: seedAt(seed, index) }));
  }
  return Array.from({ length: given.numImages }, (_, index) => ({
    seed,
    place: { index, of: given.numImages },
    latents: latentsOf(given, index),
  }));
}

/** How far an edit is over all of its images. */
export function stepOfAll({ step, of, image = 0, numImages = 1, drawn }: StepPlace): {
  step: number;
  of: number;
} {
  return { step: drawn ? stepsTaken(drawn, of) : image * of + step, of: numImages * of };
}

type StepPlace = Pick<EditStep, "step" | "of" | "image" | "numImages" | "drawn">;

/** Steps of all images up to a state. @param of steps of each */
export const stepsTaken = ({ finished, states }: DrawState, of: number): number =>
  states.reduce((sum, { step }) => sum + step, finished.length * of);

/** What an edit returns. If `onStep` fails, it does too, where it waits: so it frees what it holds. */
export async function followed(
  steps: AsyncGenerator<EditStep, EditOutcome>,
  onStep: (step: EditStep) => Promise<void>,
): Promise<EditOutcome> {
  let next = await steps.next();
  while (!next.done) {
    const failed = await onStep(next.value).catch((error: unknown) => ({ error }));
    next = await (failed ? steps.throw(failed.error) : steps.next());
  }
  return next.value;
}

/** @throws RetouchError INVALID_PARAMETER for tensors that the pipeline does not take */
export function checkTensors({ takesTensors = false }: Pipeline, given: GivenTensors): void {
  if (takesTensors || !(hasTensors(given) || given.numImages > 1)) return;
  const { embeds, negativeEmbeds, latents } = given;
  const [field] =
    Object.entries({ promptEmbeds: embeds, negativePromptEmbeds: negativeEmbeds, latents }).find(
      ([, tensor]) => tensor !== undefined,
    ) ?? [];
  throw invalid("unsupported", {
    field: field ?? "numImagesPerPrompt",
    reason: "the model of this checkpoint takes none",
  });
}
