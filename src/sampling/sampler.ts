/**
 * What a sampler is: it moves latents from noise to an image along a schedule of sigmas, and asks for a velocity
 * wherever it needs one. How many velocities a step takes is up to the sampler. Guidance and caches are functions from
 * one {@link Velocity} to another, so they wrap the velocity and no sampler knows about them.
 */

import type { SamplerState, StateMemory } from "./state.ts";

/** The point at which a velocity is requested. */
export interface VelocityQuestion {
  /** Packed latents, [L, C]. */
  latents: Float32Array;
  /** Noise level, 0 to 1. */
  sigma: number;
}

/** The velocity of the latents, [L, C]; the caller owns the result. */
export type Velocity = (question: VelocityQuestion) => Promise<Float32Array>;

/** What was reused up to a step. */
export interface ReuseTally {
  computedSteps: number;
  reusedSteps: number;
  /** Sum of the estimated errors, in the unit of the sampler's budget. */
  error: number;
}

/** A finished step. */
export interface SamplerStep {
  /** 0 to the number of steps less one. */
  index: number;
  /** The latents after the step. */
  latents: Float32Array;
  /** What the next steps need besides the latents. @default nothing */
  memory?: StateMemory | undefined;
  /** What was reused up to here, if the sampler reuses velocities. */
  reuse?: ReuseTally | undefined;
  /** Where the last velocity leads in a straight line; the latents themselves are noise until just before the end. */
  estimate(): Float32Array;
}

/**
 * @param level of the latents at this point: its noise, and whether it is the last one
 * @returns other latents
 */
export type AfterStep = (latents: Float32Array, level: { sigma: number; isLast: boolean }) => Float32Array;

export interface SamplerOptions {
  /** From the noise level of pure noise to that of the image, mostly 1 and 0: one more than there are steps. */
  sigmas: Float32Array;
  /** Gives the new noise of a step, once a step, if steps draw any. @default none does */
  noise?: (() => Float32Array) | undefined;
  /** Changes the latents after a step: inpainting puts the image back where the mask is black. */
  afterStep?: AfterStep | undefined;
  /** What an earlier run left, to go on with: the steps after `from.step` are taken. @default nothing was done yet */
  from?: Pick<SamplerState, "step" | "memory"> | undefined;
}

/**
 * Yields after every step and returns the last latents. An error from the velocity ends it.
 * @param start pure noise, or the latents of the state to go on from
 */
export type Sampler = (
  velocity: Velocity,
  start: Float32Array,
  options: SamplerOptions,
) => AsyncGenerator<SamplerStep, Float32Array>;
