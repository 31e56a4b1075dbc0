/**
 * The edit as a tool that a model calls: arguments under the tool's own names, and a reply that fits into a
 * conversation.
 */
import { cutText, invalid } from "../errors.ts";
import {
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
  parametersOfModel,
  type Preserve,
  resolveParameters,
  type SizeRule,
} from "../index.ts";
import { readSourceThrough, type SourceAccess } from "../images/source.ts";
import { parseSize } from "./arguments.ts";
import { numberedOutputs } from "./numbered-outputs.ts";
import { checkMaskName, chooseFormat, defaultOutput, STDOUT } from "./output.ts";
import { reportText } from "./report.ts";
import { shown, type ToolContent } from "./shown-results.ts";
import { modelDefaultsText, rangeText, TOOL, wordedBy } from "./surfaces.ts";
import type { ToolOutput } from "./tool-output.ts";
import { choice, modelNumber, number, text } from "./tool-schema.ts";

/** Longest argument name quoted in a sentence. */
const MAX_NAME_LENGTH = 100;
/** More than any model takes; its own limit is refused when it is loaded. */
const MAX_IMAGES = 16;
/** The longest path that systems allow. */
const MAX_OUTPUT_LENGTH = 4096;

/** A number whose default is the model's own; `argumentsOf` has it once the model is known. */
const ofModel = (field: "numSteps" | "guidance") => {
  const { type, min, max, description } = EDIT_PARAMETERS[field];
  return {
    type,
    minimum: min,
    maximum: max,
    description: `${description} By default the model's own: ${modelDefaultsText(field)}.`,
  };
};

const { prompt, negativePrompt, trueCfgScale, size, numSteps, guidance, seed, format, isUnchangedKept } =
  EDIT_PARAMETERS;
const { background, imageLayout, isEmptyNegativeUsed, maxSequenceLength, numImages, outputQuality, prompt2 } =
  EDIT_PARAMETERS;
const { isMaskWanted, preserve, sigmas, sizeRule } = EDIT_PARAMETERS;
const { mask, maskBlur, maskFeather, paddingMaskCrop, strength } = EDIT_PARAMETERS;

const EDIT_TOOL = {
  name: "edit_image",
  title: "Edit an image",
  description:
    "Edits an image by an instruction in words, on this machine, and writes the result to a file. " +
    "Only what the instruction names is meant to change.",
  inputSchema: {
    type: "object" as const,
    properties: {
      image: {
        type: ["string", "array"],
        items: { type: "string" },
        minItems: 1,
        maxItems: MAX_IMAGES,
        description:
          "The image: a path in the server's folder, a public http(s) URL or a data URL. A list, where the model takes " +
          "several: the first is edited. Models that draw without one need none.",
      },
      [imageLayout.tool]: choice(imageLayout),
      [prompt.tool]: text(
        `What to change, ${prompt.min} to ${prompt.max.toLocaleString("en")} characters, such as: Make it night.`,
      ),
      output: {
        ...text(
          "File to write in the server's folder; of those that are there only one that this server made is replaced. " +
            "By default a new NAME.edited.png. Several results are NAME-1.png and so on.",
        ),
        maxLength: MAX_OUTPUT_LENGTH,
      },
      [size.tool]: text(
        `Size of the result, such as 1024x768, ${rangeText(size)} a side; by default auto, the picture's, at most 1536; source is all of its pixels.`,
      ),
      [mask.tool]: text(`${mask.description} Given as the image is.`),
      [strength.tool]: number(strength),
      [paddingMaskCrop.tool]: modelNumber(paddingMaskCrop),
      [maskBlur.tool]: number(maskBlur),
      [maskFeather.tool]: number(maskFeather),
      [sizeRule.tool]: choice(sizeRule),
      [numSteps.tool]: ofModel("numSteps"),
      [sigmas.tool]: {
        type: "array",
        items: { type: "number", minimum: sigmas.min, maximum: sigmas.max },
        minItems: 1,
        maxItems: sigmas.maxItems,
        description: sigmas.description,
      },
      [guidance.tool]: ofModel("guidance"),
      [prompt2.tool]: text(prompt2.description),
      [maxSequenceLength.tool]: modelNumber(maxSequenceLength),
      [negativePrompt.tool]: text(negativePrompt.description),
      [isEmptyNegativeUsed.tool]: {
        type: "boolean",
        default: false,
        description: isEmptyNegativeUsed.description,
      },
      [trueCfgScale.tool]: number(trueCfgScale),
      [seed.tool]: number(seed),
      [numImages.tool]: number(numImages),
      [isUnchangedKept.tool]: { type: "boolean", description: isUnchangedKept.description },
      [preserve.tool]: {
        type: "string",
        enum: preserve.choices,
        default: "auto",
        description: preserve.description,
      },
      [isMaskWanted.tool]: {
        ...text(
          "PNG file to write in the server's folder, of the result's size: white where pixels were copied, grey where colours were " +
            "carried over, black where the network drew. Several are NAME-1.png and so on.",
        ),
        maxLength: MAX_OUTPUT_LENGTH,
      },
      [format.tool]: {
        type: "string",
        enum: format.choices,
        description: `By default by the name in output, or ${format.default}.`,
      },
      [outputQuality.tool]: {
        type: "integer",
        minimum: outputQuality.min,
        maximum: outputQuality.max,
        description: outputQuality.description,
      },
      [background.tool]: {
        type: "string",
        pattern: background.pattern,
        default: background.default,
        description: `${background.description} A colour such as #ffffff lays it on that colour.`,
      },
    },
    required: [prompt.tool],
    additionalProperties: false,
  },
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
};

/** The arguments whose defaults are the model's own, of a model that is known. */
function argumentsOf(defaults: EditDefaults) {
  const known = parametersOfModel(defaults);
  return { [numSteps.tool]: number(known.numSteps), [guidance.tool]: number(known.guidance) };
}

/** The tool's argument for LoRAs, if any may be chosen. */
const lorasArgument = (names: readonly string[]) => {
  const { max, scale } = EDIT_PARAMETERS.loras;
  return {
    type: "array",
    maxItems: max,
    description: "LoRAs on top of the checkpoint, by their names.",
    items: {
      type: "object",
      properties: {
        name: { type: "string", enum: names },
        scale: number({ type: "number", ...scale, description: "Strength: 0 has no effect." }),
      },
      required: ["name"],
      additionalProperties: false,
    },
  };
};

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
  /** Where results go. */
  results: ToolOutput;
}

/** Creates the tool. */
export function createEditTool({ load, loras, defaults, access, results }: EditToolOptions) {
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
    const chosen = output ?? defaultOutput(sources[0], parameters.format);
    const isChosen = output !== undefined;
    const { numImages: count = 1 } = parameters;
    // Standard output is refused below, under its own name.
    const outputs = count > 1 && chosen !== STDOUT ? numberedOutputs(chosen, count) : [chosen];
    for (const one of outputs) await results.check(one, isChosen);
    const maps =
      maskOutput === undefined ? [] : count > 1 ? numberedOutputs(maskOutput, count) : [maskOutput];
    await wordedBy(TOOL, async () => {
      for (const [index, map] of maps.entries()) {
        checkMaskName(map, outputs[index]!);
        await results.check(map, true, "isMaskWanted");
      }
    });
    const engine = await load();
    const image = sources.map(({ bytes }) => bytes);
    const request = { image, mask: masking?.bytes, ...parameters };
    const result = await engine.edit(request, { signal, onStep });
    const written = await results.writeAll(outputs, isChosen, result.images);
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
  /** Where the map of the result goes; absent if none is wanted. */
  maskOutput: string | undefined;
  parameters: Omit<EditRequest, "image"> & { format: OutputFormat };
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
    guidance,
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
  const images = readImages(given["image"]);
  const masked = texts[mask.tool];
  const rules = { hasMask: masked !== undefined, numImages: images.length, takesMask: true };
  checkMasking(resolveParameters(parameters), rules);
  return { images, mask: masked, output, maskOutput, parameters };
}

function readImages(given: unknown): string[] {
  const images = given === undefined ? [] : [given].flat();
  if (images.length > MAX_IMAGES || !images.every((image) => typeof image === "string")) {
    throw invalid("type", { field: "image", wanted: `a string, or a list of at most ${MAX_IMAGES} strings` });
  }
  return images as string[];
}
