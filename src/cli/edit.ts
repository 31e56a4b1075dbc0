/** `retouch edit`: checks all it can up front, then loads the checkpoint, edits, writes and reports. */
import {
  createEngine,
  type EditRequest,
  type Engine,
  type ImageLayout,
  type ImageSource,
  type OutputFormat,
  readImageSource,
  resolveParameters,
  RetouchError,
  type Size,
  type SizeRule,
  stepOfAll,
} from "../index.ts";
import { type LoraArgument, nameLoras } from "./arguments.ts";
import { showConversion } from "./conversion.ts";
import { type EngineFlags, engineOptionsOf } from "./engine-options.ts";
import { checkOutput, chooseFormat, defaultOutput, printText, STDOUT, writeOutput } from "./output.ts";
import { checkNumberedOutputs, numberedOutputs, writeNumberedOutputs } from "./numbered-outputs.ts";
import { createProgress } from "./progress.ts";
import { oneLine, reportJson, reportText } from "./report.ts";
import { COMMAND, wordedBy } from "./surfaces.ts";

/** The flags as commander passes them. */
export interface EditFlags extends EngineFlags {
  output?: string | undefined;
  /** Images besides those of the arguments. */
  image?: string[] | undefined;
  prompt2?: string | undefined;
  maxSequenceLength?: number | undefined;
  negativePrompt?: string | undefined;
  useEmptyNegativePrompt?: boolean | undefined;
  trueCfgScale?: number | undefined;
  imageLayout?: ImageLayout | undefined;
  size?: Size | undefined;
  sizeRule?: SizeRule | undefined;
  steps?: number | undefined;
  sigmas?: number[] | undefined;
  guidance?: number | undefined;
  seed?: number | undefined;
  numImages?: number | undefined;
  format?: OutputFormat | undefined;
  lora?: LoraArgument[] | undefined;
  keepUnchanged?: boolean | undefined;
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
  resolveParameters(parameters);
  const sources: ImageSource[] = [];
  for (const image of [...images, ...(flags.image ?? [])]) {
    sources.push(await readImageSource(image, { signal, isVerified: true }));
  }
  const output = flags.output ?? defaultOutput(sources[0], format);
  const { numImages = 1 } = flags;
  const outputs = numImages > 1 ? numberedOutputs(output, numImages) : [output];
  await (numImages > 1 ? checkNumberedOutputs(outputs) : checkOutput(output));

  const progress = createProgress(process.stderr, !flags.quiet && !flags.json);
  const say = flags.quiet ? () => {} : sayOnStderr;
  let engine: Engine | undefined;
  try {
    progress.phase("loading the checkpoint");
    const options = await engineOptionsOf(flags, nameLoras(flags.lora ?? []).files);
    engine = await orAborted(
      createEngine({ ...options, onConversion: showConversion(progress) }, pipelines),
      signal,
    );
    progress.clear();
    for (const notice of engine.device.notices) say(notice);
    for (const notice of engine.checkpoint.notices ?? []) say(notice);
    if (engine.checkpoint.isDemo) say(DEMO_NOTICE);
    progress.phase("reading the prompt and the image");
    const request = { image: sources.map(({ bytes }) => bytes), ...parameters };
    const result = await engine.edit(request, {
      signal,
      onStep: (step) => progress.step({ ...stepOfAll(step), seconds: step.seconds }),
    });
    progress.clear();
    if (numImages > 1) await writeNumberedOutputs(outputs, result.images);
    else await writeOutput(output, result.image);
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

const DEMO_NOTICE =
  "This is a small demo model for clip-art scenes; for photographs, use the published weights (--checkpoint DIR).";

function requestParameters(
  prompt: string,
  format: OutputFormat,
  flags: EditFlags,
): Omit<EditRequest, "image"> {
  const { prompt2, maxSequenceLength, negativePrompt, trueCfgScale, size, steps, sigmas, guidance, seed } =
    flags;
  const isUnchangedKept = flags.keepUnchanged ?? true;
  return {
    prompt,
    prompt2,
    maxSequenceLength,
    negativePrompt,
    isEmptyNegativeUsed: flags.useEmptyNegativePrompt,
    trueCfgScale,
    size,
    sizeRule: flags.sizeRule,
    numSteps: steps,
    sigmas,
    guidance,
    seed,
    numImages: flags.numImages,
    imageLayout: flags.imageLayout,
    format,
    isUnchangedKept,
    loras: nameLoras(flags.lora ?? []).uses,
  };
}

function sayOnStderr(sentence: string): void {
  process.stderr.write(`retouch: ${oneLine(sentence)}\n`);
}

/** Loading takes no signal; an interruption need not wait for its end. */
async function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new RetouchError("ABORTED", "The edit was cancelled."));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  // Without a handler, an abort after the race would be an unhandled rejection.
  aborted.catch(() => {});
  return Promise.race([result, aborted]);
}
