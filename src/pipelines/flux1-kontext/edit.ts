/**
 * Read this first: image + instruction -> image, as in diffusers' `FluxKontextPipeline` (diffusers 0.42.1,
 * `pipelines/flux/pipeline_flux_kontext.py`), except for the sizes, which `engine/sizes.ts` explains.
 */
import { RetouchError } from "../../errors.ts";
import {
  cropPicture,
  padPicture,
  type Picture,
  pictureToPixels,
  pixelsToPicture,
} from "../../images/picture.ts";
import { resizePicture } from "../../images/resize.ts";
import { composite, findKept, type Kept } from "../../engine/keep-unchanged.ts";
import { throwIfAborted } from "../../engine/abort.ts";
import type { EditOutcome, EditorOptions, EditStep } from "../../engine/model.ts";
import { eulerSampler } from "../../sampling/euler.ts";
import { withTrueGuidance } from "../../sampling/guidance.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { latentIds, packLatents, rotaryTable, textIds, unpackLatents } from "./latents.ts";
import type { Networks, VelocityInputs } from "./networks.ts";
import type { Prompt } from "./prompt.ts";
import { randomNormal } from "../../sampling/random.ts";
import { isNegativeUsed, type ResolvedRequest } from "../../engine/request.ts";
import { sigmasOf } from "./schedule.ts";
import {
  hasOneCanvas,
  planSizes,
  type SizePlan,
  sourceInResult,
  type WorkingSize,
} from "../../engine/sizes.ts";

/** The recipe for one image. @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT at once */
export async function* editImage(
  networks: Networks,
  source: Picture,
  request: ResolvedRequest,
  { signal, isSketched, loras, sizes, resume }: EditorOptions = {},
): AsyncGenerator<EditStep, EditOutcome> {
  const { numSteps } = request;
  const numChannels = networks.autoencoder.latentChannels;

  // 1. Sizes: the requested size, what the network generates, what it sees of the source.
  const plan = sizes ?? planSizes([source], request.size, networks.native);
  const { size, target } = plan;
  const reference = plan.references[0]!;
  const targetGrid = networks.latentSize(target.canvas);
  const referenceGrid = networks.latentSize(reference.canvas);

  const hasNegative = isNegativeUsed(request);
  await networks.prepare({
    target: target.canvas,
    references: [reference.canvas],
    numSteps,
    isNegativeUsed: hasNegative,
    loraBytes: loras?.memoryBytes,
  });
  const adapted = await loras?.read();

  // 2. Text: T5 carries the wording, CLIP's pooled vector modulates every block.
  const prompt = await networks.encodePrompt(request.prompt, adapted?.adapters);
  const negativePrompt = hasNegative
    ? await networks.encodePrompt(request.negativePrompt, adapted?.adapters)
    : undefined;

  // 3. Reference: the mode of its latents, as tokens that follow the target's; stream 1 tells them apart.
  throwIfAborted(signal);
  const pixels = pictureToPixels(await placeOnCanvas(source, reference));
  const referenceLatents = packLatents(
    await networks.encodePixels(pixels, reference.canvas),
    numChannels,
    referenceGrid,
  );
  if (isSketched) await networks.sketcher();

  // 4. Positions of text, target and reference.
  const ids = [textIds(networks.textLength), latentIds(targetGrid, 0), latentIds(referenceGrid, 1)];
  const rotary = rotaryTable(joined(ids), networks.flux.rotaryAxes);

  // 5. Noise, drawn as a grid and then packed; or what an interrupted run made of it.
  const numTokens = (targetGrid.width * targetGrid.height) / 4;
  const from = resume?.([numTokens, 4 * numChannels]);
  const start =
    from?.latents ??
    packLatents(randomNormal(numTokens * 4 * numChannels, request.seed), numChannels, targetGrid);

  // 6. Noise levels, and the velocity at each of them: the network's prediction for the prompt, away from the negative.
  const started = performance.now();
  const sigmas = sigmasOf(networks.schedule, numSteps, numTokens);
  const inputs = { referenceLatents, rotary, adapters: adapted?.adapters };
  const levels = { sigmas, guidance: request.guidance };
  const positive = await velocityOf(networks, prompt, inputs, levels);
  const velocity = negativePrompt
    ? withTrueGuidance(
        positive,
        await velocityOf(networks, negativePrompt, inputs, levels),
        request.trueCfgScale,
      )
    : positive;

  // 7. Denoise: the sampler follows the velocity from noise to an image.
  const steps = eulerSampler(velocity, start, { sigmas, from });
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

  // 8. Decode, cut off the padding and resize the image to the requested size.
  const working = await decode(networks, next.value, target);
  const picture = await resizePicture(working, size.width, size.height);

  // 9. If requested: keep the source's own pixels wherever the network merely reproduced the source.
  const isNegativeCut = negativePrompt?.isCut ?? false;
  const notices = [
    ...(adapted?.notices ?? []),
    ...noticesOf(prompt.isCut, isNegativeCut, networks.textLength),
  ];
  let kept: Kept | undefined;
  if (request.isUnchangedKept && !hasOneCanvas(plan)) notices.push(NOT_KEPT);
  else if (request.isUnchangedKept) {
    const seen = await decode(networks, referenceLatents, target);
    kept = findKept(working, seen, networks.autoencoder.scaleFactor);
    if (kept.changedShare < 1) composite(picture, await sourceAt(source, plan), kept.mask);
  }
  return {
    picture,
    size,
    workingSize: target.content,
    referenceSize: reference.content,
    isNegativeUsed: hasNegative,
    kept,
    notices,
  };
}

/** The network's prediction for a prompt; the modulation of all the schedule's noise levels is computed at once. */
async function velocityOf(
  networks: Networks,
  prompt: Prompt,
  inputs: Pick<VelocityInputs, "referenceLatents" | "rotary" | "adapters">,
  { sigmas, guidance }: { sigmas: Float32Array; guidance: number },
): Promise<Velocity> {
  const levels = sigmas.subarray(0, -1);
  const rows = await networks.modulations(levels, guidance, prompt, inputs.adapters);
  const known = new Map(rows.map((modulation, step) => [levels[step]!, modulation]));
  return async ({ latents, sigma }) => {
    const modulation =
      known.get(sigma) ??
      (await networks.modulations(Float32Array.of(sigma), guidance, prompt, inputs.adapters))[0]!;
    return networks.velocity({ ...inputs, prompt, latents, modulation });
  };
}

/** Decodes packed latents to an image, without padding. */
async function decode(
  networks: Networks,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = networks.latentSize(canvas);
  const grid = unpackLatents(latents, networks.autoencoder.latentChannels, gridSize);
  const pixels = await networks.decodeLatents(grid, gridSize);
  // Otherwise, weights that overflow give a black image, which looks like a result.
  if (pixels.some(Number.isNaN)) {
    throw new RetouchError(
      "RUNTIME_FAILED",
      "The networks gave no numbers: the checkpoint's weights overflow.",
    );
  }
  return cropPicture(pixelsToPicture(pixels, canvas.width, canvas.height), content.width, content.height);
}

/** The same, from the networks' fast linear sketch. */
async function sketch(
  networks: Networks,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = networks.latentSize(canvas);
  const draw = await networks.sketcher();
  const picture = draw(unpackLatents(latents, networks.autoencoder.latentChannels, gridSize), gridSize);
  const scale = picture.width / canvas.width;
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return cropPicture(picture, side(content.width), side(content.height));
}

/** The source at its size and place in the result. */
async function sourceAt(source: Picture, plan: SizePlan): Promise<Picture> {
  const { width, height } = sourceInResult(plan);
  return padPicture(await resizePicture(source, width, height), plan.size.width, plan.size.height);
}

async function placeOnCanvas(picture: Picture, { content, canvas }: WorkingSize): Promise<Picture> {
  return padPicture(await resizePicture(picture, content.width, content.height), canvas.width, canvas.height);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

const NOT_KEPT =
  "What was not edited could not be kept as it was, because the image and the result differ in shape.";

function noticesOf(isPromptCut: boolean, isNegativeCut: boolean, textLength: number): string[] {
  const notice = (name: string): string =>
    `The ${name} is longer than the ${textLength} tokens that this checkpoint reads; its end was left out.`;
  return [...(isPromptCut ? [notice("prompt")] : []), ...(isNegativeCut ? [notice("negative prompt")] : [])];
}
