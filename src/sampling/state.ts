/**
 * Where a sampler stands between two steps, as data. An edit that was interrupted goes on from it and gives the same
 * numbers as if nothing had happened: noise is drawn once, before the first step, and the sigmas follow from the request.
 */

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
