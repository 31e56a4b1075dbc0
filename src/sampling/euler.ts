/** Euler's method, as `FlowMatchEulerDiscreteScheduler.step` takes it (diffusers 0.42.1). */
import type { Sampler } from "./sampler.ts";

/** One velocity per step, followed from a noise level straight down to the next. */
export const eulerSampler: Sampler = async function* (velocity, start, { sigmas, afterStep, from }) {
  let latents = start;
  for (let index = from?.step ?? 0; index < sigmas.length - 1; index += 1) {
    const [sigma, next] = [sigmas[index]!, sigmas[index + 1]!];
    const current = latents;
    const direction = await velocity({ latents: current, sigma });
    latents = moved(current, direction, next - sigma);
    if (afterStep) latents = afterStep(latents, next);
    yield { index, latents, estimate: () => moved(current, direction, -sigma) };
  }
  return latents;
};

/** latents + (change of sigma) * velocity, rounded as float32 arithmetic rounds it. */
function moved(latents: Float32Array, velocity: Float32Array, sigmaChange: number): Float32Array {
  const change = Math.fround(sigmaChange);
  return latents.map((value, index) => value + Math.fround(change * velocity[index]!));
}
