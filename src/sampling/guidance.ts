/** Guidance by a second velocity, around whatever answers for one. */
import type { Velocity } from "./sampler.ts";

/**
 * True classifier-free guidance: away from the negative prompt's velocity, past the positive one's, rounded as float32
 * arithmetic rounds it.
 */
export function withTrueGuidance(positive: Velocity, negative: Velocity, scale: number): Velocity {
  return async (question) => {
    const velocity = await positive(question);
    for (const [index, from] of (await negative(question)).entries()) {
      velocity[index] = from + Math.fround(scale * Math.fround(velocity[index]! - from));
    }
    return velocity;
  };
}
