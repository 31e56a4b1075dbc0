/** Guidance by a second velocity, around any function that predicts one. */
import type { Velocity } from "./sampler.ts";

/**
 * True classifier-free guidance: from the negative prompt's velocity through the positive one's and beyond, rounded as
 * float32 arithmetic rounds it.
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
