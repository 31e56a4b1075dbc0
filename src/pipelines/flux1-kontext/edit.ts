/**
 * Read this first: picture + instruction -> picture, as `FluxKontextPipeline` does it (diffusers 0.42.1,
 * `pipelines/flux/pipeline_flux_kontext.py`), but for the sizes, which `sizes.ts` explains.
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
import type { ChosenLoras } from "../../lora/registry.ts";
import { findKept, type Kept, layKept } from "../../engine/keep-unchanged.ts";
import { latentIds, packLatents, rotaryTable, textIds, unpackLatents } from "./latents.ts";
import type { Networks, VelocityInputs } from "./networks.ts";
import type { Prompt } from "./prompt.ts";
import { randomNormal } from "../../sampling/random.ts";
import type { ResolvedRequest, Size } from "../../engine/request.ts";
import { sigmasOf } from "./schedule.ts";
import { hasOneCanvas, planSizes, type SizePlan, sourceInResult, type WorkingSize } from "../../engine/sizes.ts";

/** A finished step of the denoising loop. */
export interface EditStep {
  /** 1 to `of`. */
  step: number;
  of: number;
  /** Since the first step began. */
  seconds: number;
  /** The target's packed latents after this step, [L, 4C]. */
  latents: Float32Array;
  /** Decodes what the picture would be if the loop ended here, at working size; costs about one decoding. */
  preview(): Promise<Picture>;
  /** Draws the same roughly and small, at most 256 pixels a side, in next to no time. */
  sketch(): Promise<Picture>;
}

export interface EditOutcome {
  picture: Picture;
  size: Size;
  /** Pixels that the network drew and saw, without padding. */
  workingSize: Size;
  referenceSize: Size;
  /** Whether the negative prompt took effect. */
  isNegativeUsed: boolean;
  /** Where that was asked for and possible: what is the source's own. */
  kept?: Kept | undefined;
  /** What the user should know about the result, in sentences. */
  notices: string[];
}

/**
 * Edits one picture: yields after every step, returns the result.
 * @param options.isSketched whether what `sketch()` needs is there before the first step; otherwise its first call waits
 * @param options.loras read once there is room for them
 * @param options.sizes other working sizes than the recipe's own
 * @throws RetouchError ABORTED within one step of `signal`; MEMORY_INSUFFICIENT before anything is loaded
 */
export async function* editPicture(
  networks: Networks,
  source: Picture,
  request: ResolvedRequest,
  options: {
    signal?: AbortSignal | undefined;
    isSketched?: boolean | undefined;
    loras?: ChosenLoras | undefined;
    sizes?: SizePlan;
  } = {},
): AsyncGenerator<EditStep, EditOutcome> {
  const { signal, isSketched, loras } = options;
  const { numSteps } = request;
  const numChannels = networks.autoencoder.latentChannels;

  // 1. Sizes: what is asked for, what the network draws, what it sees of the source.
  const { size, target, reference } = options.sizes ?? planSizes(source, request.size, networks.native);
  const targetGrid = networks.latentSize(target.canvas);
  const referenceGrid = networks.latentSize(reference.canvas);

  const isNegativeUsed = request.negativePrompt.trim() !== "" && request.trueCfgScale > 1;
  await networks.prepare({
    target: target.canvas,
    reference: reference.canvas,
    numSteps,
    isNegativeUsed,
    loraBytes: loras?.memoryBytes,
  });
  const adapted = await loras?.read();
  if (adapted) networks.adapt(adapted.adapters);

  // 2. Text: T5 carries the wording, CLIP's pooled vector steers every block.
  const prompt = await networks.encodePrompt(request.prompt);
  const negativePrompt = isNegativeUsed ? await networks.encodePrompt(request.negativePrompt) : undefined;

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

  // 5. Noise, drawn as a grid and then packed.
  const noise = randomNormal(numChannels * targetGrid.width * targetGrid.height, request.seed);
  let latents: Float32Array = packLatents(noise, numChannels, targetGrid);

  // 6. Noise levels, and what each of them tells the network together with guidance and the text.
  const started = performance.now();
  const sigmas = sigmasOf(networks.schedule, numSteps, (targetGrid.width * targetGrid.height) / 4);
  const positive = await conditionOf(networks, prompt, sigmas, request.guidance);
  const negative = negativePrompt && (await conditionOf(networks, negativePrompt, sigmas, request.guidance));

  // 7. Denoise: a step follows the velocity from one noise level down to the next.
  for (let step = 0; step < numSteps; step += 1) {
    throwIfAborted(signal);
    const [sigma, nextSigma] = [sigmas[step]!, sigmas[step + 1]!];
    const tokens = { latents, referenceLatents, rotary };
    const velocity = await networks.velocity({ ...tokens, ...positive(step) });
    if (negative) {
      guide(velocity, await networks.velocity({ ...tokens, ...negative(step) }), request.trueCfgScale);
    }
    const current = latents;
    latents = eulerStep(current, velocity, nextSigma - sigma);
    // Where the velocity leads without a turn: the latents themselves are noise until shortly before the end.
    const estimate = (): Float32Array => eulerStep(current, velocity, -sigma);
    yield {
      step: step + 1,
      of: numSteps,
      seconds: (performance.now() - started) / 1000,
      latents,
      preview: () => decode(networks, estimate(), target),
      sketch: () => sketch(networks, estimate(), target),
    };
  }
  throwIfAborted(signal);

  // 8. Decode, cut the padding off and give the picture the size that was asked for.
  const working = await decode(networks, latents, target);
  const picture = await resizePicture(working, size.width, size.height);

  // 9. Where that is asked for: the source's own pixels, wherever the network only drew the source again.
  const isNegativeCut = negativePrompt?.isCut ?? false;
  const notices = [
    ...(adapted?.notices ?? []),
    ...noticesOf(prompt.isCut, isNegativeCut, networks.textLength),
  ];
  let kept: Kept | undefined;
  if (request.isUnchangedKept && !hasOneCanvas({ target, reference })) notices.push(NOT_KEPT);
  else if (request.isUnchangedKept) {
    kept = findKept(
      working,
      await decode(networks, referenceLatents, target),
      networks.autoencoder.scaleFactor,
    );
    if (kept.changedShare < 1)
      layKept(picture, await sourceAt(source, { size, target, reference }), kept.mask);
  }
  return {
    picture,
    size,
    workingSize: target.content,
    referenceSize: reference.content,
    isNegativeUsed,
    kept,
    notices,
  };
}

/** What the network is conditioned on at each step. */
type Condition = (step: number) => Pick<VelocityInputs, "prompt" | "modulation">;

async function conditionOf(
  networks: Networks,
  prompt: Prompt,
  sigmas: Float32Array,
  guidance: number,
): Promise<Condition> {
  const modulations = await networks.modulations(sigmas.subarray(0, -1), guidance, prompt);
  return (step) => ({ prompt, modulation: modulations[step]! });
}

/** True guidance, in place: away from the negative prompt's velocity, past the positive one's. */
function guide(velocity: Float32Array, negative: Float32Array, scale: number): void {
  for (const [index, from] of negative.entries()) {
    velocity[index] = from + Math.fround(scale * Math.fround(velocity[index]! - from));
  }
}

/** latents + (change of sigma) * velocity, rounded as float32 arithmetic rounds it. */
function eulerStep(latents: Float32Array, velocity: Float32Array, sigmaChange: number): Float32Array {
  const change = Math.fround(sigmaChange);
  return latents.map((value, index) => value + Math.fround(change * velocity[index]!));
}

/** The picture, without padding, of packed latents. */
async function decode(
  networks: Networks,
  latents: Float32Array,
  { canvas, content }: WorkingSize,
): Promise<Picture> {
  const gridSize = networks.latentSize(canvas);
  const grid = unpackLatents(latents, networks.autoencoder.latentChannels, gridSize);
  const pixels = await networks.decodeLatents(grid, gridSize);
  // Weights that overflow give a black picture otherwise, which looks like a result.
  if (pixels.some(Number.isNaN)) {
    throw new RetouchError(
      "RUNTIME_FAILED",
      "The networks gave no numbers: the checkpoint's weights overflow.",
    );
  }
  return cropPicture(pixelsToPicture(pixels, canvas.width, canvas.height), content.width, content.height);
}

/** The same from the networks' quick projection. */
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

/** The source at the result's size and place. */
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
  "What was not edited could not be kept as it was, because the picture and the result differ in shape.";

function noticesOf(isPromptCut: boolean, isNegativeCut: boolean, textLength: number): string[] {
  const notice = (name: string): string =>
    `The ${name} is longer than the ${textLength} tokens that this checkpoint reads; its end was left out.`;
  return [...(isPromptCut ? [notice("prompt")] : []), ...(isNegativeCut ? [notice("negative prompt")] : [])];
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

export const abortError = (signal: AbortSignal): RetouchError =>
  new RetouchError("ABORTED", "The edit was cancelled.", { cause: signal.reason });
