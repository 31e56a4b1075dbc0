/**
 * Read this first: image + instruction -> image, as in diffusers' `FluxKontextPipeline` (diffusers 0.42.1,
 * `pipelines/flux/pipeline_flux_kontext.py`), except for the sizes, which `engine/sizes.ts` explains. `layouts.ts` has what
 * is done with several images, which that pipeline does not take. With a mask as in `FluxKontextInpaintPipeline`, of which
 * `shared/inpaint.ts` tells.
 */
import type { Picture } from "../../images/picture.ts";
import { throwIfAborted } from "../../engine/abort.ts";
import type { Ask, Party } from "../../engine/batches/batcher.ts";
import { skippedSteps } from "../../engine/mask-rules.ts";
import type { EditOutcome, EditorOptions, EditStep } from "../../engine/model.ts";
import { withTrueGuidance } from "../../sampling/guidance.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { ROTARY_THETA } from "../../models/transformers/flux-config.ts";
import { checkGiven, cutNotices, encodePrompts, inputsOf } from "./conditioning.ts";
import { latentIds, textIds } from "./latents.ts";
import { referenceIds } from "./layouts.ts";
import type { Networks, VelocityInputs } from "./networks.ts";
import type { Prompt } from "./prompt.ts";
import { denoiseDraws } from "../shared/draws.ts";
import { textLengthOf } from "../shared/given.ts";
import { maskOfCells, planInpainting } from "../shared/inpaint.ts";
import { checkSampler } from "../shared/noise-schedule.ts";
import { packLatents, tokensIn } from "../shared/packing.ts";
import { encode } from "../shared/pictures.ts";
import { keptAs } from "../shared/preserved.ts";
import { checkForm, outcomeOf, pictureExtent, resultsOf } from "../shared/result.ts";
import { stitchPictures } from "../shared/stitch.ts";
import { createRotary, joined } from "../shared/rotary.ts";
import { isNegativeUsed, type ResolvedRequest } from "../../engine/request.ts";
import { levelsOf } from "./schedule.ts";
import { planSizes, resultSizeOf } from "../../engine/sizes.ts";
import { Stopwatch } from "../../engine/stopwatch.ts";

/** Edits the first of some images, looking at all. @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT at once */
export async function* editImage(
  networks: Networks,
  images: readonly Picture[],
  request: ResolvedRequest,
  options: EditorOptions = {},
): AsyncGenerator<EditStep, EditOutcome> {
  try {
    return yield* recipe(networks, images, request, options);
  } finally {
    networks.free();
  }
}

async function* recipe(
  networks: Networks,
  images: readonly Picture[],
  request: ResolvedRequest,
  options: EditorOptions,
): AsyncGenerator<EditStep, EditOutcome> {
  const { signal, isSketched, loras, sizes, resume, reuse, given = {}, isLatentOnly } = options;
  const { mask, encodings, member, stopwatch = new Stopwatch() } = options;
  const { draws = [{ seed: request.seed, latents: given.latents }] } = options;
  const numChannels = networks.autoencoder.latentChannels;

  // 1. Sizes: the requested size, or that of the first image; what the network generates, what it sees of the sources; with
  // a mask, perhaps of a part.
  const { imageLayout = "auto" } = request;
  const sources = imageLayout === "stitch" ? [await stitchPictures(images)] : images;
  const whole =
    sizes ?? planSizes(sources, resultSizeOf(images[0], request.size, networks.native), networks.native);
  const inside = mask && planInpainting(sources[0]!, mask, request, whole);
  const { plan } = inside ?? { plan: whole };
  const { size, target, references } = plan;
  checkForm(whole, request);
  const targetGrid = networks.latentSize(target.canvas);
  const referenceGrids = references.map(({ canvas }) => networks.latentSize(canvas));
  const numTokens = tokensIn([targetGrid]);

  checkGiven(networks, given, numTokens);
  const cells = inside && maskOfCells(inside.mask, targetGrid, numChannels);
  checkSampler(networks.schedule, request.sampler);
  const levels = levelsOf(networks.schedule, request, numTokens);
  const hasNegative = isNegativeUsed(request, given.negativeEmbeds !== undefined);
  const passes = hasNegative ? 2 : 1;
  const extent = {
    target: target.canvas,
    references: references.map(({ canvas }) => canvas),
    numSteps: request.numSteps,
    isNegativeUsed: hasNegative,
    textLength: textLengthOf(networks.textLength, request, given),
    loraBytes: loras?.memoryBytes,
    ...pictureExtent(
      {
        size,
        numResults: draws.length,
        source: sources[0],
        deep: options.source?.deep,
        isMasked: mask !== undefined,
      },
      request,
    ),
  };
  await member?.agree(extent);
  const { size: members = 1 } = member ?? {};
  const roomFor = await networks.prepare({ ...extent, members, atOnce: passes * draws.length * members });
  const adapted = await loras?.read();

  // 2. Text: T5 carries the wording, CLIP's pooled vector modulates every block.
  const prompts = await stopwatch.time("texts", () =>
    encodePrompts(networks, request, given, { hasNegative, adapters: adapted?.adapters, encodings }),
  );

  // 3. References: the mode of their latents, as tokens that follow the target's; stream 1 tells them apart.
  const encoded: Float32Array[] = [];
  const pictures = inside ? [inside.picture, ...sources.slice(1)] : sources;
  for (const [index, source] of pictures.entries()) {
    throwIfAborted(signal);
    const working = references[index]!;
    encoded.push(await stopwatch.time("references", () => encode(networks, source, working, encodings)));
  }
  if (isSketched) await networks.sketcher();
  // Inside a mask, the network looks at a second image in place of the first.
  const firstSeen = inside && encoded.length > 1 ? 1 : 0;

  // 4. Positions of text, target and references.
  const layout = imageLayout === "offset" ? "offset" : "index";
  const rotaryOf = createRotary({
    axes: networks.flux.rotaryAxes,
    theta: ROTARY_THETA,
    textIds,
    imageIds: [latentIds(targetGrid, 0), ...referenceIds(referenceGrids.slice(firstSeen), layout)],
  });

  // 5. The velocity at each noise level: the network's prediction for the prompt, away from the negative.
  const started = performance.now();
  const inputs = { referenceLatents: joined(encoded.slice(firstSeen)), adapters: adapted?.adapters };
  const told = { ...levels, guidance: request.guidance };
  const ofPrompt = (prompt: Prompt): ReturnType<typeof inputsOf> =>
    inputsOf(
      networks,
      prompt,
      { ...inputs, numTokens, rotary: rotaryOf(prompt.promptEmbeds.shape[0]!) },
      told,
    );
  const positive = await ofPrompt(prompts.positive);
  const negative = prompts.negative && (await ofPrompt(prompts.negative));
  const velocity = (ask: Ask<VelocityInputs>): Velocity =>
    negative
      ? withTrueGuidance(async (at) => {
          const [away, from] = await ask([await positive(at), await negative(at)]);
          return [away!, from!];
        }, request.trueCfgScale)
      : async (at) => (await ask([await positive(at)]))[0]!;
  const meet = (isComplete?: () => boolean): Party<VelocityInputs> =>
    networks.batcher.party({ most: roomFor, isComplete });
  const party = member ? member.party(meet) : meet();
  const shapeOfImage = networks.shapeOf({ ...inputs, ...prompts.positive, numTokens });

  // 6. Noise for each image, drawn as a grid and then packed; or what the caller gives, or what an interrupted run made of
  // it. 7. Denoise: the sampler follows the velocity from noise to an image.
  const shape = [numTokens, 4 * numChannels] as const;
  const drawn = yield* denoiseDraws(networks, target, {
    draws,
    shape,
    pack: (noise) => packLatents(noise, numChannels, targetGrid),
    isStochastic: networks.schedule.isStochastic,
    begin() {
      const { ask, leave } = party.enter(signal);
      return { velocity: velocity(ask), end: leave };
    },
    close: party.close,
    atOnce: networks.batcher.lanesFor(shapeOfImage, passes, roomFor),
    sigmas: levels.sigmas,
    sampler: request.sampler,
    from: resume?.(shape),
    reuse,
    // The reference samples latents of the masked image as well, and uses them for nothing.
    inside: cells && { image: encoded[0]!, mask: cells, skipped: skippedSteps(request), isSpareDrawn: true },
    signal,
    started,
  });
  networks.free(); // The decoder may need the room.
  const mostTogether = member ? await networks.mostTogether({ ...extent, atOnce: passes }) : 1;
  const outcome = {
    size,
    workingSize: target.content,
    referenceSize: references[0]!.content,
    referenceSizes: references.map(({ content }) => content),
    tokens: {
      text: prompts.positive.promptEmbeds.shape[0]!,
      images: tokensIn(referenceGrids),
      result: numTokens,
    },
    isNegativeUsed: hasNegative,
    worthTogether: member && networks.batcher.lanesFor(shapeOfImage, passes, passes * mostTogether),
    notices: [...(adapted?.notices ?? []), ...cutNotices(prompts)],
  };
  if (isLatentOnly) return outcomeOf(outcome, drawn);

  // 8. Decode and resize; if requested, keep the source's own pixels wherever the network merely reproduced it.
  // Of several images in one picture, no file has the numbers.
  const deep = sources[0] === options.source?.picture ? options.source?.deep : undefined;
  const kept = request.isUnchangedKept
    ? { picture: sources[0]!, deep, latents: encoded[0]!, ...keptAs(request) }
    : undefined;
  const result = { kept, overlay: inside?.overlay, deep };
  const {
    images: results,
    notices,
    sourceInResult,
  } = await resultsOf(networks, drawn, plan, result, {
    signal,
    stopwatch,
  });
  const common = {
    ...outcome,
    sourceInResult: sources[0] === images[0] ? sourceInResult : undefined,
    notices: [...outcome.notices, ...notices],
  };
  return outcomeOf(common, results);
}
