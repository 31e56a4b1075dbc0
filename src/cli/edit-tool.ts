/**
 * The edit as a tool that a model calls: arguments under the tool's own names, and a reply that fits into a
 * conversation.
 */
import { cutText, invalid } from "../errors.ts";
import {
  type AccelerationMode,
  aboutMask,
  checkMasking,
  type EditDefaults,
  EDIT_PARAMETERS,
  type EditOptions,
  type EditRequest,
  encodeMap,
  type Engine,
  type ImageLayout,
  type ImageSource,
  type LoraUse,
  type OutputFormat,
  type Preserve,
  resolveParameters,
  type SamplerName,
  type SizeRule,
} from "../index.ts";
import { readSourceThrough, type SourceAccess } from "../images/source.ts";
import { parseSize } from "./arguments.ts";
import {
  argumentsOf,
  EDIT_TOOL,
  FROM_ORIGINAL,
  lorasArgument,
  MAX_IMAGES,
  MAX_OUTPUT_LENGTH,
} from "./edit-tool-arguments.ts";
import { placeOf, rememberedEdits, startingPoint } from "./from-original.ts";
import { createHistory, type History } from "./history.ts";
import { outputsOf } from "./numbered-outputs.ts";
import { checkMaskName, chooseFormat, defaultOutput, STDOUT } from "./output.ts";
import { reportText } from "./report.ts";
import { shown, type ToolContent } from "./shown-results.ts";
import { TOOL, wordedBy } from "./surfaces.ts";
import type { ToolOutput } from "./tool-output.ts";

/** Longest argument name quoted in a sentence. */
const MAX_NAME_LENGTH = 100;

const { isEmptyNegativeUsed, maxSequenceLength, outputQuality, prompt2 } = EDIT_PARAMETERS;
const { acceleration, background, imageLayout, isMaskWanted, minPsnr, preserve, sampler, sigmas, sizeRule } =
  EDIT_PARAMETERS;
const { mask, maskBlur, maskFeather, paddingMaskCrop, strength } = EDIT_PARAMETERS;

/** Arguments that are strings. */
const STRINGS: ReadonlySet<string> = new Set(
  Object.entries<{ type: unknown }>(EDIT_TOOL.inputSchema.properties).flatMap(([name, { type }]) =>
    type === "string" ? [name] : [],
  ),
);
export interface EditToolOptions {
  /** Returns the engine, once a call has proved valid. */
  load(): Promise<Engine>;
  /** Names of the LoRAs that a call may choose; if empty, the tool has no such argument. */
  loras: readonly string[];
  /** What the checkpoint's model does where a call does not choose; absent if no checkpoint could be read. */
  defaults?: EditDefaults | undefined;
  /** How images are reached. */
  access: SourceAccess;
  /** Signs the receipts of results. @default they are not signed */
  receiptKey?: string | undefined;
  /** @default nothing is remembered */
  history?: History | undefined;
  /** The path of a file that a call names, from the root of the file system. @default as it is given */
  pathOf?: ((file: string) => string) | undefined;
  /** Where results go. */
  results: ToolOutput;
}

/** Creates the tool. */
export function createEditTool({ load, loras, defaults, access, results, ...options }: EditToolOptions) {
  const { receiptKey, history = createHistory(undefined), pathOf = (file: string) => file } = options;
  const { properties, ...schema } = EDIT_TOOL.inputSchema;
  const offered = {
    ...properties,
    ...(defaults && argumentsOf(defaults)),
    ...(loras.length > 0 && { [EDIT_PARAMETERS.loras.tool]: lorasArgument(loras) }),
  };
  /** Runs one call. @throws RetouchError with one sentence for the model */
  const call = async (
    given: Record<string, unknown>,
    { signal, onStep }: Required<Pick<EditOptions, "signal" | "onStep">>,
  ): Promise<ToolContent[]> => {
    const known = new Set(Object.keys(offered));
    const {
      images,
      mask: maskSource,
      output,
      isFromOriginal,
      maskOutput,
      parameters,
    } = await wordedBy(TOOL, () => readArguments(given, known));
    const sources: ImageSource[] = [];
    const read = async (image: string, field: "image" | "mask"): Promise<ImageSource> => {
      if (image === "-") throw invalid("forbidden", { field, given: "-", reason: "it is this connection" });
      return readSourceThrough(access, image, { signal, isVerified: true });
    };
    for (const image of images) sources.push(await read(image, "image"));
    const masking = maskSource === undefined ? undefined : await aboutMask(() => read(maskSource, "mask"));
    const start = await wordedBy(TOOL, () =>
      startingPoint(history, {
        picture: sources[0],
        place: placeOf(images[0], pathOf),
        prompt: parameters.prompt,
        prompt2: parameters.prompt2 || undefined,
        isFromOriginal,
        name: FROM_ORIGINAL,
        read: (place) => read(place, "image"),
      }),
    );
    const chosen = output ?? defaultOutput(sources[0], parameters.format);
    const isChosen = output !== undefined;
    const { numImages: count = 1 } = parameters;
    // Standard output is refused below, under its own name.
    const outputs = chosen === STDOUT ? [chosen] : outputsOf(chosen, count);
    for (const one of outputs) await results.check(one, isChosen);
    const image = [start.picture ?? [], sources.slice(1)].flat().map(({ bytes }) => bytes);
    await wordedBy(TOOL, () => results.checkRoom(outputs[0]!, resolveParameters(parameters), image[0]));
    const maps = outputsOf(maskOutput, count);
    await wordedBy(TOOL, async () => {
      for (const [index, map] of maps.entries()) {
        checkMaskName(map, outputs[index]!);
        await results.check(map, true, "isMaskWanted");
      }
    });
    const engine = await load();
    const instruction = { prompt: start.prompt, prompt2: start.prompt2 };
    const request = { image, mask: masking?.bytes, ...parameters, ...instruction };
    const result = await engine.edit(request, { signal, onStep, receiptKey });
    const written = await results.writeAll(outputs, isChosen, result.images);
    const others = { hasMask: masking !== undefined, numImages: images.length };
    await history.add(rememberedEdits(start, result.images, others));
    const drawn: Uint8Array[] = [];
    for (const { kept } of maps.length > 0 ? result.results : []) {
      if (kept?.map) drawn.push(await encodeMap(kept.map));
    }
    // Without any, a notice says why.
    const writtenMaps = await wordedBy(TOOL, () =>
      results.writeAll(maps.slice(0, drawn.length), true, drawn, "isMaskWanted"),
    );
    const report = reportText({
      outputs: written,
      result,
      checkpoint: engine.checkpoint,
      device: engine.device,
    });
    const notices = [
      engine.device.notices,
      engine.checkpoint.notices ?? [],
      engine.checkpoint.isDemo ? DEMO_NOTICE : [],
      start.notices,
      result.notices,
    ].flat();
    return [
      ...(await shown(result)),
      { type: "text", text: [report, ...writtenMaps.map((map) => `Mask: ${map}`), ...notices].join("\n") },
    ];
  };
  return { definition: { ...EDIT_TOOL, inputSchema: { ...schema, properties: offered } }, call };
}

const DEMO_NOTICE =
  "This is a small demo model for clip-art scenes; for photographs, the user can start retouch mcp with --checkpoint DIR.";

interface ToolArguments {
  images: readonly string[];
  mask: string | undefined;
  /** Absent if a new file is named after the first image. */
  output: string | undefined;
  isFromOriginal: boolean;
  /** Where the map of the result goes; absent if none is wanted. */
  maskOutput: string | undefined;
  parameters: Omit<EditRequest, "image"> & { prompt: string; format: OutputFormat };
}

function readArguments(given: Record<string, unknown>, known: ReadonlySet<string>): ToolArguments {
  for (const [name, value] of Object.entries(given)) {
    if (!known.has(name)) throw invalid("unknownArgument", { field: cutText(name, MAX_NAME_LENGTH) });
    if (STRINGS.has(name) && typeof value !== "string")
      throw invalid("type", { field: name, wanted: "a string" });
  }
  for (const name of EDIT_TOOL.inputSchema.required) {
    if (given[name] === undefined) throw invalid("missing", { field: name });
  }
  const texts = given as Record<string, string | undefined>;
  const maskOutput = texts[isMaskWanted.tool];
  for (const [field, file] of Object.entries({ output: texts["output"], isMaskWanted: maskOutput })) {
    if ((file?.length ?? 0) <= MAX_OUTPUT_LENGTH) continue;
    throw invalid("type", { field, wanted: `a string of at most ${MAX_OUTPUT_LENGTH} characters` });
  }
  const numbers = given as Record<string, number | undefined>;
  const { instruction, output, size, negative_prompt: negativePrompt } = texts;
  const format = texts["format"] as OutputFormat | undefined;
  const { steps: numSteps, guidance, seed, true_cfg_scale: trueCfgScale, num_images: numImages } = numbers;
  const parameters = {
    prompt: instruction!,
    prompt2: texts[prompt2.tool],
    maxSequenceLength: numbers[maxSequenceLength.tool],
    strength: numbers[strength.tool],
    paddingMaskCrop: numbers[paddingMaskCrop.tool],
    maskBlur: numbers[maskBlur.tool],
    maskFeather: numbers[maskFeather.tool],
    negativePrompt,
    isEmptyNegativeUsed: given[isEmptyNegativeUsed.tool] as boolean | undefined,
    sigmas: given[sigmas.tool] as number[] | undefined,
    trueCfgScale,
    size: size === undefined ? undefined : parseSize(size),
    sizeRule: texts[sizeRule.tool] as SizeRule | undefined,
    numSteps,
    sampler: texts[sampler.tool] as SamplerName | undefined,
    guidance,
    acceleration: texts[acceleration.tool] as AccelerationMode | undefined,
    minPsnr: numbers[minPsnr.tool],
    seed,
    numImages,
    imageLayout: texts[imageLayout.tool] as ImageLayout | undefined,
    // As in `retouch edit`, and checked by the library.
    preserve: (texts[preserve.tool] ?? (given["keep_unchanged"] === undefined ? "auto" : undefined)) as
      Preserve | undefined,
    isUnchangedKept: given["keep_unchanged"] as boolean | undefined,
    isMaskWanted: maskOutput !== undefined,
    format: chooseFormat(output, format),
    outputQuality: numbers[outputQuality.tool],
    background: texts[background.tool],
    loras: (given["loras"] ?? []) as LoraUse[],
  };
  const isFromOriginal = given[FROM_ORIGINAL] ?? false;
  if (typeof isFromOriginal !== "boolean") {
    throw invalid("type", { field: "fromOriginal", wanted: "true or false" });
  }
  const images = readImages(given["image"]);
  const masked = texts[mask.tool];
  const rules = { hasMask: masked !== undefined, numImages: images.length, takesMask: true };
  checkMasking(resolveParameters(parameters), rules);
  return { images, mask: masked, output, maskOutput, isFromOriginal, parameters };
}

function readImages(given: unknown): string[] {
  const images = given === undefined ? [] : [given].flat();
  if (images.length > MAX_IMAGES || !images.every((image) => typeof image === "string")) {
    throw invalid("type", { field: "image", wanted: `a string, or a list of at most ${MAX_IMAGES} strings` });
  }
  return images as string[];
}
