/**
 * The single definition of an edit's parameters: type, range, default and description of each, and its name on each
 * surface. Request validation, the wire's schemas and OpenAPI document, the flags and help of `retouch edit` and the
 * tool of `retouch mcp` are built from this table; `test/engine/edit-parameters.test.ts` checks all of them, and the
 * documents, against it.
 */
import { LIBRARY, type Surface } from "../errors.ts";
import { OUTPUT_FORMATS } from "../images/output-format.ts";
import { SAMPLERS, type SamplerName } from "../sampling/sampler-names.ts";
import { MAX_LORA_SCALE, MAX_LORAS } from "../lora/use.ts";
import { ACCELERATION_PARAMETERS } from "./acceleration-parameters.ts";
import { MASK_PARAMETERS } from "./mask-parameters.ts";
import type { EditParameter } from "./parameter-types.ts";

export { type AccelerationMode, ACCELERATIONS } from "./acceleration-parameters.ts";

export type {
  NumberParameter,
  ModelNumberParameter,
  NumbersParameter,
  StringParameter,
  BooleanParameter,
  ChoiceParameter,
  PatternParameter,
  SizeParameter,
  LorasParameter,
  ImageParameter,
  EditParameter,
} from "./parameter-types.ts";

export { SAMPLERS, type SamplerName };

/** The most steps, and so the most noise levels. */
const MAX_STEPS = 50;

/** Ours, and that of the reference implementation. */
export const SIZE_RULES = ["exact", "diffusers"] as const;
/** Which rule sets the sizes of a result. */
export type SizeRule = (typeof SIZE_RULES)[number];

/**
 * How a model that was trained with one image takes several: `index` and `offset` as token streams of their own, placed as
 * ComfyUI's reference latents methods of these names place them, `stitch` as one picture; `auto` refuses them there.
 */
export const IMAGE_LAYOUTS = ["auto", "index", "offset", "stitch"] as const;
/** How a model trained on one image is given several. */
export type ImageLayout = (typeof IMAGE_LAYOUTS)[number];

/** How much of the source a result keeps. */
export const PRESERVES = ["off", "exact", "auto"] as const;
/** How much of the image a result keeps. */
export type Preserve = (typeof PRESERVES)[number];

/** Sizes that are the image's: its shape at most 1,536 pixels long, or all of its pixels. */
export const IMAGE_SIZES = ["auto", "source"] as const;
/** A size that is taken from the image. */
export type ImageSize = (typeof IMAGE_SIZES)[number];

/** By the library's names. */
export const EDIT_PARAMETERS = {
  image: {
    type: "image",
    wire: "image",
    tool: "image",
    description: "The image to edit.",
  },
  imageLayout: {
    type: "choice",
    choices: IMAGE_LAYOUTS,
    default: "auto",
    wire: "image_layout",
    flag: "--image-layout <layout>",
    tool: "image_layout",
    description:
      "How a model trained on one image is given several: index or offset (token streams of their own), or stitch (joined into one image).",
  },
  ...MASK_PARAMETERS,
  prompt: {
    type: "string",
    min: 1,
    max: 4000,
    wire: "prompt",
    tool: "instruction",
    description: "What to change.",
  },
  prompt2: {
    type: "string",
    min: 0,
    max: 4000,
    default: "",
    wire: "prompt_2",
    flag: "--prompt-2 <text>",
    tool: "instruction_2",
    description: "A prompt for T5 alone; the main prompt is then read by CLIP alone.",
  },
  maxSequenceLength: {
    type: "modelNumber",
    min: 1,
    // The reference's limit.
    max: 512,
    wire: "max_sequence_length",
    flag: "--max-sequence-length <number>",
    tool: "max_sequence_length",
    description:
      "Number of tokens that T5 reads of a text; by default as many as the checkpoint's tokenizer allows.",
  },
  negativePrompt: {
    type: "string",
    min: 0,
    max: 4000,
    default: "",
    wire: "negative_prompt",
    flag: "--negative-prompt <text>",
    tool: "negative_prompt",
    description: "What to steer away from; doubles the time per step.",
  },
  isEmptyNegativeUsed: {
    type: "boolean",
    default: false,
    wire: "use_empty_negative_prompt",
    flag: "--use-empty-negative-prompt",
    tool: "use_empty_negative_prompt",
    description:
      "Whether to use an empty negative prompt, which steers away from what the model draws without any text.",
  },
  trueCfgScale: {
    type: "number",
    min: 1,
    max: 10,
    default: 2,
    wire: "true_cfg_scale",
    flag: "--true-cfg-scale <number>",
    tool: "true_cfg_scale",
    description: "Strength of the negative prompt.",
  },
  size: {
    type: "size",
    min: 16,
    max: 4096,
    wireDefault: { width: 1024, height: 1024 },
    wire: "size",
    flag: "--size <size>",
    tool: "size",
    description:
      "Size of the result: width and height, auto (the image's shape), or source (all of its pixels).",
  },
  sizeRule: {
    type: "choice",
    choices: SIZE_RULES,
    default: "exact",
    wire: "size_rule",
    flag: "--size-rule <rule>",
    tool: "size_rule",
    description:
      "Which rule sets the sizes: exact stretches and crops nothing; diffusers follows the rule of its pipeline, on FLUX.2 only.",
  },
  numSteps: {
    type: "integer",
    min: 1,
    max: MAX_STEPS,
    default: 28,
    word: "auto",
    wire: "num_inference_steps",
    flag: "--steps <number>",
    tool: "steps",
    description:
      "Number of sampler steps; more take longer, and auto uses as many as were measured to be enough.",
  },
  sampler: {
    type: "choice",
    choices: SAMPLERS,
    default: "euler",
    wire: "sampler",
    flag: "--sampler <name>",
    tool: "sampler",
    description:
      "How a step is taken: euler, heun (two passes per step except the last) or dpmpp_2m (one pass, which also uses the result of the step before).",
  },
  sigmas: {
    type: "numbers",
    min: 0,
    max: 1,
    maxItems: MAX_STEPS,
    wire: "sigmas",
    flag: "--sigmas <list>",
    tool: "sigmas",
    description:
      "Noise level before each step, instead of a number of steps; the checkpoint's scheduler shifts them.",
  },
  guidance: {
    type: "number",
    min: 0,
    max: 10,
    default: 2,
    wire: "guidance",
    aliases: ["guidance_scale"],
    flag: "--guidance <number>",
    tool: "guidance",
    description: "How closely the prompt is followed.",
  },
  ...ACCELERATION_PARAMETERS,
  seed: {
    type: "integer",
    min: -1,
    max: Number.MAX_SAFE_INTEGER,
    default: -1,
    wire: "seed",
    flag: "--seed <number>",
    tool: "seed",
    description: "The same seed repeats an edit; -1 picks one at random.",
  },
  numImages: {
    type: "integer",
    min: 1,
    max: 8,
    default: 1,
    wire: "num_images",
    flag: "-n, --num-images <number>",
    tool: "num_images",
    description: "Number of results; the first uses the seed, each further one the next number.",
  },
  format: {
    type: "choice",
    choices: OUTPUT_FORMATS,
    default: "png",
    wire: "output_format",
    aliases: ["image_format"],
    flag: "--format <format>",
    tool: "format",
    description: "Format of the result.",
  },
  outputQuality: {
    type: "modelNumber",
    min: 1,
    max: 100,
    wire: "output_quality",
    flag: "--quality <number>",
    tool: "quality",
    description: "Quality of a JPEG, WebP or AVIF; at 100, WebP and AVIF are lossless.",
  },
  background: {
    type: "pattern",
    pattern: "^(?:auto|transparent|opaque|#[0-9A-Fa-f]{3}|#[0-9A-Fa-f]{6})$",
    accepts: "auto, transparent, opaque or a colour such as #ffffff",
    default: "auto",
    wire: "background",
    flag: "--background <kind>",
    tool: "background",
    description:
      "What happens to transparency: auto keeps it if the format can, transparent keeps it or is refused, opaque puts the image on white.",
  },
  isSafetyChecked: {
    type: "boolean",
    default: true,
    wire: "enable_safety_checker",
    flag: "--no-safety-checker",
    description: "Whether the result is checked for pornography.",
  },
  isUnchangedKept: {
    type: "boolean",
    // The command and the tool default to true.
    default: false,
    wire: "keep_unchanged",
    flag: "--keep-unchanged",
    tool: "keep_unchanged",
    description:
      "Whether the image keeps its own pixels where nothing was edited: the same as auto or off of preserve.",
  },
  preserve: {
    type: "choice",
    choices: PRESERVES,
    // The command and the tool default to auto.
    default: "off",
    wire: "preserve",
    flag: "--preserve <mode>",
    tool: "preserve",
    description:
      "What is kept of the image: exact copies its pixels where nothing was edited; auto also applies changes of light and colour to its own detail.",
  },
  isMaskWanted: {
    type: "boolean",
    default: false,
    wire: "enable_mask_output",
    flag: "--mask-out <file>",
    tool: "mask_output",
    description:
      "Whether to return a grey map of the result's size as well: white where pixels were copied, grey where colours were carried over, black where the network drew.",
  },
  loras: {
    type: "loras",
    max: MAX_LORAS,
    scale: { min: -MAX_LORA_SCALE, max: MAX_LORA_SCALE, default: 1 },
    wire: "loras",
    flag: "--lora <file[:scale]>",
    tool: "loras",
    description: "LoRAs to apply to the checkpoint, all of them at once.",
  },
} as const satisfies Record<string, EditParameter>;

/** A parameter of an edit by the library's name. */
export type EditParameterName = keyof typeof EDIT_PARAMETERS;

const WIRE_NAMES = Object.fromEntries(
  Object.entries<EditParameter>(EDIT_PARAMETERS).map(([field, { wire }]) => [field, wire]),
);

/** The names that HTTP requests and jobs use for the parameters in error messages. */
export const WIRE: Surface = {
  ...LIBRARY,
  names: {
    ...WIRE_NAMES,
    "size.width": "width",
    "size.height": "height",
    parentImage: "parent_image",
    fromOriginal: "from_original",
  },
  // The image is always one of the request's fields.
  image: (source) => (source === undefined ? "image" : `image: ${source}`),
};

const FIELD_OF_WIRE: ReadonlyMap<string, string> = new Map(
  Object.entries(WIRE.names).map(([field, name]) => [name, field]),
);

/** The library's name for a wire field; aliases and wire-only fields keep their own. */
export const fieldOfWire = (name: string): string => FIELD_OF_WIRE.get(name) ?? name;
