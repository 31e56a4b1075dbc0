/** `retouch edit`: checks all it can up front, then loads the checkpoint, edits, writes and reports. */
import path from "node:path";
import {
  type AccelerationMode,
  aboutMask,
  checkMasking,
  createEngine,
  type EditRequest,
  type Engine,
  type ImageLayout,
  type ImageSource,
  encodeMap,
  type OutputFormat,
  type Preserve,
  readImageSource,
  resolveParameters,
  RetouchError,
  type SamplerName,
  type SizeRule,
  stepOfAll,
} from "../index.ts";
import { loadHistoryFile, loadReceiptKey } from "../config/config.ts";
import { invalid } from "../errors.ts";
import { type LoraArgument, nameLoras } from "./arguments.ts";
import { showConversion } from "./conversion.ts";
import { checkDiskRoom } from "./disk-room.ts";
import { type EngineFlags, engineOptionsOf } from "./engine-options.ts";
import {
  checkMaskOutput,
  checkOutput,
  checkReceiptOutput,
  chooseFormat,
  defaultOutput,
  printText,
  receiptFile,
  STDOUT,
  writeOutput,
} from "./output.ts";
import { checkNumberedOutputs, outputsOf, writeNumberedOutputs } from "./numbered-outputs.ts";
import { placeOf, rememberedEdits, startingPoint } from "./from-original.ts";
import { createHistory } from "./history.ts";
import { createProgress } from "./progress.ts";
import { oneLine, reportJson, reportText } from "./report.ts";
import { COMMAND, wordedBy } from "./surfaces.ts";

/** The flags as commander passes them. */
export interface EditFlags extends EngineFlags {
  output?: string | undefined;
  /** Only of images that are edited one by one. */
  overwrite?: boolean | undefined;
  /** Images besides those of the arguments. */
  image?: string[] | undefined;
  mask?: string | undefined;
  strength?: number | undefined;
  paddingMaskCrop?: number | undefined;
  maskBlur?: number | undefined;
  maskFeather?: number | undefined;
  prompt2?: string | undefined;
  maxSequenceLength?: number | undefined;
  negativePrompt?: string | undefined;
  useEmptyNegativePrompt?: boolean | undefined;
  trueCfgScale?: number | undefined;
  imageLayout?: ImageLayout | undefined;
  size?: EditRequest["size"];
  sizeRule?: SizeRule | undefined;
  sampler?: SamplerName | undefined;
  steps?: number | undefined;
  sigmas?: number[] | undefined;
  guidance?: number | undefined;
  acceleration?: AccelerationMode | undefined;
  minPsnr?: number | undefined;
  seed?: number | undefined;
  numImages?: number | undefined;
  format?: OutputFormat | undefined;
  quality?: number | undefined;
  background?: string | undefined;
  lora?: LoraArgument[] | undefined;
  keepUnchanged?: boolean | undefined;
  preserve?: Preserve | undefined;
  /** Where the map of the result goes. */
  maskOut?: string | undefined;
  /** Where the receipt of the result goes, as a file of its own. */
  receipt?: string | undefined;
  fromOriginal?: boolean | undefined;
  /** Whether the edit is remembered, where the environment does not say so. */
  history?: boolean | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/**
 * Edits one image, or draws without one where the model can.
 * @param images in their order; those of `flags.image` follow
 * @throws RetouchError with a sentence for the user; INVALID_PARAMETER is a wrong command line
 */
export function runEdit(
  images: readonly string[],
  prompt: string,
  flags: EditFlags,
  { signal, pipelines }: { signal: AbortSignal; pipelines?: Parameters<typeof createEngine>[1] },
): Promise<void> {
  return wordedBy(COMMAND, () => edit(images, prompt, flags, signal, pipelines));
}

async function edit(
  images: readonly string[],
  prompt: string,
  flags: EditFlags,
  signal: AbortSignal,
  pipelines: Parameters<typeof createEngine>[1],
): Promise<void> {
  const format = chooseFormat(flags.output === STDOUT ? undefined : flags.output, flags.format);
  const parameters = requestParameters(prompt, format, flags);
  const inputs = [...images, ...(flags.image ?? [])];
  checkMaskFlags(resolveParameters(parameters), inputs, flags.mask);
  const sources: ImageSource[] = [];
  for (const image of inputs) {
    sources.push(await readImageSource(image, { signal, isVerified: true }));
  }
  const mask =
    flags.mask === undefined
      ? undefined
      : await aboutMask(() => readImageSource(flags.mask!, { signal, isVerified: true }));
  const history = createHistory(loadHistoryFile(flags.history));
  const start = await startingPoint(history, {
    picture: sources[0],
    place: placeOf(inputs[0], (file) => path.resolve(file)),
    prompt,
    prompt2: flags.prompt2 || undefined,
    isFromOriginal: flags.fromOriginal ?? false,
    name: "--from-original",
    read: (place) => readImageSource(place, { signal, isVerified: true }),
  });
  const output = flags.output ?? defaultOutput(sources[0], format);
  const { numImages = 1 } = flags;
  const outputs = outputsOf(output, numImages);
  await (numImages > 1 ? checkNumberedOutputs(outputs) : checkOutput(output));
  await checkDiskRoom(output, resolveParameters(parameters), (start.picture ?? sources[0])?.bytes);
  const maps = outputsOf(flags.maskOut, numImages);
  for (const [index, map] of maps.entries()) await checkMaskOutput(map, outputs[index]!);
  if (numImages > 1) await checkNumberedOutputs(maps);

  const receipts = outputsOf(flags.receipt, numImages);
  for (const [index, receipt] of receipts.entries()) await checkReceiptOutput(receipt, outputs[index]!);
  if (numImages > 1) await checkNumberedOutputs(receipts);
  const receiptKey = loadReceiptKey();

  const progress = createProgress(process.stderr, !flags.quiet && !flags.json);
  const say = flags.quiet ? () => {} : sayOnStderr;
  let engine: Engine | undefined;
  try {
    progress.phase("loading the checkpoint");
    const options = await engineOptionsOf(flags, nameLoras(flags.lora ?? []).files);
    engine = await orAborted(
      // One edit: what it needs later is loaded later.
      createEngine({ ...options, isLoadedAhead: false, onConversion: showConversion(progress) }, pipelines),
      signal,
    );
    progress.clear();
    for (const notice of engine.device.notices) say(notice);
    for (const notice of engine.checkpoint.notices ?? []) say(notice);
    if (engine.checkpoint.isDemo) say(DEMO_NOTICE);
    progress.phase("reading the prompt and the image");
    const image = [start.picture ?? [], sources.slice(1)].flat().map(({ bytes }) => bytes);
    const { prompt: instruction, prompt2 } = start;
    const request = { image, mask: mask?.bytes, ...parameters, prompt: instruction, prompt2 };
    const edited = await engine.edit(request, {
      signal,
      receiptKey,
      onStep: (step) => progress.step({ ...stepOfAll(step), seconds: step.seconds }),
    });
    const result = { ...edited, notices: [...start.notices, ...edited.notices] };
    progress.clear();
    const drawn: Uint8Array[] = [];
    for (const { kept } of maps.length > 0 ? result.results : []) {
      if (kept?.map) drawn.push(await encodeMap(kept.map));
    }
    if (numImages > 1) await writeNumberedOutputs(outputs, result.images);
    else await writeOutput(output, result.image);
    if (drawn.length > 1) await writeNumberedOutputs(maps, drawn);
    else if (drawn.length === 1) await writeOutput(maps[0]!, drawn[0]!);
    const beside = receipts.map((_, index) => receiptFile(result.results[index]!.receipt));
    if (beside.length > 1) await writeNumberedOutputs(receipts, beside);
    else if (beside.length === 1) await writeOutput(receipts[0]!, beside[0]!);
    const others = { hasMask: mask !== undefined, numImages: inputs.length };
    await history.add(rememberedEdits(start, result.images, others));
    for (const notice of result.notices) say(notice);
    const report = { outputs, result, checkpoint: engine.checkpoint, device: engine.device };
    if (!flags.quiet) {
      const stream = output === STDOUT ? process.stderr : process.stdout;
      await printText(stream, flags.json ? reportJson(report) : reportText(report));
    }
  } finally {
    progress.clear();
    // After an abort the process ends at once and takes the networks with it.
    if (!signal.aborted) await engine?.close();
  }
}

export const DEMO_NOTICE =
  "This is a small demo model for clip-art scenes; for photographs, use the published weights (--checkpoint DIR).";

/** What the flags say of an edit. */
export function requestParameters(
  prompt: string,
  format: OutputFormat,
  flags: EditFlags,
): Omit<EditRequest, "image"> {
  const { prompt2, maxSequenceLength, negativePrompt, trueCfgScale, size, steps, sigmas, guidance, seed } =
    flags;
  // Unlike the library, the command preserves unless it is told otherwise.
  const preserve = flags.preserve ?? (flags.keepUnchanged === undefined ? "auto" : undefined);
  const { strength, paddingMaskCrop, maskBlur, maskFeather } = flags;
  return {
    strength,
    paddingMaskCrop,
    maskBlur,
    maskFeather,
    prompt,
    prompt2,
    maxSequenceLength,
    negativePrompt,
    isEmptyNegativeUsed: flags.useEmptyNegativePrompt,
    trueCfgScale,
    size,
    sizeRule: flags.sizeRule,
    numSteps: steps,
    sampler: flags.sampler,
    sigmas,
    guidance,
    acceleration: flags.acceleration,
    minPsnr: flags.minPsnr,
    seed,
    numImages: flags.numImages,
    imageLayout: flags.imageLayout,
    format,
    outputQuality: flags.quality,
    background: flags.background,
    preserve,
    isUnchangedKept: flags.keepUnchanged,
    isMaskWanted: flags.maskOut !== undefined,
    loras: nameLoras(flags.lora ?? []).uses,
  };
}

/** What can be refused of a mask before the checkpoint is loaded. */
function checkMaskFlags(
  resolved: Parameters<typeof checkMasking>[0],
  images: readonly string[],
  mask: string | undefined,
): void {
  checkMasking(resolved, { hasMask: mask !== undefined, numImages: images.length, takesMask: true });
  if (mask === STDIN && images.includes(STDIN)) {
    throw invalid("forbidden", { field: "mask", given: STDIN, reason: "the image is standard input" });
  }
}

const STDIN = "-";

export function sayOnStderr(sentence: string): void {
  process.stderr.write(`retouch: ${oneLine(sentence)}\n`);
}

/** Loading takes no signal; an interruption need not wait for its end. */
export async function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new RetouchError("ABORTED", "The edit was cancelled."));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  // Without a handler, an abort after the race would be an unhandled rejection.
  aborted.catch(() => {});
  return Promise.race([result, aborted]);
}
