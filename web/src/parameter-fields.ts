/** What the rows of the parameters are called, and say about themselves. */

export type NumberName =
  "num_inference_steps" | "guidance" | "seed" | "true_cfg_scale" | "num_images" | "strength" | "mask_feather";

export interface NumberField {
  label: string;
  hint: string;
  step: number;
}

export const NUMBERS: Readonly<Record<NumberName, NumberField>> = {
  num_images: { label: "Results", hint: "Each is a full edit with the next seed.", step: 1 },
  num_inference_steps: { label: "Steps", hint: "More steps, more detail, more time.", step: 1 },
  guidance: { label: "Guidance", hint: "How closely the instruction is followed.", step: 0.1 },
  seed: { label: "Seed", hint: "−1 picks a new one each time; the same seed repeats an edit.", step: 1 },
  true_cfg_scale: {
    label: "Negative strength",
    hint: "Only used with a negative instruction.",
    step: 0.1,
  },
  strength: {
    label: "Strength",
    hint: "Lower values stay closer to your image inside the mask.",
    step: 0.05,
  },
  mask_feather: {
    label: "Feather",
    hint: "Width, in pixels, over which the edit blends into your image inside the mask.",
    step: 1,
  },
};

export type Choices = readonly (readonly [value: string, label: string])[];

export const ONE_IMAGE = "none";
/** The server's names for the formats; it also accepts `jpg`, which means the same. */
export const FORMATS: Choices = [
  ["png", "PNG"],
  ["jpeg", "JPEG"],
  ["webp", "WebP"],
  ["avif", "AVIF"],
];
export const KEEPS: Choices = [
  ["auto", "everything that was not redrawn"],
  ["exact", "unchanged pixels only"],
  ["off", "nothing: the image as the network draws it"],
];
/** How a model that was trained with one image takes several. */
export const LAYOUTS: Choices = [
  [ONE_IMAGE, "one image"],
  ["stitch", "several, side by side as one"],
  ["index", "several, numbered"],
  ["offset", "several, in different places"],
];
/** What `acceleration` and `min_psnr` are together: the least similarity to all steps, in decibels. */
export const SPEEDS: Choices = [
  ["off", "every step"],
  ["50", "fewer steps, at least 50 dB"],
  ["40", "fewer steps, at least 40 dB"],
  ["34", "fewer steps, at least 34 dB"],
];

/** Those that are moved rather than typed. */
export const SLIDERS: readonly NumberName[] = ["num_inference_steps", "strength"];
