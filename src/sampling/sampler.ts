/**
 * What a sampler is: it walks latents from noise to an image along a schedule of sigmas, and asks for the velocity where
 * it needs it. How many velocities a step takes is the sampler's own affair. Guidance and caches are functions from one
 * {@link Velocity} to another, so they wrap the question and no sampler knows of them.
 */

/** Where a velocity is asked for. */
export interface VelocityQuestion {
  /** Packed latents, [L, C]. */
  latents: Float32Array;
  /** Noise level, 0 to 1. */
  sigma: number;
}

/** The velocity of the latents, [L, C]; the answer belongs to whoever asked. */
export type Velocity = (question: VelocityQuestion) => Promise<Float32Array>;

/** A finished step. */
export interface SamplerStep {
  /** 0 to the number of steps less one. */
  index: number;
  /** After the step. */
  latents: Float32Array;
  /** Where the last velocity leads without a turn: the latents themselves are noise until shortly before the end. */
  estimate(): Float32Array;
}

export interface SamplerOptions {
  /** The first are those of the noise, the last is 0: one more than there are steps. */
  sigmas: Float32Array;
  /**
   * Changes the latents after a step, as inpainting does, which puts the source back where the mask is black.
   * @param sigma the noise level that the latents have now
   */
  afterStep?: ((latents: Float32Array, sigma: number) => Float32Array) | undefined;
}

/** Yields after every step, and returns the last latents. What the velocity throws ends it. */
export type Sampler = (
  velocity: Velocity,
  noise: Float32Array,
  options: SamplerOptions,
) => AsyncGenerator<SamplerStep, Float32Array>;
