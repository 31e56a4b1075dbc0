/**
 * Read this first: image + instruction -> image, as in diffusers' `FluxKontextPipeline` (diffusers 0.42.1,
 * `pipelines/flux/pipeline_flux_kontext.py`), except for the sizes, which `engine/sizes.ts` explains. With a mask as in
 * `FluxKontextInpaintPipeline`, of which `shared/inpaint.ts` tells.
 */
import type { Picture } from "../../images/picture.ts";
import { throwIfAborted } from "../../engine/abort.ts";
import { skippedSteps } from "../../engine/mask-rules.ts";
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
import { blendedWith, inpaintingStart, maskOfCells, planInpainting } from "../shared/inpaint.ts";
import { packLatents } from "../shared/packing.ts";
import { encode } from "../shared/pictures.ts";
import { resultOf } from "../shared/result.ts";
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
  const { signal, isSketched, loras, sizes, resume, given = {}, place = ALONE, isLatentOnly, mask } = options;
  const numChannels = networks.autoencoder.latentChannels;

  // 1. Sizes: the requested size, what the network generates, what it sees of the source; with a mask, perhaps a part of it.
  const whole = sizes ?? planSizes([source], request.size, networks.native);
  const inside = mask && planInpainting(source, mask, request, whole);
  const { plan } = inside ?? { plan: whole };
  const { size, target } = plan;
  const reference = plan.references[0]!;
  const targetGrid = networks.latentSize(target.canvas);
  const referenceGrid = networks.latentSize(reference.canvas);
  const numTokens = (targetGrid.width * targetGrid.height) / 4;

  checkGiven(networks, given, numTokens);
  const cells = inside && maskOfCells(inside.mask, targetGrid, numChannels);
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
  const referenceLatents = await encode(networks, inside?.picture ?? source, reference);
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
  const drawn = given.latents?.data ?? packLatents(noise.next(), numChannels, targetGrid);
  const latentsInside = cells && { image: referenceLatents, noise: drawn, mask: cells };
  const skipped = inside ? skippedSteps(request) : 0;
  // The reference samples latents of the masked image as well, and uses them for nothing.
  if (inside) noise.skipOne();
  if (networks.schedule.isStochastic) noise.skip((from?.step ?? skipped) - skipped);

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
    start: latentsInside && !given.latents ? inpaintingStart(latentsInside, levels.sigmas, request) : drawn,
    sigmas: levels.sigmas,
    from,
    skipped,
    afterStep: latentsInside && blendedWith(latentsInside),
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
  const kept = request.isUnchangedKept ? { picture: source, latents: referenceLatents } : undefined;
  const result = await resultOf(networks, latents, plan, kept, inside?.overlay);
  return { ...outcome, ...result, notices: [...outcome.notices, ...result.notices] };
}
