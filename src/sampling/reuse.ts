/**
 * Euler's method that computes the velocity at some of the steps only. Between two computed steps it goes on along the
 * straight line through the last two velocities; the next computed one shows how far that line was off, which bends the
 * way behind it into a parabola. What it moves the latents by then is the estimate of the error: it costs no run of the
 * network, and where it would exceed the budget, steps are computed.
 */
import { moved } from "./euler.ts";
import type { ReuseTally, Sampler } from "./sampler.ts";
import type { StateMemory } from "./state.ts";

/** How much error the reused steps may make in the finished image, in any unit. */
export interface ReuseBudget {
  /** Of all steps. */
  total: number;
  /** Of the steps between two computed ones. */
  perGap: number;
  /**
   * What an error of the packed latents of 1, root mean square, becomes in the finished image: errors made in much noise grow,
   * because they change what is drawn. Each holds down to its noise level; from high to low, the last one down to 0.
   * Infinity: no step is reused there.
   */
  gains: readonly Gain[];
}

/** How much an error in the latents grows in the result, from a noise level down. */
export interface Gain {
  downTo: number;
  gain: number;
}

/** A computed step. */
interface Point {
  index: number;
  /** [L, C]. */
  velocity: Float32Array;
}

/** Velocities that an estimate takes: two make the line, the third one tells how it bends. */
const MOST_POINTS = 3;

/** Steps that draw noise lead nowhere in a line: they take Euler's method itself. */
export const reusingSampler = (budget: ReuseBudget): Sampler =>
  async function* (velocity, start, { sigmas, afterStep = (latents) => latents, from }) {
    const first = from?.step ?? 0;
    const numSteps = sigmas.length - 1;
    const last = sigmas.at(-1)!;
    const recalled = recall(from?.memory, start.length);
    let { points } = recalled;
    let { computedSteps, reusedSteps, error } = recalled.tally;
    let latents = start;
    let computed = points.length === 0 ? first : nextComputed(points, error, sigmas, budget);
    for (let index = first; index < numSteps; index += 1) {
      const [sigma, next] = [sigmas[index]!, sigmas[index + 1]!];
      let current = latents;
      let direction: Float32Array;
      if (index < computed) {
        direction = extrapolated(points, sigmas, sigma);
        reusedSteps += 1;
      } else {
        direction = await velocity({ latents: current, sigma });
        points = [...points, { index, velocity: direction }].slice(-MOST_POINTS);
        computedSteps += 1;
        if (index - (points.at(-2)?.index ?? index) > 1) {
          const bend = bendOf(points, sigmas);
          const weight = weightOf(points, index, sigmas);
          current = current.map((value, place) => value + weight * bend[place]!);
          const made = rootMeanSquare(bend) * Math.abs(weightOf(points, index, sigmas, budget.gains));
          // As it is remembered, so that an interrupted run decides as an undisturbed one.
          error = Math.fround(error + made);
        }
        computed = nextComputed(points, error, sigmas, budget);
      }
      const [before, along] = [current, direction];
      latents = afterStep(moved(before, along, next - sigma), {
        sigma: next,
        isLast: index === numSteps - 1,
      });
      const estimate = (): Float32Array =>
        afterStep(moved(before, along, last - sigma), { sigma: last, isLast: true });
      const tally = { computedSteps, reusedSteps, error };
      yield { index, latents, memory: remembered(points, tally), reuse: tally, estimate };
    }
    return latents;
  };

/**
 * The step that is to be computed next: as late as the budget allows, and no later than the last one, whose velocity
 * corrects the steps before it.
 */
function nextComputed(
  points: readonly Point[],
  error: number,
  sigmas: Float32Array,
  { total, perGap, gains }: ReuseBudget,
): number {
  const now = points.at(-1)!.index;
  if (points.length < MOST_POINTS) return now + 1;
  const bend = rootMeanSquare(bendOf(points, sigmas));
  const allowed = Math.min(perGap, total - error);
  let next = now + 1;
  const errorUpTo = (end: number): number => Math.abs(bend * weightOf(points.slice(-2), end, sigmas, gains));
  // Between equal noise levels no error is a number, and none is at most what is allowed.
  while (next < sigmas.length - 2 && errorUpTo(next + 1) <= allowed) next += 1;
  return next;
}

/** The velocity at a noise level on the line through the last two points. */
function extrapolated(points: readonly Point[], sigmas: Float32Array, sigma: number): Float32Array {
  const [before, now] = points.slice(-2) as [Point, Point];
  const [from, to] = [sigmas[before.index]!, sigmas[now.index]!];
  const share = (sigma - to) / (to - from);
  return now.velocity.map((value, place) => value + share * (value - before.velocity[place]!));
}

/** The second divided difference of three points' velocities, [L, C]: half the second derivative. */
function bendOf(points: readonly Point[], sigmas: Float32Array): Float32Array {
  const [one, two, three] = points as [Point, Point, Point];
  const [a, b, c] = [sigmas[one.index]!, sigmas[two.index]!, sigmas[three.index]!];
  return three.velocity.map((value, place) => {
    const middle = two.velocity[place]!;
    return ((value - middle) / (c - b) - (middle - one.velocity[place]!) / (b - a)) / (c - a);
  });
}

/**
 * What a bend of 1 adds to the latents between the second of two points and the step `end`.
 * @param gains what that becomes in the finished image @default the latents themselves
 */
function weightOf(
  [one, two]: readonly Point[],
  end: number,
  sigmas: Float32Array,
  gains: readonly Gain[] = [],
): number {
  let weight = 0;
  for (let index = two!.index + 1; index < end; index += 1) {
    const sigma = sigmas[index]!;
    const product = (sigma - sigmas[one!.index]!) * (sigma - sigmas[two!.index]!);
    const { gain } = gains.find(({ downTo }) => sigma >= downTo) ?? { gain: 1 };
    weight += gain * product * (sigmas[index + 1]! - sigma);
  }
  return weight;
}

function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}

const VELOCITIES = "reuse.velocities";
const STEPS = "reuse.steps";
const COUNTS = "reuse.counts";
const ERROR = "reuse.error";

function remembered(
  points: readonly Point[],
  { computedSteps, reusedSteps, error }: ReuseTally,
): StateMemory {
  const count = points[0]!.velocity.length;
  const velocities = new Float32Array(points.length * count);
  points.forEach(({ velocity }, row) => velocities.set(velocity, row * count));
  return {
    [VELOCITIES]: { data: velocities, shape: [points.length, count] },
    [STEPS]: { data: Int32Array.from(points, ({ index }) => index), shape: [points.length] },
    [COUNTS]: { data: Int32Array.of(computedSteps, reusedSteps), shape: [2] },
    [ERROR]: { data: Float32Array.of(error), shape: [1] },
  };
}

/** What an earlier run had reused, if it reused steps. */
export function tallyOf(memory: StateMemory): ReuseTally | undefined {
  if (!(COUNTS in memory)) return undefined;
  const [computedSteps = 0, reusedSteps = 0] = memory[COUNTS]!.data as Int32Array;
  const [error = 0] = (memory[ERROR]?.data ?? []) as Float32Array | [];
  return { computedSteps, reusedSteps, error };
}

/** What an earlier run left; without it, or from another build, the velocities are computed anew. */
function recall(memory: StateMemory = {}, count: number): { points: Point[]; tally: ReuseTally } {
  const [velocities, steps] = [memory[VELOCITIES]?.data, memory[STEPS]?.data];
  const tally = tallyOf(memory) ?? { computedSteps: 0, reusedSteps: 0, error: 0 };
  if (!(velocities instanceof Float32Array) || !(steps instanceof Int32Array)) return { points: [], tally };
  if (velocities.length !== steps.length * count) return { points: [], tally };
  const points = Array.from(steps, (index, row) => ({
    index,
    velocity: velocities.slice(row * count, (row + 1) * count),
  }));
  return { points, tally };
}
