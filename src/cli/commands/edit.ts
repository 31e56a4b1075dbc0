/** `retouch edit` on the command line. */
import { anyOf } from "../../errors.ts";
import {
  addFile,
  addLora,
  numberOf,
  parseAcceleration,
  parseFormat,
  parseImageLayout,
  parsePreserve,
  parseSampler,
  parseSigmas,
  parseSize,
  parseSizeRule,
  parseSteps,
} from "../arguments.ts";
import type { EditFlags } from "../edit.ts";
import { EDIT_PARAMETERS } from "../../index.ts";
import { COMMAND, modelDefaultsText, rangeText, wordedBy } from "../surfaces.ts";
import { imagesAndPrompt, resultFolder } from "../images-and-prompt.ts";
import { command, option } from "./command.ts";
import { COMPUTE_OPTIONS, NETWORK_OPTIONS } from "./network-options.ts";

const { prompt, negativePrompt, trueCfgScale, size, numSteps, guidance, seed, format, loras } =
  EDIT_PARAMETERS;
const {
  acceleration,
  background,
  imageLayout,
  isEmptyNegativeUsed,
  isSafetyChecked,
  isUnchangedKept,
  isMaskWanted,
  maxSequenceLength,
  minPsnr,
  numImages,
  preserve,
  prompt2,
  outputQuality,
  sampler,
  sigmas,
  sizeRule,
} = EDIT_PARAMETERS;
const { mask, maskBlur, maskFeather, paddingMaskCrop, strength } = EDIT_PARAMETERS;

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
  summary: "edit one image, or every image in a list or folder",
  description:
    "Edit one image, or draw one if the model can. With a folder as -o, each image is edited on its own.",
  arguments: [
    {
      name: "[image...]",
      description:
        "a path, an http(s) or data URL, or - for standard input; models that take several look at the others, and " +
        "models that draw without one need none. With a folder as -o, each image is edited on its own, and a folder stands for the images in it",
    },
    {
      name: "<prompt>",
      description: `what to change, in quotes; ${prompt.min} to ${prompt.max.toLocaleString("en")} characters`,
    },
  ],
  options: [
    option(
      "-o, --output <file>",
      "where the result goes, - for standard output (default: NAME.edited.png here); a folder that is there or ends in / " +
        "gets a result for each image",
    ),
    option("--overwrite", "with a folder as -o, let results replace files that this batch did not make"),
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
    option(mask.flag, phraseOf(mask)),
    option(strength.flag, numberHelp(strength), numberOf("strength")),
    option(
      paddingMaskCrop.flag,
      `${phraseOf(paddingMaskCrop)}, ${rangeText(paddingMaskCrop)} (default: the whole image)`,
      numberOf("paddingMaskCrop"),
    ),
    option(maskBlur.flag, numberHelp(maskBlur), numberOf("maskBlur")),
    option(maskFeather.flag, numberHelp(maskFeather), numberOf("maskFeather")),
    option(prompt2.flag, phraseOf(prompt2)),
    option(
      maxSequenceLength.flag,
      `tokens that T5 or Qwen3 reads of a text, ${rangeText(maxSequenceLength)} (default: what the checkpoint's tokenizer allows)`,
      numberOf("maxSequenceLength"),
    ),
    option(negativePrompt.flag, phraseOf(negativePrompt)),
    option(
      isEmptyNegativeUsed.flag,
      "use an empty negative prompt, which steers away from what the model draws without any text; doubles the time per step",
    ),
    option(trueCfgScale.flag, numberHelp(trueCfgScale), numberOf("trueCfgScale")),
    option(
      size.flag,
      `size of the result: WxH, ${rangeText(size)} a side; auto, the image's, at most 1536 (the default); or source, all of its pixels`,
      parseSize,
    ),
    option(sizeRule.flag, `${phraseOf(sizeRule)} (default: ${sizeRule.default})`, parseSizeRule),
    option(numSteps.flag, modelNumberHelp("numSteps"), parseSteps),
    option(sampler.flag, `${phraseOf(sampler)} (default: ${sampler.default})`, parseSampler),
    option(
      sigmas.flag,
      `noise level before each step, 1 to ${sigmas.maxItems} of ${rangeText(sigmas)}, separated by commas, instead of a number of steps`,
      parseSigmas,
    ),
    option(guidance.flag, modelNumberHelp("guidance"), numberOf("guidance")),
    option(
      acceleration.flag,
      `${anyOf(acceleration.choices)}: auto leaves out steps as far as --min-psnr allows, once the checkpoint is calibrated (default: ${acceleration.default})`,
      parseAcceleration,
    ),
    option(minPsnr.flag, numberHelp(minPsnr), numberOf("minPsnr")),
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
    option(
      outputQuality.flag,
      `${phraseOf(outputQuality)}, ${rangeText(outputQuality)}`,
      numberOf("outputQuality"),
    ),
    option(
      background.flag,
      `${phraseOf(background)}, and a colour such as #ffffff on that colour (default: ${background.default})`,
    ),
    ...NETWORK_OPTIONS,
    option(
      loras.flag,
      `a LoRA in a .safetensors file and its strength, ${rangeText(loras.scale)} (default: ${loras.scale.default}); up to ${loras.max} times`,
      addLora,
    ),
    ...COMPUTE_OPTIONS,
    option(
      preserve.flag,
      `what is kept of the image, ${anyOf(preserve.choices)}: exact copies its pixels where nothing was edited, auto (the default) also applies changes of colour and light to its own detail`,
      parsePreserve,
    ),
    option(
      isMaskWanted.flag,
      "also write a PNG of the result's size: white where pixels were copied, grey where colours were carried over, black where the network drew",
    ),
    option(isUnchangedKept.flag, "another name for --preserve auto"),
    option("--no-keep-unchanged", "another name for --preserve off: take the whole result from the network"),
    option(isSafetyChecked.flag, "do not check the result for pornography (default: refuse it)"),
    option(
      "--receipt <file>",
      "also write the receipt of the result, a JSON file that `retouch verify` reads",
    ),
    option(
      "--from-original",
      "if the image is a remembered result: edit the original instead, with the instructions of all edits",
    ),
    option("--history", "remember this edit, for --from-original (default: as RETOUCH_HISTORY says)"),
    option("--json", "print the result as one line of JSON"),
    option("--quiet", "print nothing but errors"),
  ],
  run: async ({ arguments: given, flags, signal }) => {
    const { images, prompt: instruction } = await wordedBy(COMMAND, () => imagesAndPrompt(given as string[]));
    const folder = await wordedBy(COMMAND, () => resultFolder(images, flags.output));
    if (folder !== undefined) {
      const { runEditEach } = await import("../batch/commands.ts");
      return runEditEach(images, instruction, { ...flags, output: folder }, signal);
    }
    await (await import("../edit.ts")).runEdit(images, instruction, flags, { signal });
  },
});
