/** Where an edit of one or several images stands between two steps, as data. */
import type { ReuseTally } from "./sampler.ts";
import type { SamplerState } from "./state.ts";

/** One of several images, drawn to its end. */
export interface FinishedLatents {
  /** Its last packed latents, [L, C]. They must not change afterwards. */
  latents: Float32Array;
  /** What of its steps was reused; absent if every step was computed. */
  reuse?: ReuseTally | undefined;
}

/** Where an edit stands: the images that it has finished, and the states of those after them. */
export interface DrawState {
  /** In the order of the draws; none if there is one image. */
  finished: readonly FinishedLatents[];
  /** Of the images that follow, one after the other; those after these have not begun, or begin anew. */
  states: readonly SamplerState[];
}
