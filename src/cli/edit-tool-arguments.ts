/** What the tool of `retouch mcp` takes: its arguments, made from the table of an edit's parameters. */
import { type EditDefaults, EDIT_PARAMETERS, parametersOfModel } from "../index.ts";
import { modelDefaultsText, rangeText } from "./surfaces.ts";
import { choice, modelNumber, number, text, typeOf } from "./tool-schema.ts";
/** More than any model takes; its own limit is refused when it is loaded. */
export const MAX_IMAGES = 16;
/** The longest path that systems allow. */
export const MAX_OUTPUT_LENGTH = 4096;

export const FROM_ORIGINAL = "from_original";

/** A number whose default is the model's own; `argumentsOf` has it once the model is known. */
const ofModel = (field: "numSteps" | "guidance") => {
  const { min, max, description } = EDIT_PARAMETERS[field];
  return {
    ...typeOf(EDIT_PARAMETERS[field]),
    minimum: min,
    maximum: max,
    description: `${description} By default the model's own: ${modelDefaultsText(field)}.`,
  };
};

const { prompt, negativePrompt, trueCfgScale, size, numSteps, guidance, seed, format, isUnchangedKept } =
  EDIT_PARAMETERS;
const { background, imageLayout, isEmptyNegativeUsed, maxSequenceLength, numImages, outputQuality, prompt2 } =
  EDIT_PARAMETERS;
const { acceleration, isMaskWanted, minPsnr, preserve, sampler, sigmas, sizeRule } = EDIT_PARAMETERS;
const { mask, maskBlur, maskFeather, paddingMaskCrop, strength } = EDIT_PARAMETERS;

export const EDIT_TOOL = {
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
      [sampler.tool]: choice(sampler),
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
      [acceleration.tool]: choice(acceleration),
      [minPsnr.tool]: number(minPsnr),
      [seed.tool]: number(seed),
      [numImages.tool]: number(numImages),
      [FROM_ORIGINAL]: {
        type: "boolean",
        default: false,
        description:
          "Where the image is a result that is remembered here: whether the first picture is edited instead, by the instructions of all edits since then and this one.",
      },
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
export function argumentsOf(defaults: EditDefaults) {
  const known = parametersOfModel(defaults);
  return { [numSteps.tool]: number(known.numSteps), [guidance.tool]: number(known.guidance) };
}

/** The tool's argument for LoRAs, if any may be chosen. */
export const lorasArgument = (names: readonly string[]) => {
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
