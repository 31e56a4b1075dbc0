/** The part of the table of parameters that is about leaving steps uncomputed. */
import type { EditParameter } from "./parameter-types.ts";

/** Whether steps may go on along the velocities of earlier ones. */
export const ACCELERATIONS = ["off", "auto"] as const;
/** Whether an edit may skip steps: `off`, or `auto`. */
export type AccelerationMode = (typeof ACCELERATIONS)[number];

export const ACCELERATION_PARAMETERS = {
  acceleration: {
    type: "choice",
    choices: ACCELERATIONS,
    default: "off",
    wire: "acceleration",
    flag: "--acceleration <mode>",
    tool: "acceleration",
    description: "Whether to skip steps: auto skips as many as min_psnr allows.",
  },
  minPsnr: {
    type: "number",
    min: 30,
    max: 60,
    default: 40,
    wire: "min_psnr",
    flag: "--min-psnr <decibels>",
    tool: "min_psnr",
    description:
      "With acceleration: how close the result stays to one with all steps in float32, in decibels (PSNR).",
  },
} as const satisfies Record<string, EditParameter>;
