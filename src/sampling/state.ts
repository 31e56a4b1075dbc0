/**
 * Where a sampler stands between two steps, as data. An edit that was interrupted goes on from it and gives the same
 * numbers as if nothing had happened: noise is drawn once, before the first step, and the sigmas follow from the request.
 */

import type { ReuseTally } from "./sampler.ts";

/** Numbers, and their shape. */
export interface StateArray {
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
  shape: readonly number[];
}

/**
 * What a sampler, or a cache around the velocity, remembers from earlier steps, by names of its own. Whoever reads it
 * checks the shapes and does without what is missing: another build may have remembered something else. The arrays must
 * not change afterwards.
 */
export type StateMemory = Readonly<Record<string, StateArray>>;

export interface SamplerState {
  /** Steps taken, 1 to their number. */
  step: number;
  /** Packed latents after that step, [L, C]. They must not change afterwards. */
  latents: Float32Array;
  memory: StateMemory;
}

/** One of several images, drawn to its end. */
export interface FinishedLatents {
  /** Its last packed latents, [L, C]. They must not change afterwards. */
  latents: Float32Array;
  /** What of its steps was reused; absent if every step was computed. */
  reuse?: ReuseTally | undefined;
}

/** Where an edit stands: the images that it has finished, and the state of the one after them. */
export interface DrawState {
  /** In the order of the draws; none if there is one image. */
  finished: readonly FinishedLatents[];
  state: SamplerState;
}
