/** `retouch edit` on the command line. */
import { anyOf } from "../../errors.ts";
import {
  addFile,
  addLora,
  numberOf,
  parseFormat,
  parseImageLayout,
  parseSigmas,
  parseSize,
  parseSizeRule,
} from "../arguments.ts";
import type { EditFlags } from "../edit.ts";
import { EDIT_PARAMETERS } from "../../index.ts";
import { COMMAND, modelDefaultsText, rangeText, wordedBy } from "../surfaces.ts";
import { imagesAndPrompt } from "../images-and-prompt.ts";
import { command, option } from "./command.ts";
import { COMPUTE_OPTIONS, NETWORK_OPTIONS } from "./network-options.ts";

const { prompt, negativePrompt, trueCfgScale, size, numSteps, guidance, seed, format, loras } =
  EDIT_PARAMETERS;
const {
  imageLayout,
  isEmptyNegativeUsed,
  isSafetyChecked,
  isUnchangedKept,
  maxSequenceLength,
  numImages,
  prompt2,
  sigmas,
  sizeRule,
} = EDIT_PARAMETERS;

/** A parameter's description in the form help uses: no capital, no full stop. */
const phraseOf = ({ description }: { description: string }): string =>
  description.charAt(0).toLowerCase() + description.slice(1, -1);

/** For parameters whose default is the model's own. */
const modelNumberHelp = (field: "numSteps" | "guidance"): string => {
  const parameter = EDIT_PARAMETERS[field];
  return `${phraseOf(parameter)}, ${rangeText(parameter)} (default: the model's own: ${modelDefaultsText(field)})`;
};

const numberHelp = (parameter: { description: string; min: number; max: number; default: number }): string =>
  `${phraseOf(parameter)}, ${rangeText(parameter)} (default: ${parameter.default})`;

export const EDIT = command<EditFlags>({
  name: "edit",
  summary: "edit one image",
  description: "Edit one image, or draw one where the model can.",
  arguments: [
    {
      name: "[image...]",
      description:
        "a path, an http(s) or data URL, or - for standard input; models that take several look at the others, and " +
        "models that draw without one need none",
    },
    {
      name: "<prompt>",
      description: `what to change, in quotes; ${prompt.min} to ${prompt.max.toLocaleString("en")} characters`,
    },
  ],
  options: [
    option(
      "-o, --output <file>",
      "where the result goes, - for standard output (default: NAME.edited.png here)",
    ),
    option(
      "--image <image>",
      "another image to look at, for models that take several; may be given again",
      addFile,
    ),
    option(
      imageLayout.flag,
      `${phraseOf(imageLayout)} (default: ${imageLayout.default}, which refuses them)`,
      parseImageLayout,
    ),
    option(prompt2.flag, phraseOf(prompt2)),
    option(
      maxSequenceLength.flag,
      `tokens that T5 or Qwen3 reads of a text, ${rangeText(maxSequenceLength)} (default: what the checkpoint's tokenizer allows)`,
      numberOf("maxSequenceLength"),
    ),
    option(negativePrompt.flag, phraseOf(negativePrompt)),
    option(
      isEmptyNegativeUsed.flag,
      "steer away from what no text gives, where there is no negative prompt; doubles the time per step",
    ),
    option(trueCfgScale.flag, numberHelp(trueCfgScale), numberOf("trueCfgScale")),
    option(
      size.flag,
      `${phraseOf(size)}, ${rangeText(size)} a side (default: the image's, at most 1536)`,
      parseSize,
    ),
    option(sizeRule.flag, `${phraseOf(sizeRule)} (default: ${sizeRule.default})`, parseSizeRule),
    option(numSteps.flag, modelNumberHelp("numSteps"), numberOf("numSteps")),
    option(
      sigmas.flag,
      `noise level before each step, 1 to ${sigmas.maxItems} of ${rangeText(sigmas)} with commas between them, in place of a number of steps`,
      parseSigmas,
    ),
    option(guidance.flag, modelNumberHelp("guidance"), numberOf("guidance")),
    option(seed.flag, `${phraseOf(seed)} (default: ${seed.default})`, numberOf("seed")),
    option(
      numImages.flag,
      `${numberHelp(numImages).replace(" (", "; several are NAME-1.png and so on (")}`,
      numberOf("numImages"),
    ),
    option(
      format.flag,
      `${anyOf(format.choices)} (default: by the name in -o, or ${format.default})`,
      parseFormat,
    ),
    ...NETWORK_OPTIONS,
    option(
      loras.flag,
      `a LoRA in a .safetensors file and its strength, ${rangeText(loras.scale)} (default: ${loras.scale.default}); up to ${loras.max} times`,
      addLora,
    ),
    ...COMPUTE_OPTIONS,
    option(isUnchangedKept.flag, "keep the image's own pixels where nothing was edited (the default)"),
    option("--no-keep-unchanged", "take all of the result from the network"),
    option(isSafetyChecked.flag, "do not check the result for pornography (default: refuse it)"),
    option("--json", "print the result as one line of JSON"),
    option("--quiet", "print nothing but errors"),
  ],
  run: async ({ arguments: given, flags, signal }) => {
    const { images, prompt: instruction } = await wordedBy(COMMAND, () => imagesAndPrompt(given as string[]));
    await (await import("../edit.ts")).runEdit(images, instruction, flags, { signal });
  },
});
