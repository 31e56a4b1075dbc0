/**
 * Read this first: image + instruction -> image, as in diffusers' `FluxKontextPipeline` (diffusers 0.42.1,
 * `pipelines/flux/pipeline_flux_kontext.py`), except for the sizes, which `engine/sizes.ts` explains.
 */
import type { Picture } from "../../images/picture.ts";
import { throwIfAborted } from "../../engine/abort.ts";
import type { EditOutcome, EditorOptions, EditStep } from "../../engine/model.ts";
import { withTrueGuidance } from "../../sampling/guidance.ts";
import { ALONE, BatchNoise } from "../../sampling/noise.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { ROTARY_THETA } from "../../models/transformers/flux-config.ts";
import { checkGiven, cutNotices, encodePrompts, velocityOf } from "./conditioning.ts";
import { latentIds, textIds } from "./latents.ts";
import type { Networks } from "./networks.ts";
import type { Prompt } from "./prompt.ts";
import { denoise } from "../shared/denoise.ts";
import { textLengthOf } from "../shared/given.ts";
import { packLatents } from "../shared/packing.ts";
import { encode } from "../shared/pictures.ts";
import { checkForm, resultOf } from "../shared/result.ts";
import { createRotary } from "../shared/rotary.ts";
import { isNegativeUsed, type ResolvedRequest } from "../../engine/request.ts";
import { levelsOf } from "./schedule.ts";
import { planSizes } from "../../engine/sizes.ts";

/** Edits one image. @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT at once */
export async function* editImage(
  networks: Networks,
  source: Picture,
  request: ResolvedRequest,
  options: EditorOptions = {},
): AsyncGenerator<EditStep, EditOutcome> {
  try {
    return yield* recipe(networks, source, request, options);
  } finally {
    networks.free();
  }
}

async function* recipe(
  networks: Networks,
  source: Picture,
  request: ResolvedRequest,
  options: EditorOptions,
): AsyncGenerator<EditStep, EditOutcome> {
  const { signal, isSketched, loras, sizes, resume, given = {}, place = ALONE, isLatentOnly } = options;
  const numChannels = networks.autoencoder.latentChannels;

  // 1. Sizes: the requested size, what the network generates, what it sees of the source.
  const plan = sizes ?? planSizes([source], request.size, networks.native);
  const { size, target } = plan;
  checkForm(plan, request);
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
    numSteps: request.numSteps,
    isNegativeUsed: hasNegative,
    textLength: textLengthOf(networks.textLength, request, given),
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
  const rotaryOf = createRotary({
    axes: networks.flux.rotaryAxes,
    theta: ROTARY_THETA,
    textIds,
    imageIds: [latentIds(targetGrid, 0), latentIds(referenceGrid, 1)],
  });

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
    velocityOf(networks, prompt, { ...inputs, rotary: rotaryOf(prompt.promptEmbeds.shape[0]!) }, told);
  const positive = await ofPrompt(prompts.positive);
  const velocity = prompts.negative
    ? withTrueGuidance(positive, await ofPrompt(prompts.negative), request.trueCfgScale)
    : positive;

  // 7. Denoise: the sampler follows the velocity from noise to an image.
  const latents = yield* denoise(networks, target, {
    velocity,
    start,
    sigmas: levels.sigmas,
    from,
    noise: networks.schedule.isStochastic ? () => noise.next() : undefined,
    signal,
    started,
  });
  networks.free(); // The decoder may need the room.
  const outcome = {
    size,
    latents: { data: latents, shape: [numTokens, 4 * numChannels] },
    workingSize: target.content,
    referenceSize: reference.content,
    referenceSizes: [reference.content],
    isNegativeUsed: hasNegative,
    notices: [...(adapted?.notices ?? []), ...cutNotices(prompts)],
  };
  if (isLatentOnly) return outcome;

  // 8. Decode and resize; if requested, keep the source's own pixels wherever the network merely reproduced it.
  const kept = request.isUnchangedKept
    ? { picture: source, latents: referenceLatents, decoded: options.source }
    : undefined;
  const result = await resultOf(networks, latents, plan, kept);
  return { ...outcome, ...result, notices: [...outcome.notices, ...result.notices] };
}
