/**
 * How noise levels are spread between the highest and the lowest: the three conversions of diffusers'
 * `FlowMatchEulerDiscreteScheduler` (diffusers 0.42.1), in float64 as numpy computes them.
 */
import { betaQuantile } from "./beta-quantile.ts";

export type SpacingName = "karras" | "exponential" | "beta";

/** From `max` down to `min`, `count` numbers. */
export type Spacing = (max: number, min: number, count: number) => number[];

/** numpy's `linspace`, rounded where numpy rounds: its last number is `end` itself. */
export function linspace(start: number, end: number, count: number): number[] {
  const step = (end - start) / Math.max(1, count - 1);
  return Array.from({ length: count }, (_, index) =>
    index > 0 && index === count - 1 ? end : index * step + start,
  );
}

/** Of Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models" (arXiv 2206.00364). */
const RHO = 7;
/** Both parameters of the distribution in "Beta Sampling is All You Need" (arXiv 2407.12173). */
const BETA = 0.6;

export const SPACINGS: Readonly<Record<SpacingName, Spacing>> = {
  karras(max, min, count) {
    const [top, bottom] = [max ** (1 / RHO), min ** (1 / RHO)];
    return linspace(0, 1, count).map((ramp) => (top + ramp * (bottom - top)) ** RHO);
  },
  exponential: (max, min, count) => linspace(Math.log(max), Math.log(min), count).map(Math.exp),
  beta: (max, min, count) =>
    linspace(0, 1, count).map((ramp) => min + betaQuantile(1 - ramp, BETA) * (max - min)),
};
