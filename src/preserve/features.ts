/** What of two pictures is compared, so that a change of light or colour, and of style, does not disturb. */
import { boxBlurred, type Plane } from "../images/plane.ts";
import { meanProduct } from "./colours.ts";

/**
 * `detail`: luminance without its local mean and contrast. `outlines`: how steep luminance is, which a drawing of the picture and
 * its negative have in common with it. `masses`: as `detail`, but of what a blur leaves.
 */
export const BANDS = ["detail", "outlines", "masses"] as const;
export type Band = (typeof BANDS)[number];

/** Contrast, in 8-bit levels, below which a neighbourhood counts less and less: noise. */
const FLAT: Record<Band, number> = { detail: 4, outlines: 2, masses: 2 };

/** @param plane luminance, 0 to 255 */
export function featuresOf(plane: Plane, band: Band): Plane {
  const longer = Math.max(plane.width, plane.height);
  if (band === "detail") return withoutLight(plane, 4, FLAT[band]);
  if (band === "outlines")
    return withoutLight(boxBlurred(steepnessOf(boxBlurred(plane, 1)), 1), 6, FLAT[band]);
  const radius = Math.max(1, Math.round(longer / 100));
  const blurred = boxBlurred(boxBlurred(plane, radius), radius);
  return withoutLight(blurred, 4 * radius, FLAT[band]);
}

function steepnessOf({ width, height, data }: Plane): Plane {
  const steepness = new Float32Array(data.length);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
      steepness[i] = Math.hypot(data[i + 1]! - data[i - 1]!, data[i + width]! - data[i - width]!) / 2;
    }
  }
  return { width, height, data: steepness };
}

/** A plane less its local mean, in units of its local contrast. */
function withoutLight(plane: Plane, radius: number, flat: number): Plane {
  const { width, height, data } = plane;
  const mean = boxBlurred(plane, radius).data;
  const result = meanProduct(plane, plane, radius);
  for (let i = 0; i < result.length; i++) {
    const variance = Math.max(result[i]! - mean[i]! * mean[i]!, 0);
    result[i] = (data[i]! - mean[i]!) / Math.sqrt(variance + flat * flat);
  }
  return { width, height, data: result };
}
