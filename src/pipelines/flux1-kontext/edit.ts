/**
 * Read this first: image + instruction -> image, as in diffusers' `FluxKontextPipeline` (diffusers 0.42.1,
 * `pipelines/flux/pipeline_flux_kontext.py`), except for the sizes, which `engine/sizes.ts` explains.
 */
import type { Picture } from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import { composite, findKept, type Kept } from "../../engine/keep-unchanged.ts";
import { throwIfAborted } from "../../engine/abort.ts";
import type { EditOutcome, EditorOptions, EditStep } from "../../engine/model.ts";
import { eulerSampler } from "../../sampling/euler.ts";
import { withTrueGuidance } from "../../sampling/guidance.ts";
import { ALONE, BatchNoise } from "../../sampling/noise.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import {
  checkGiven,
  createRotary,
  cutNotices,
  encodePrompts,
  textLengthOf,
  velocityOf,
} from "./conditioning.ts";
import { latentIds, packLatents } from "./latents.ts";
import type { Networks } from "./networks.ts";
import type { Prompt } from "./prompt.ts";
import { decode, encode, sketch, sourceAt } from "./pictures.ts";
import { isNegativeUsed, type ResolvedRequest } from "../../engine/request.ts";
import { levelsOf } from "./schedule.ts";
import { hasOneCanvas, planSizes } from "../../engine/sizes.ts";

/** The recipe for one image. @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT at once */
export async function* editImage(
  networks: Networks,
  source: Picture,
  request: ResolvedRequest,
  options: EditorOptions = {},
): AsyncGenerator<EditStep, EditOutcome> {
  const { signal, isSketched, loras, sizes, resume, given = {}, place = ALONE, isLatentOnly } = options;
  const { numSteps } = request;
  const numChannels = networks.autoencoder.latentChannels;

  // 1. Sizes: the requested size, what the network generates, what it sees of the source.
  const plan = sizes ?? planSizes([source], request.size, networks.native);
  const { size, target } = plan;
  const reference = plan.references[0]!;
  const targetGrid = networks.latentSize(target.canvas);
  const referenceGrid = networks.latentSize(reference.canvas);
  const numTokens = (targetGrid.width * targetGrid.height) / 4;

  checkGiven(networks, given, numTokens);
  const levels = levelsOf(networks.schedule, request, numTokens);
  const hasNegative = isNegativeUsed(request, given.negativeEmbeds !== undefined);
  await networks.prepare({
    target: target.canvas,
    references: [reference.canvas],
    numSteps,
    isNegativeUsed: hasNegative,
    textLength: textLengthOf(networks, request, given),
    loraBytes: loras?.memoryBytes,
  });
  const adapted = await loras?.read();

  // 2. Text: T5 carries the wording, CLIP's pooled vector modulates every block.
  const prompts = await encodePrompts(networks, request, given, { hasNegative, adapters: adapted?.adapters });

  // 3. Reference: the mode of its latents, as tokens that follow the target's; stream 1 tells them apart.
  throwIfAborted(signal);
  const referenceLatents = await encode(networks, source, reference);
  if (isSketched) await networks.sketcher();

  // 4. Positions of text, target and reference.
  const rotaryOf = createRotary(networks, [latentIds(targetGrid, 0), latentIds(referenceGrid, 1)]);

  // 5. Noise, drawn as a grid and then packed; or what the caller gives, or what an interrupted run made of it.
  const from = resume?.([numTokens, 4 * numChannels]);
  const noise = new BatchNoise(request.seed, numTokens * 4 * numChannels, place);
  const start = given.latents?.data ?? packLatents(noise.next(), numChannels, targetGrid);
  if (networks.schedule.isStochastic) noise.skip(from?.step ?? 0);

  // 6. The velocity at each noise level: the network's prediction for the prompt, away from the negative.
  const started = performance.now();
  const inputs = { referenceLatents, adapters: adapted?.adapters };
  const told = { ...levels, guidance: request.guidance };
  const ofPrompt = (prompt: Prompt): Promise<Velocity> =>
    velocityOf(networks, prompt, { ...inputs, rotary: rotaryOf(prompt) }, told);
  const positive = await ofPrompt(prompts.positive);
  const velocity = prompts.negative
    ? withTrueGuidance(positive, await ofPrompt(prompts.negative), request.trueCfgScale)
    : positive;

  // 7. Denoise: the sampler follows the velocity from noise to an image.
  const steps = eulerSampler(velocity, from?.latents ?? start, {
    sigmas: levels.sigmas,
    from,
    noise: networks.schedule.isStochastic ? () => noise.next() : undefined,
  });
  throwIfAborted(signal);
  let next = await steps.next();
  while (!next.done) {
    const { index, latents, memory = {}, estimate } = next.value;
    yield {
      step: index + 1,
      of: numSteps,
      seconds: (performance.now() - started) / 1000,
      latents,
      state: { step: index + 1, latents, memory },
      preview: () => decode(networks, estimate(), target),
      sketch: () => sketch(networks, estimate(), target),
    };
    throwIfAborted(signal);
    next = await steps.next();
  }
  const notices = [...(adapted?.notices ?? []), ...cutNotices(prompts)];
  const outcome = {
    size,
    latents: { data: next.value, shape: [numTokens, 4 * numChannels] },
    workingSize: target.content,
    referenceSize: reference.content,
    isNegativeUsed: hasNegative,
    notices,
  };
  if (isLatentOnly) return outcome;

  // 8. Decode, cut off the padding and resize the image to the requested size.
  const working = await decode(networks, next.value, target);
  const picture = await resizePicture(working, size.width, size.height);

  // 9. If requested: keep the source's own pixels wherever the network merely reproduced the source.
  let kept: Kept | undefined;
  if (request.isUnchangedKept && !hasOneCanvas(plan)) notices.push(NOT_KEPT);
  else if (request.isUnchangedKept) {
    const seen = await decode(networks, referenceLatents, target);
    kept = findKept(working, seen, networks.autoencoder.scaleFactor);
    if (kept.changedShare < 1) composite(picture, await sourceAt(source, plan), kept.mask);
  }
  return { ...outcome, picture, kept };
}

const NOT_KEPT =
  "What was not edited could not be kept as it was, because the image and the result differ in shape.";
