/** Guidance by a second velocity, around any function that predicts both. */
import type { Velocity, VelocityQuestion } from "./sampler.ts";

/** The velocities of the positive and of the negative prompt, which may be predicted together. */
export type BothVelocities = (
  question: VelocityQuestion,
) => Promise<readonly [positive: Float32Array, negative: Float32Array]>;

/**
 * True classifier-free guidance: from the negative prompt's velocity through the positive one's and beyond, rounded as
 * float32 arithmetic rounds it.
 */
export function withTrueGuidance(both: BothVelocities, scale: number): Velocity {
  return async (question) => {
    const [velocity, negative] = await both(question);
    for (const [index, from] of negative.entries()) {
      velocity[index] = from + Math.fround(scale * Math.fround(velocity[index]! - from));
    }
    return velocity;
  };
}
