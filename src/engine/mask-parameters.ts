/** The part of the table of parameters that is about masks. */
import type { EditParameter } from "./parameter-types.ts";

export const MASK_PARAMETERS = {
  mask: {
    type: "image",
    wire: "mask",
    flag: "--mask <image>",
    tool: "mask",
    description: "White where the image may change, black where it stays; of the image's size.",
  },
  strength: {
    type: "number",
    min: 0,
    max: 1,
    default: 1,
    wire: "strength",
    flag: "--strength <number>",
    tool: "strength",
    description: "With a mask: the part of the steps that is taken; less begins nearer to the image.",
  },
  paddingMaskCrop: {
    type: "modelNumber",
    min: 0,
    max: 4096,
    wire: "padding_mask_crop",
    flag: "--padding-mask-crop <pixels>",
    tool: "padding_mask_crop",
    description: "With a mask: edits only the part around it, enlarged, with so many pixels at each side.",
  },
  maskBlur: {
    type: "number",
    min: 0,
    max: 256,
    default: 0,
    wire: "mask_blur",
    flag: "--mask-blur <pixels>",
    tool: "mask_blur",
    description: "With a mask: the radius by which it is blurred before it is used, as diffusers blurs it.",
  },
  maskFeather: {
    type: "number",
    min: 0,
    max: 256,
    default: 0,
    wire: "mask_feather",
    flag: "--mask-feather <pixels>",
    tool: "mask_feather",
    description: "With a mask: pixels inside its edge over which the edit gives way to the image itself.",
  },
} as const satisfies Record<string, EditParameter>;
