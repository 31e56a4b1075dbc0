/** Heun's method, as `FlowMatchHeunDiscreteScheduler.step` takes it (diffusers 0.42.1), rounded where PyTorch rounds. */
import type { Sampler } from "./sampler.ts";

const { fround } = Math;

/**
 * Two velocities per step: one where it begins and one where Euler's method would lead; it follows their mean. The last step
 * is Euler's, so n steps take 2n - 1 velocities. Draws no new noise.
 */
export const heunSampler: Sampler = async function* (
  velocity,
  start,
  { sigmas, afterStep = (latents) => latents, from },
) {
  let latents = start;
  const last = sigmas.at(-1)!;
  for (let index = from?.step ?? 0; index < sigmas.length - 1; index += 1) {
    const [sigma, next] = [sigmas[index]!, sigmas[index + 1]!];
    const isLast = index === sigmas.length - 2;
    const current = latents;
    const change = fround(next - sigma);
    const slope = derivative(current, await velocity({ latents: current, sigma }), sigma);
    const reached = moved(current, slope, change);
    const corrected = isLast
      ? reached
      : moved(
          current,
          mean(slope, derivative(reached, await velocity({ latents: reached, sigma: next }), next)),
          change,
        );
    latents = afterStep(corrected, { sigma: next, isLast });
    const estimate = (): Float32Array =>
      afterStep(moved(current, slope, fround(last - sigma)), { sigma: last, isLast: true });
    yield { index, latents, estimate };
  }
  return latents;
};

/** The velocity, by way of the image that it leads to, as the scheduler computes it; at level 0, the velocity itself. */
function derivative(latents: Float32Array, velocity: Float32Array, sigma: number): Float32Array {
  if (sigma === 0) return velocity;
  return latents.map((value, index) => {
    const denoised = fround(value - fround(velocity[index]! * sigma));
    return fround(value - denoised) / sigma;
  });
}

const mean = (one: Float32Array, other: Float32Array): Float32Array =>
  one.map((value, index) => 0.5 * fround(value + other[index]!));

const moved = (latents: Float32Array, slope: Float32Array, change: number): Float32Array =>
  latents.map((value, index) => value + fround(slope[index]! * change));
