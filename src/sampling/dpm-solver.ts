/**
 * DPM-Solver++ of second order with steps that remember the one before, "2M" (Lu et al., arXiv 2211.01095), in the flow's form:
 * `DPMSolverMultistepScheduler.step` with `prediction_type` "flow_prediction" and `use_flow_sigmas` (diffusers 0.42.1), rounded
 * to float32 where PyTorch rounds.
 */
import type { Sampler } from "./sampler.ts";
import type { SamplerState, StateMemory } from "./state.ts";

const { fround } = Math;

/** In a state: the image that the velocity of the step before led to, [L * C]. */
const DENOISED = "dpmpp.denoised";

/**
 * One velocity per step. The first step and the last are of first order, which for a flow is Euler's; so is the second after
 * pure noise, whose level is infinitely far. Draws no new noise.
 */
export const dpmSolverSampler: Sampler = async function* (
  velocity,
  start,
  { sigmas, afterStep = (latents) => latents, from },
) {
  let latents = start;
  let before = rememberedBy(from, start.length);
  for (let index = from?.step ?? 0; index < sigmas.length - 1; index += 1) {
    const [sigma, next] = [sigmas[index]!, sigmas[index + 1]!];
    const isLast = index === sigmas.length - 2;
    const current = latents;
    const direction = await velocity({ latents: current, sigma });
    const denoised = current.map((value, at) => value - fround(sigma * direction[at]!));
    const share = before && !isLast ? shareOfChange(sigmas[index - 1]!, sigma, next) : 0;
    const reached =
      sigma === 0
        ? moved(current, direction, next)
        : stepped(current, { denoised, before: share === 0 ? undefined : before }, { sigma, next, share });
    latents = afterStep(reached, { sigma: next, isLast });
    before = denoised;
    const memory = { [DENOISED]: { data: denoised, shape: [denoised.length] } };
    const last = sigmas.at(-1)!;
    const estimate = (): Float32Array =>
      afterStep(last === 0 ? denoised : moved(current, direction, last - sigma), {
        sigma: last,
        isLast: true,
      });
    yield { index, latents, memory, estimate };
  }
  return latents;
};

/** Half the logarithm of the signal-to-noise ratio, from which the solver measures its steps; infinite at both ends. */
const lambda = (sigma: number): number =>
  fround(fround(Math.log(fround(1 - sigma))) - fround(Math.log(sigma)));

/**
 * How much of the change since the step before is assumed to go on: the step's length in lambda over that of the one before.
 * 0 where that is no number, as of levels that repeat.
 */
function shareOfChange(previous: number, sigma: number, next: number): number {
  const length = fround(lambda(next) - lambda(sigma));
  const lengthBefore = fround(lambda(sigma) - lambda(previous));
  const share = fround(1 / fround(lengthBefore / length));
  return Number.isFinite(share) ? share : 0;
}

function stepped(
  latents: Float32Array,
  { denoised, before }: { denoised: Float32Array; before: Float32Array | undefined },
  { sigma, next, share }: { sigma: number; next: number; share: number },
): Float32Array {
  if (next === sigma) return latents;
  const ratio = fround(next / sigma);
  const length = fround(lambda(next) - lambda(sigma));
  const weight = fround(fround(1 - next) * fround(fround(Math.exp(-length)) - 1));
  const half = fround(0.5 * weight);
  return latents.map((value, at) => {
    const image = denoised[at]!;
    const first = fround(fround(ratio * value) - fround(weight * image));
    if (before === undefined) return first;
    return first - fround(half * fround(share * fround(image - before[at]!)));
  });
}

const moved = (latents: Float32Array, direction: Float32Array, change: number): Float32Array =>
  latents.map((value, at) => value + fround(fround(change) * direction[at]!));

/** What another build remembered, or nothing, does not count: that step is of first order. */
function rememberedBy(
  from: Pick<SamplerState, "step" | "memory"> | undefined,
  count: number,
): Float32Array | undefined {
  const memory: StateMemory = from?.memory ?? {};
  const kept = memory[DENOISED]?.data;
  return kept instanceof Float32Array && kept.length === count ? kept : undefined;
}
