/** How many images FLUX.2 [klein] takes: the published models are made for up to four, and draw without one. */
import type { ImageLimits } from "../../engine/model-traits.ts";

export const IMAGES: ImageLimits = { minImages: 0, maxImages: 4 };
