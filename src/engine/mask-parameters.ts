/** The part of the table of parameters that is about masks. */
import type { EditParameter } from "./parameter-types.ts";

export const MASK_PARAMETERS = {
  mask: {
    type: "image",
    wire: "mask",
    flag: "--mask <image>",
    tool: "mask",
    description: "White where the image may change, black where it stays; the same size as the image.",
  },
  strength: {
    type: "number",
    min: 0,
    max: 1,
    default: 1,
    wire: "strength",
    flag: "--strength <number>",
    tool: "strength",
    description: "With a mask: the share of the steps that are run; lower values stay closer to the image.",
  },
  paddingMaskCrop: {
    type: "modelNumber",
    min: 0,
    max: 4096,
    wire: "padding_mask_crop",
    flag: "--padding-mask-crop <pixels>",
    tool: "padding_mask_crop",
    description:
      "With a mask: edits only the area around it, enlarged, with a margin of this many pixels on each side.",
  },
  maskBlur: {
    type: "number",
    min: 0,
    max: 256,
    default: 0,
    wire: "mask_blur",
    flag: "--mask-blur <pixels>",
    tool: "mask_blur",
    description: "With a mask: radius of the blur that is applied to it first, as in diffusers.",
  },
  maskFeather: {
    type: "number",
    min: 0,
    max: 256,
    default: 0,
    wire: "mask_feather",
    flag: "--mask-feather <pixels>",
    tool: "mask_feather",
    description: "With a mask: width in pixels, inside its edge, over which the edit blends into the image.",
  },
} as const satisfies Record<string, EditParameter>;
