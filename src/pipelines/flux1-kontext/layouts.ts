/**
 * Where the tokens of several references are. FLUX.1 Kontext was trained with one, in stream 1, and diffusers' pipeline
 * takes no more (0.42.1, `pipelines/flux/pipeline_flux_kontext.py`, `prepare_latents`). For more there are two customs, both
 * of ComfyUI's reference latents methods (`comfy/ldm/flux/model.py`, `_forward`):
 *
 * - `index`: the reference n is in stream n, its rows and columns from 0, as the paper of FLUX.1 Kontext describes several
 *   (arXiv 2506.15742, section 3.1).
 * - `offset`: all are in stream 1, at places that do not overlap. Each next one goes beside those so far, where the whole
 *   becomes higher than wide otherwise, else below them.
 *
 * With one reference both are what the model was trained with.
 */
import type { Size } from "../../engine/request.ts";
import { type Origin, latentIds } from "./latents.ts";

/** The positions [h/2 * w/2, 3] of each reference's tokens. @param grids their latent grids, in cells */
export function referenceIds(grids: readonly Size[], layout: "index" | "offset"): Float32Array[] {
  const origins = layout === "index" ? grids.map((_, index) => streamAt(index)) : offsetsOf(grids);
  return grids.map((grid, index) => latentIds(grid, origins[index]!));
}

const streamAt = (index: number): Origin => ({ stream: index + 1, row: 0, column: 0 });

function offsetsOf(grids: readonly Size[]): Origin[] {
  /** Tokens that all references so far cover. */
  const covered = { width: 0, height: 0 };
  return grids.map((grid) => {
    const [width, height] = [grid.width >> 1, grid.height >> 1];
    const isBeside = height + covered.height > width + covered.width;
    const origin = { stream: 1, row: isBeside ? 0 : covered.height, column: isBeside ? covered.width : 0 };
    covered.width = Math.max(covered.width, width + origin.column);
    covered.height = Math.max(covered.height, height + origin.row);
    return origin;
  });
}
