/** Sizes from ratios of their sides, as other providers' APIs ask for them. */
import { invalid } from "../errors.ts";
import type { Size } from "../engine/request.ts";

/** About a megapixel, as black-forest-labs' API draws it (https://docs.bfl.ai/kontext/kontext_image_editing). */
const AREA = 1024 * 1024;
/** Side of a token of the published model. */
const GRID = 16;
/** Of the longer to the shorter side. */
const MAX_RATIO = 21 / 9;
const RATIO = /^(\d{1,4}):(\d{1,4})$/;
export const ASPECT_RATIO = { pattern: "^\\d{1,4}:\\d{1,4}$" };
/** For the image's own shape. */
export const MATCH_INPUT = "match_input_image";
export const MATCH_OR_RATIO = { pattern: "^(?:match_input_image|\\d{1,4}:\\d{1,4})$" };

/**
 * @param ratio such as 16:9
 * @throws RetouchError INVALID_PARAMETER about `aspect_ratio`, if it is further from a square than 21:9
 */
export function sizeOfRatio(ratio: string, { minSide, maxSide }: { minSide: number; maxSide: number }): Size {
  const [, across, down] = RATIO.exec(ratio) ?? [];
  const shape = Number(across) / Number(down);
  if (!(shape <= MAX_RATIO && shape >= 1 / MAX_RATIO)) {
    throw invalid("oneOf", { field: "aspect_ratio", choices: "between 21:9 and 9:21", given: ratio });
  }
  const width = Math.sqrt(AREA * shape);
  const factor = Math.min(1, maxSide / Math.max(width, width / shape));
  const side = (length: number): number =>
    Math.min(maxSide, Math.max(minSide, GRID * Math.round((length * factor) / GRID)));
  return { width: side(width), height: side(width / shape) };
}
