/** mu, the exponent of the time shift, as diffusers' FLUX.2 pipelines have it (0.42.1, `compute_empirical_mu`). */

/** mu of 10 and of 200 steps, linear in the target's tokens; the reference's own numbers. */
const OF_10_STEPS = { slope: 8.73809524e-5, offset: 1.89833333 };
const OF_200_STEPS = { slope: 0.00016927, offset: 0.45666666 };
/** Above this many tokens, the number of steps no longer counts. */
const MAX_TOKENS_BY_STEPS = 4300;

/** @param numTokens tokens of the target, without references */
export function empiricalShift(numTokens: number, numSteps: number): number {
  const of = ({ slope, offset }: typeof OF_10_STEPS): number => slope * numTokens + offset;
  const of200 = of(OF_200_STEPS);
  if (numTokens > MAX_TOKENS_BY_STEPS) return of200;
  const perStep = (of200 - of(OF_10_STEPS)) / 190;
  return perStep * numSteps + (of200 - 200 * perStep);
}
