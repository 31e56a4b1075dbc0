/** One edit by an engine: from the encoded images to the encoded result. */
import { failure, invalid, RetouchError } from "../errors.ts";
import { decodePicture } from "../images/decode.ts";
import { encodePicture, type OutputFormat } from "../images/encode.ts";
import { editMetadata } from "../images/metadata.ts";
import type { Picture } from "../images/picture.ts";
import type { LoraRegistry } from "../lora/registry.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import type { SafetyChecker } from "../safety/checker.ts";
import type { SafetyVerdict } from "../safety/verdict.ts";
import { version } from "../version.ts";
import type { Kept } from "./keep-unchanged.ts";
import { createEditStates, type OfferedState, type ResumeOutcome } from "./edit-states.ts";
import { editDigest } from "./identity.ts";
import type { Editor, EditStep } from "./model.ts";
import {
  checkImageCount,
  type EditRequest,
  imagesOf,
  resolveRequest,
  type ResolvedRequest,
  type Size,
} from "./request.ts";
import type { Environment } from "./state-file.ts";

/** Every parameter that was in effect. */
export interface EditParameters extends Omit<ResolvedRequest, "size" | "negativePrompt" | "trueCfgScale"> {
  size: Size;
  /** Empty if there was no second pass. */
  negativePrompt: string;
  /** 1 if there was no second pass. */
  trueCfgScale: number;
}

export interface EditResult {
  /** The encoded image, with the parameters in its XMP metadata. */
  image: Uint8Array;
  format: OutputFormat;
  width: number;
  height: number;
  parameters: EditParameters;
  /** Size at which the network generated the result, before it was enlarged to `width` x `height`. */
  workingSize: Size;
  /** Size at which the network saw the source image. */
  referenceSize: Size;
  /** What is kept of the source, if requested; absent if the result has a different shape. */
  kept?: Kept | undefined;
  /** Sentences that the user should see, such as that the prompt was cut. */
  notices: string[];
  /** If the result was checked: its score, 0 to 1, and the score from which it would have been refused. */
  safety?: SafetyVerdict | undefined;
  /** Steps taken by an interrupted run that this one went on from; absent if it began from noise. */
  resumedFrom?: number | undefined;
  /** Durations; `total` is from the encoded source to the encoded result. */
  seconds: { total: number; denoise: number };
}

export interface EditOptions {
  /** Aborts the edit within one step; the promise then rejects with the code ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called after every step; the loop waits for the promise it returns. */
  onStep?: ((step: EditStep) => void | Promise<void>) | undefined;
  /**
   * Whether `onStep` calls a step's `sketch()`. If so, the engine's first such edit begins by encoding and decoding four
   * small images; otherwise the first sketch does. @default false
   */
  isSketched?: boolean | undefined;
  /**
   * Called after every step, after `onStep`, with what it takes to go on from there in another process: the bytes that
   * `encode()` gives serve as `resumeFrom`. They hold the forming image. The loop waits for the promise it returns: while
   * a network runs, this thread does nothing else. Not called by a model that cannot go on from a state.
   */
  onState?: ((state: OfferedState) => void | Promise<void>) | undefined;
  /**
   * A state of the same edit, seed included, on the same checkpoint: only the steps after it are taken. On the same
   * build and kind of processor, the result has the bytes of an undisturbed run; otherwise a notice says that they may
   * differ. A state that cannot be used is ignored.
   */
  resumeFrom?: Uint8Array | undefined;
  /** Called once before the first step if `resumeFrom` is given, unless the model cannot go on from a state. */
  onResume?: ((outcome: ResumeOutcome) => void) | undefined;
}

/** What all of an engine's edits share. */
export interface EditTools {
  editor: Editor;
  pipeline: Pipeline;
  /** The checkpoint's name. */
  modelName: string;
  loras: LoraRegistry;
  maxPixels: number | undefined;
  checker: SafetyChecker | undefined;
  /** Whether the checker is used regardless of the request. */
  isCheckRequired: boolean;
  isPromptInMetadata: boolean;
  /** Digest of the checkpoint. */
  checkpoint: () => Promise<string>;
  /** What computes the edit now: to be read when its memory is planned. */
  environment: () => Promise<Environment>;
}

export async function runEdit(
  { editor, pipeline, modelName, loras, maxPixels, isCheckRequired, isPromptInMetadata, ...tools }: EditTools,
  request: EditRequest,
  { signal, onStep, isSketched, ...stateOptions }: EditOptions,
): Promise<EditResult> {
  const started = performance.now();
  const resolved = resolveRequest(request);
  const { images, mask } = await decodeImages(request, pipeline, maxPixels);
  const chosenLoras = await loras.choose(resolved.loras);
  const checker = isCheckRequired || resolved.isSafetyChecked ? tools.checker : undefined;
  // If the checker cannot be loaded, it is better to fail before the edit than after it.
  await checker?.prepare();

  let digest: Promise<string> | undefined;
  const states = await createEditStates({
    ...stateOptions,
    numSteps: resolved.numSteps,
    environment: tools.environment,
    edit: () =>
      (digest ??= tools.checkpoint().then((digest) => editDigest(resolved, request, chosenLoras, digest))),
  });
  const { resume } = states;
  const steps = editor.edit(images, resolved, { mask, signal, isSketched, loras: chosenLoras, resume });
  let next = await steps.next();
  let denoiseSeconds = 0;
  while (!next.done) {
    denoiseSeconds = next.value.seconds;
    await onStep?.(next.value);
    await states.offer(next.value);
    next = await steps.next();
  }
  const { picture, size, workingSize, referenceSize, kept, isNegativeUsed } = next.value;
  const notices = [...next.value.notices, ...(await states.notices())];
  // Check what is returned, not the smaller image that it was enlarged from.
  const safety = checker && (await passed(checker, picture));

  const parameters: EditParameters = {
    ...resolved,
    size,
    negativePrompt: isNegativeUsed ? resolved.negativePrompt : "",
    trueCfgScale: isNegativeUsed ? resolved.trueCfgScale : 1,
    isSafetyChecked: checker !== undefined,
  };
  const { seed, numSteps, guidance } = parameters;
  const keepUnchanged = kept !== undefined || undefined;
  const trueCfgScale = isNegativeUsed ? parameters.trueCfgScale : undefined;
  const prompt = isPromptInMetadata ? parameters.prompt : undefined;
  const loraTexts = parameters.loras.map((lora) => `${lora.name}:${lora.scale}`);
  const usedLoras = loraTexts.length > 0 ? loraTexts.join(" ") : undefined;
  const basics = { model: modelName, version, seed, numSteps, guidance };
  const facts = { ...basics, trueCfgScale, keepUnchanged, loras: usedLoras, prompt };
  return {
    image: await encodePicture(picture, resolved.format, editMetadata(facts)),
    format: resolved.format,
    width: size.width,
    height: size.height,
    parameters,
    workingSize,
    referenceSize,
    kept,
    notices,
    safety,
    resumedFrom: states.resumedFrom,
    seconds: { total: (performance.now() - started) / 1000, denoise: denoiseSeconds },
  };
}

/** @throws RetouchError INVALID_PARAMETER for images or a mask that the pipeline does not take; IMAGE_* */
async function decodeImages(
  request: EditRequest,
  { maxImages, takesMask }: Pipeline,
  maxPixels: number | undefined,
): Promise<{ images: readonly Picture[]; mask: Picture | undefined }> {
  const given = imagesOf(request);
  checkImageCount(given.length, maxImages);
  if (request.mask !== undefined && !takesMask) {
    throw invalid("unsupported", { field: "mask", reason: "the model of this checkpoint takes none" });
  }
  const images: Picture[] = [];
  for (const bytes of given) images.push(await decodePicture(bytes, { maxPixels }));
  return { images, mask: request.mask && (await decodePicture(request.mask, { maxPixels })) };
}

/** The checker's verdict on a result that passed. @throws RetouchError OUTPUT_FLAGGED */
async function passed(checker: SafetyChecker, picture: Picture): Promise<SafetyVerdict> {
  const { isFlagged, score, threshold } = await checker.check(picture);
  if (!isFlagged) return { score, threshold };
  throw new RetouchError("OUTPUT_FLAGGED", failure("flagged", { score: score.toFixed(3), threshold }));
}
