/** One edit by an engine: from the encoded images to the encoded result. */
import { failure, invalid, RetouchError } from "../errors.ts";
import type { ContentSigner } from "../c2pa/content-credentials.ts";
import { throwIfAborted } from "./abort.ts";
import { autoNotices } from "./auto-steps.ts";
import { type DecodedSource, hasAlpha } from "../images/deep-picture.ts";
import { encodeDeep } from "../images/encode.ts";
import { editMetadata } from "../images/metadata.ts";
import type { Picture } from "../images/picture.ts";
import type { ChosenLoras, LoraRegistry } from "../lora/registry.ts";
import type { Pipeline } from "../pipelines/pipeline.ts";
import { readReceiptKey } from "../receipts/keys.ts";
import { writeWithReceipt } from "../receipts/placed-receipt.ts";
import type { ReuseBudget } from "../sampling/reuse.ts";
import type { SafetyChecker } from "../safety/checker.ts";
import type { SafetyVerdict } from "../safety/verdict.ts";
import { decodeImages } from "./decode-images.ts";
import { finished, formNotices } from "./finish.ts";
import { createEditStates } from "./edit-states.ts";
import { metadataOf } from "./edit-metadata.ts";
import { factsOfImage, receiptFacts, type ReceiptTools } from "./receipt-facts.ts";
import { editDigest } from "./identity.ts";
import { type Acceleration, accelerationReport, DRAWS_NOISE, planAcceleration } from "./acceleration.ts";
import type { Calibration } from "./calibration.ts";
import type { EditParameters, EditReport, EditResult, ImageResult, LatentsResult } from "./edit-result.ts";
import type { EncodingCache } from "./encodings.ts";
import type { GroupMember } from "./edit-group.ts";
import type { EditOptions } from "./edit-options.ts";
import { checkTensors, drawsOf, followed } from "./draws.ts";
import { resolveTensors } from "./given-tensors.ts";
import type { Draw, DrawnImage, EditOutcome, Editor, EditorOptions } from "./model.ts";
import { checkSizeRule, type EditDefaults } from "./model-traits.ts";
import { skippedSteps } from "./mask-rules.ts";
import { unknownFields } from "./request-fields.ts";
import { type EditRequest, imagesOf, resolveRequest, type ResolvedRequest } from "./request.ts";
import { Stopwatch } from "./stopwatch.ts";

const TONE_MAPPED =
  "The image has high dynamic range, which sRGB has not: its brightest lights were darkened (ITU-R BT.2390).";

export type { EditOptions } from "./edit-options.ts";
export type { EditParameters, EditReport, EditResult, ImageResult, LatentsResult } from "./edit-result.ts";

/** What all of an engine's edits share. */
export interface EditTools extends ReceiptTools {
  editor: Editor;
  encodings: EncodingCache;
  pipeline: Pipeline;
  defaults: EditDefaults;
  loras: LoraRegistry;
  maxPixels: number | undefined;
  checker: SafetyChecker | undefined;
  /** Whether the checker is loaded before an edit begins; otherwise after its first step. */
  isCheckerAhead: boolean;
  /** Whether the checker is used regardless of the request. */
  isCheckRequired: boolean;
  isPromptInMetadata: boolean;
  isReceiptInMetadata: boolean;
  /** Gives results content credentials; absent if they get none. */
  contentSigner: ContentSigner | undefined;
  /** What the checkpoint's calibration says; undefined without one. */
  calibration: () => Promise<Calibration | undefined>;
  /** What the networks compute in, as a calibration names it. */
  arithmetic: string;
  /** What they can compute in instead, for an edit that has no room for rounding; absent where there is no choice. */
  exactArithmetic?: string | undefined;
  /** Says which of both the next edit computes in. */
  compute(exactness: { isExact: boolean }): void;
}

/** Edits, and encodes the result. */
export async function runEdit(
  tools: EditTools,
  request: EditRequest,
  options: EditOptions,
  member?: GroupMember,
): Promise<EditResult> {
  const started = performance.now();
  const key = readReceiptKey(options.receiptKey);
  const edited = await editAll(tools, request, options, { isLatentOnly: false, member });
  const { outcome, images, resolved, source, stopwatch } = edited;
  const { size, kept, sourceInResult } = outcome;
  const parameters = parametersOf(edited);
  const common = await stopwatch.time("encode", () => receiptFacts(tools, { ...edited, request }));
  const { contentSigner } = tools;
  const { format } = resolved;
  const sources = imagesOf(request);
  const results: ImageResult[] = [];
  let hasTransparency = false;
  for (const { picture, deep, isEnlarged, kept, seed, place, reuse, noise } of images) {
    throwIfAborted(options.signal);
    const facts = metadataOf(tools, { ...parameters, seed }, { ...outcome, kept });
    const form = { quality: resolved.outputQuality, isEnlarged };
    // It is written in another thread while the checker looks at it; what does not pass is dropped.
    const [written, safety] = await stopwatch.time("encode", () => {
      const whole = finished({ picture, deep, sourceInResult }, source, resolved);
      hasTransparency = hasAlpha(whole);
      const writing = writeWithReceipt({
        facts: factsOfImage(common, { seed, place, noise }),
        result: { format, width: whole.width, height: whole.height },
        key,
        packet: (receipt) => editMetadata(facts, tools.isReceiptInMetadata ? receipt : undefined),
        write: (xmp) => encodeDeep(whole, format, { ...form, xmp }),
        seal:
          contentSigner && ((file) => contentSigner.sign(file, { format, sources, notices: edited.notices })),
      });
      return Promise.all([writing, edited.check(picture!)]);
    });
    results.push({ ...written, seed, kept, safety, reuse });
  }
  return {
    image: results[0]!.image,
    images: results.map(({ image }) => image),
    results,
    format,
    hasTransparency,
    width: size.width,
    height: size.height,
    kept,
    ...reportOf(
      edited,
      results.map(({ safety }) => safety),
      started,
    ),
  };
}

/** Edits, and returns the latents; they are decoded only if their image has to be checked. */
export async function runEditToLatents(
  tools: EditTools,
  request: EditRequest,
  options: EditOptions,
  member?: GroupMember,
): Promise<LatentsResult> {
  const started = performance.now();
  const edited = await editAll(tools, request, options, { isLatentOnly: true, member });
  const verdicts: (SafetyVerdict | undefined)[] = [];
  for (const { picture } of edited.images) verdicts.push(picture && (await edited.check(picture)));
  const parts = edited.images.map(({ latents }) => latents);
  const [first] = parts;
  if (first === undefined) {
    throw invalid("unsupported", { field: "latents", reason: "the model of this checkpoint has none" });
  }
  const data = new Float32Array(parts.length * first.data.length);
  parts.forEach((part, index) => data.set(part!.data, index * first.data.length));
  return { latents: { data, shape: [parts.length, ...first.shape] }, ...reportOf(edited, verdicts, started) };
}

/** What came of the images of one request. */
interface Edited {
  resolved: ResolvedRequest;
  /** The first image, if there is any. */
  source: DecodedSource | undefined;
  outcome: EditOutcome;
  /** In the order of the draws, all of one size. */
  images: readonly (DrawnImage & Pick<Draw, "seed" | "place">)[];
  notices: string[];
  acceleration: Acceleration | undefined;
  arithmetic: string;
  loras: ChosenLoras;
  /** How much error reused steps could make. */
  reuse: ReuseBudget | undefined;
  isChecked: boolean;
  /** What is returned is checked, not the smaller image that it was enlarged from. @throws RetouchError OUTPUT_FLAGGED */
  check: (picture: Picture) => Promise<SafetyVerdict | undefined>;
  resumedFrom: number | undefined;
  stopwatch: Stopwatch;
}

async function editAll(
  tools: EditTools,
  request: EditRequest,
  { signal, onStep, isSketched, owner = "", reuse: ownBudget, ...others }: EditOptions,
  { isLatentOnly, member }: { isLatentOnly: boolean; member: GroupMember | undefined },
): Promise<Edited> {
  const { safetyThreshold, isFlaggedKept = false, ...stateOptions } = others;
  const stopwatch = new Stopwatch();
  const resolved = resolveRequest(request, tools.defaults);
  const given = resolveTensors(request, tools.pipeline);
  const draws = drawsOf(resolved, given);
  const { images, mask, source } = await stopwatch.time("read", () => decodeImages(request, resolved, tools));
  checkTensors(tools.pipeline, given);
  checkSizeRule(resolved.sizeRule, tools.pipeline.takesSizeRule);
  const chosenLoras = await tools.loras.choose(resolved.loras);
  const { acceleration, arithmetic, isExact } = await planAcceleration(resolved, tools);
  // What is promised may ask for another arithmetic than the others compute in.
  if (acceleration) member?.mustBeAlone();
  tools.compute({ isExact });
  const reuse = ownBudget ?? acceleration?.budget;
  const checker = tools.isCheckRequired || resolved.isSafetyChecked ? tools.checker : undefined;
  // If the checker cannot be loaded, it is better to fail early than after the edit.
  if (tools.isCheckerAhead) await checker?.prepare();

  let digest: Promise<string> | undefined;
  const states = await createEditStates({
    ...stateOptions,
    numSteps: resolved.numSteps,
    numImages: draws.length,
    environment: tools.environment,
    edit: () =>
      (digest ??= tools
        .checkpoint()
        .then((checkpoint) => editDigest(resolved, request, { loras: chosenLoras, checkpoint, reuse }))),
  });
  const editorOptions: EditorOptions = {
    source,
    mask,
    signal,
    member,
    stopwatch,
    isSketched,
    loras: chosenLoras,
    encodings: tools.encodings.of(owner),
    resume: states.resume,
    reuse,
    // Those of every image have one shape.
    given: { ...given, latents: draws[0]!.latents },
    draws,
    isLatentOnly: isLatentOnly && checker === undefined,
  };
  let denoiseSeconds = 0;
  const outcome = await followed(tools.editor.edit(images, resolved, editorOptions), async (step) => {
    denoiseSeconds = step.seconds;
    await onStep?.(step);
    await states.offer(step);
    await checker?.prepare();
  });
  const drawn = outcome.images ?? [outcome];
  if (drawn.length !== draws.length) throw new Error(`There are ${drawn.length} images of ${draws.length}.`);
  stopwatch.add("denoise", denoiseSeconds);
  const toneNotices = images.some(({ isToneMapped }) => isToneMapped) ? [TONE_MAPPED] : [];
  const ofForm = isLatentOnly ? [] : formNotices(outcome, source, resolved);
  const notices = [
    ...unknownFields(request),
    ...autoNotices(request, tools.defaults, resolved.sampler!),
    ...toneNotices,
    ...ofForm,
    ...outcome.notices,
    ...(acceleration?.notices ?? []),
    ...(acceleration?.budget && drawn.every((image) => image.reuse === undefined) ? [DRAWS_NOISE] : []),
    ...(await states.notices()),
  ];
  const { resumedFrom } = states;
  return {
    resolved,
    source,
    outcome,
    images: withSeeds(drawn, draws),
    notices,
    acceleration,
    arithmetic,
    loras: chosenLoras,
    reuse,
    isChecked: checker !== undefined,
    async check(picture) {
      throwIfAborted(signal);
      if (checker === undefined) return undefined;
      return stopwatch.time("check", () => verdictOn(checker, picture, { safetyThreshold, isFlaggedKept }));
    },
    resumedFrom,
    stopwatch,
  };
}

function withSeeds(images: readonly DrawnImage[], draws: readonly Draw[]): Edited["images"] {
  const seeded: (DrawnImage & Pick<Draw, "seed" | "place">)[] = [];
  for (const [index, image] of images.entries()) {
    const { seed, place } = draws[index]!;
    seeded.push({ ...image, seed, place });
  }
  return seeded;
}

function parametersOf({ resolved, outcome, isChecked }: Edited): EditParameters {
  const { size, isNegativeUsed, trueCfgScale } = outcome;
  return {
    ...resolved,
    size,
    negativePrompt: isNegativeUsed ? resolved.negativePrompt : "",
    trueCfgScale: isNegativeUsed ? (trueCfgScale ?? resolved.trueCfgScale) : 1,
    isSafetyChecked: isChecked,
  };
}

/** @param verdicts of each image that was checked */
function reportOf(
  edited: Edited,
  verdicts: readonly (SafetyVerdict | undefined)[],
  started: number,
): EditReport {
  const { resolved, outcome, images, notices, acceleration, resumedFrom, stopwatch } = edited;
  const { workingSize, referenceSize, referenceSizes, tokens } = outcome;
  const [safety] = verdicts.flatMap((one) => one ?? []).toSorted((a, b) => b.score - a.score);
  const parts = stopwatch.seconds;
  const taken = resolved.numSteps - skippedSteps(resolved);
  const tallies = images.map(({ reuse }) => reuse);
  const reused = acceleration && accelerationReport(acceleration, tallies, taken);
  return {
    parameters: parametersOf(edited),
    workingSize,
    referenceSize,
    referenceSizes,
    tokens,
    notices,
    safety,
    acceleration: reused,
    arithmetic: edited.arithmetic,
    resumedFrom,
    worthTogether: outcome.worthTogether,
    seconds: { total: (performance.now() - started) / 1000, denoise: parts.denoise, parts },
  };
}

/** The checker's verdict on a result that passed, or is kept all the same. @throws RetouchError OUTPUT_FLAGGED */
async function verdictOn(
  checker: SafetyChecker,
  picture: Picture,
  { safetyThreshold, isFlaggedKept }: Pick<EditOptions, "safetyThreshold" | "isFlaggedKept">,
): Promise<SafetyVerdict> {
  const { isFlagged, score, threshold } = await checker.check(picture, safetyThreshold);
  if (!isFlagged) return { score, threshold };
  if (isFlaggedKept) return { score, threshold, isFlagged };
  throw new RetouchError("OUTPUT_FLAGGED", failure("flagged", { score: score.toFixed(3), threshold }));
}
