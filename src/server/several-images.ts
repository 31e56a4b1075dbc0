/** Several images from clients of other APIs, which know no `image_layout`. */
import type { ImageLayout } from "../engine/edit-parameters.ts";
import type { ImageLimits } from "../engine/model-traits.ts";

/** The first of those that the model has, for edits that cannot choose. */
const LAYOUT: ImageLayout = "index";
const NOTICE =
  "The model was trained with one image; the images after the first are taken as image_layout index takes them.";

/** @returns the layout to take, and what the caller should know of it */
export function layoutOfSeveral(
  numImages: number,
  { needsLayout = false }: Pick<ImageLimits, "needsLayout">,
  { layout = "auto", hasMask }: { layout?: ImageLayout | undefined; hasMask: boolean },
): { layout: ImageLayout; notices: string[] } {
  const isChosen = numImages > 1 && needsLayout && layout === "auto" && !hasMask;
  return isChosen ? { layout: LAYOUT, notices: [NOTICE] } : { layout, notices: [] };
}
