/** Euler's method, as `FlowMatchEulerDiscreteScheduler.step` takes it (diffusers 0.42.1). */
import type { Sampler } from "./sampler.ts";

const { fround } = Math;

/**
 * One velocity per step, followed from a noise level straight to the next; with `noise`, followed to the image, of which
 * new noise then makes the next level.
 */
export const eulerSampler: Sampler = async function* (
  velocity,
  start,
  { sigmas, noise, afterStep = (latents) => latents, from },
) {
  let latents = start;
  const last = sigmas.at(-1)!;
  for (let index = from?.step ?? 0; index < sigmas.length - 1; index += 1) {
    const [sigma, next] = [sigmas[index]!, sigmas[index + 1]!];
    const current = latents;
    const direction = await velocity({ latents: current, sigma });
    latents = noise
      ? noised(moved(current, direction, -sigma), noise(), next)
      : moved(current, direction, next - sigma);
    latents = afterStep(latents, { sigma: next, isLast: index === sigmas.length - 2 });
    const estimate = (): Float32Array =>
      afterStep(moved(current, direction, last - sigma), { sigma: last, isLast: true });
    yield { index, latents, estimate };
  }
  return latents;
};

/** latents + (change of sigma) * velocity, rounded as float32 arithmetic rounds it. */
export function moved(latents: Float32Array, velocity: Float32Array, sigmaChange: number): Float32Array {
  const change = fround(sigmaChange);
  return latents.map((value, index) => value + fround(change * velocity[index]!));
}

/** An image and noise at a level between them, rounded in the same way: `scale_noise`. */
export function noised(image: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  const rest = fround(1 - sigma);
  return image.map((value, index) => fround(rest * value) + fround(sigma * noise[index]!));
}
