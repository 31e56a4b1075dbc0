/**
 * Read this first: an instruction and up to four images -> image, as in diffusers' `Flux2KleinPipeline` and
 * `Flux2KleinKVPipeline`, and with a mask as in `Flux2KleinInpaintPipeline` (`shared/inpaint.ts`; diffusers 0.42.1, `pipelines/flux2/pipeline_flux2_klein.py`), except for the sizes, which
 * `engine/sizes.ts` explains; `reference-sizes.ts` has those of the reference.
 */
import { throwIfAborted } from "../../engine/abort.ts";
import { skippedSteps } from "../../engine/mask-rules.ts";
import type { EditOutcome, EditorOptions, EditStep } from "../../engine/model.ts";
import type { ResolvedRequest } from "../../engine/request.ts";
import { planSizes, type SizePlan } from "../../engine/sizes.ts";
import { Stopwatch } from "../../engine/stopwatch.ts";
import type { Picture } from "../../images/picture.ts";
import { withTrueGuidance } from "../../sampling/guidance.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { denoiseDraws } from "../shared/draws.ts";
import { textLengthOf } from "../shared/given.ts";
import { maskOfTokens, planInpainting } from "../shared/inpaint.ts";
import { createModulation } from "../shared/modulation.ts";
import { checkSampler, noiseLevels } from "../shared/noise-schedule.ts";
import { planesToTokens, tokensIn } from "../shared/packing.ts";
import { keptAs } from "../shared/preserved.ts";
import { checkForm, outcomeOf, pictureExtent, resultsOf } from "../shared/result.ts";
import { createRotary } from "../shared/rotary.ts";
import {
  checkTaken,
  createReferences,
  cutNotices,
  encodePrompts,
  encodeReferences,
  velocityOf,
} from "./conditioning.ts";
import { guidanceNotices, isGuided } from "./guidance.ts";
import type { Networks } from "./networks.ts";
import { referenceIds, targetIds, textIds } from "./positions.ts";
import type { Prompt } from "./prompt.ts";
import { referenceSizes } from "./reference-sizes.ts";
import { empiricalShift } from "./time-shift.ts";

/** Our own sizes, or those of the reference where the edit asks for them. */
const sizesOf = (
  networks: Networks,
  images: readonly Picture[],
  { size, sizeRule }: ResolvedRequest,
): SizePlan =>
  sizeRule === "diffusers"
    ? // `source` is refused together with this rule.
      referenceSizes(images, size === "source" ? undefined : size, networks.autoencoder)
    : planSizes(images, size, networks.native);

/** Edits images. @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT at once */
export async function* editImages(
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
  const { mask, encodings, stopwatch = new Stopwatch() } = options;
  const { draws = [{ seed: request.seed, latents: given.latents }] } = options;
  const { configs, schedule } = networks;
  const { inChannels: numChannels, rotaryAxes: axes, rotaryTheta: theta } = configs.transformer;

  // 1. Sizes: the requested size, what the network generates, what it sees of the images; with a mask, perhaps of a part.
  const whole = sizes ?? sizesOf(networks, images, request);
  const inside = mask && planInpainting(images[0]!, mask, request, whole);
  const { plan } = inside ?? { plan: whole };
  const { size, target, references } = plan;
  checkForm(whole, request);
  const targetGrid = networks.latentSize(target.canvas);
  const numTokens = tokensIn([targetGrid]);

  checkTaken(networks, request, given, numTokens);
  const shares = inside && maskOfTokens(inside.mask, targetGrid, numChannels);
  checkSampler(schedule, request.sampler);
  const levels = noiseLevels(schedule, request, empiricalShift(numTokens, request.numSteps));
  const hasNegative = isGuided(configs, request);
  await networks.prepare({
    target: target.canvas,
    references: references.map(({ canvas }) => canvas),
    numSteps: request.numSteps,
    isNegativeUsed: hasNegative,
    textLength: textLengthOf(configs.textLength, request, given),
    loraBytes: loras?.memoryBytes,
    ...pictureExtent(
      {
        size,
        numResults: draws.length,
        source: images[0],
        deep: options.source?.deep,
        isMasked: mask !== undefined,
      },
      request,
    ),
  });
  const adapted = await loras?.read();

  // 2. Text: three layers of a language model; guidance leads away from the empty text.
  const prompts = await stopwatch.time("texts", () =>
    encodePrompts(networks, request, given, { isGuided: hasNegative, encodings }),
  );

  // 3. References: the mode of their latents, as tokens that follow the target's; time tells them apart.
  throwIfAborted(signal);
  const pictures = inside ? [inside.picture, ...images.slice(1)] : images;
  const encoded = await stopwatch.time("references", () =>
    encodeReferences(networks, pictures, plan, encodings),
  );
  if (isSketched) await networks.sketcher();

  // 4. Positions of text, target and references, whose own go with them where they are kept.
  const ids = references.map(({ canvas }, index) => referenceIds(networks.latentSize(canvas), index));
  const passing = configs.areReferencesKept ? [] : ids;
  const rotaryOf = createRotary({ axes, theta, textIds, imageIds: [targetIds(targetGrid), ...passing] });

  // 5. The velocity at each noise level: the network's prediction for the prompt, away from the negative.
  throwIfAborted(signal);
  const started = performance.now();
  const adapters = adapted?.adapters;
  const modulationAt = await createModulation(levels, schedule, (wanted) =>
    networks.modulations(wanted, adapters),
  );
  const seen = await createReferences(networks, encoded, ids, adapters);
  const ofPrompt = (prompt: Prompt): Promise<Velocity> => {
    const rotary = rotaryOf(prompt.promptEmbeds.shape[0]!);
    return velocityOf(networks, { references: seen, prompt, rotary, adapters }, modulationAt);
  };
  const positive = await ofPrompt(prompts.positive);
  const negative = prompts.negative && (await ofPrompt(prompts.negative));
  const velocity = negative
    ? withTrueGuidance(async (at) => [await positive(at), await negative(at)], request.guidance)
    : positive;

  // 6. Noise for each image, drawn as planes and then packed; or what the caller gives, or what an interrupted run made of
  // it. 7. Denoise: the sampler follows the velocity from noise to an image.
  const shape = [numTokens, numChannels] as const;
  const drawn = yield* denoiseDraws(networks, target, {
    draws,
    shape,
    pack: (noise) => planesToTokens(noise, numChannels),
    isStochastic: schedule.isStochastic,
    // One at a time: at a megapixel, their native size, the 4,096 tokens of one image fill a processor.
    begin: () => ({ velocity, end() {} }),
    sigmas: levels.sigmas,
    sampler: request.sampler,
    from: resume?.(shape),
    reuse,
    inside: shares && { image: encoded[0]!, mask: shares, skipped: skippedSteps(request) },
    signal,
    started,
  });
  networks.free(); // The decoder may need the room.
  const outcome = {
    size,
    workingSize: target.content,
    referenceSize: references[0]?.content,
    referenceSizes: references.map(({ content }) => content),
    tokens: {
      text: prompts.positive.promptEmbeds.shape[0]!,
      images: tokensIn(references.map(({ canvas }) => networks.latentSize(canvas))),
      result: numTokens,
    },
    isNegativeUsed: hasNegative,
    trueCfgScale: request.guidance,
    notices: [
      ...(adapted?.notices ?? []),
      ...cutNotices(prompts),
      ...guidanceNotices(configs, request, given.negativeEmbeds !== undefined),
    ],
  };
  if (isLatentOnly) return outcomeOf(outcome, drawn);

  // 8. Decode and resize; if requested, keep the first image's own pixels wherever the network merely reproduced it.
  const [first] = images;
  const deep = options.source?.deep;
  const kept =
    request.isUnchangedKept && first
      ? { picture: first, deep, latents: encoded[0]!, ...keptAs(request) }
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
  const common = { ...outcome, sourceInResult, notices: [...outcome.notices, ...notices] };
  return outcomeOf(common, results);
}
