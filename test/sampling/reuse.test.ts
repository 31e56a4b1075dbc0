/** Steps that go on along earlier velocities: which are computed, what the error is taken for, and going on from a state. */
import { describe, expect, it } from "vitest";
import { eulerSampler } from "../../src/sampling/euler.ts";
import { randomNormal } from "../../src/sampling/random.ts";
import { type ReuseBudget, reusingSampler } from "../../src/sampling/reuse.ts";
import type { ReuseTally, Sampler, Velocity } from "../../src/sampling/sampler.ts";
import type { SamplerState } from "../../src/sampling/state.ts";

const COUNT = 32;
const sigmas = Float32Array.from({ length: 13 }, (_, index) => 1 - index / 12);
const start = randomNormal(COUNT, 3);
const plain = [{ downTo: 0, gain: 1 }];
const generous: ReuseBudget = { total: Infinity, perGap: Infinity, gains: plain };

/** A velocity that follows from the noise level alone. */
const alone =
  (of: (sigma: number) => number): Velocity =>
  async ({ latents, sigma }) =>
    latents.map(() => of(sigma));

async function run(
  sampler: Sampler,
  velocity: Velocity,
  { levels = sigmas, from }: { levels?: Float32Array; from?: SamplerState } = {},
): Promise<{
  latents: Float32Array;
  states: SamplerState[];
  computed: number[];
  tally: ReuseTally | undefined;
}> {
  const computed: number[] = [];
  const asked: Velocity = async (question) => {
    computed.push(levels.indexOf(question.sigma));
    return velocity(question);
  };
  const steps = sampler(asked, from?.latents ?? start, { sigmas: levels, from });
  const states: SamplerState[] = [];
  let tally: ReuseTally | undefined;
  let next = await steps.next();
  for (; !next.done; next = await steps.next()) {
    const { index, latents, memory = {}, reuse } = next.value;
    tally = reuse;
    states.push({ step: index + 1, latents, memory });
  }
  return { latents: next.value, states, computed, tally };
}

const largest = (one: Float32Array, other: Float32Array): number =>
  Math.max(...one.map((value, index) => Math.abs(value - other[index]!)));

describe("a budget of nothing", () => {
  it("computes every step, and gives Euler's own latents to the bit", async () => {
    const velocity: Velocity = async ({ latents, sigma }) => latents.map((value) => Math.sin(value) + sigma);
    const euler = await run(eulerSampler, velocity);
    const made = await run(reusingSampler({ total: 0, perGap: 0, gains: plain }), velocity);
    expect(made.latents).toEqual(euler.latents);
    expect(made.tally).toEqual({ computedSteps: 12, reusedSteps: 0, error: 0 });
  });
});

describe("velocities on a line", () => {
  it("need the first three steps and the last one, and nothing is lost", async () => {
    const velocity = alone((sigma) => 2 - 3 * sigma);
    const made = await run(reusingSampler({ total: 1e-4, perGap: 1e-4, gains: plain }), velocity);
    expect(made.computed).toEqual([0, 1, 2, 11]);
    expect(made.tally).toMatchObject({ computedSteps: 4, reusedSteps: 8 });
    expect(largest(made.latents, (await run(eulerSampler, velocity)).latents)).toBeLessThan(1e-5);
  });
});

describe("velocities on a parabola", () => {
  const velocity = alone((sigma) => 5 * sigma * sigma);

  it("are made up for at the next computed step", async () => {
    const made = await run(reusingSampler(generous), velocity);
    expect(made.computed).toEqual([0, 1, 2, 11]);
    expect(largest(made.latents, (await run(eulerSampler, velocity)).latents)).toBeLessThan(1e-5);
  });

  it("have the error that the straight line makes", async () => {
    const made = await run(reusingSampler(generous), velocity);
    // The second divided difference of 5 s^2 is 5; of each reused step its distances to the two points, and its length.
    const expected = [3, 4, 5, 6, 7, 8, 9, 10].reduce((sum, index) => {
      const [s, length] = [1 - index / 12, 1 / 12];
      return sum + 5 * (11 / 12 - s) * (10 / 12 - s) * length;
    }, 0);
    expect(made.tally!.error).toBeCloseTo(expected, 5);
  });

  it("are reused as far as the budget of a gap goes", async () => {
    const oneStep = 5 * (2 / 12) * (1 / 12) * (1 / 12);
    const just = (share: number) => reusingSampler({ total: 1, perGap: oneStep * share, gains: plain });
    expect((await run(just(1.01), velocity)).computed).toEqual([0, 1, 2, 4, 5, 7, 8, 10, 11]);
    expect((await run(just(0.99), velocity)).computed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("are computed once the whole budget is used", async () => {
    const oneStep = 5 * (2 / 12) * (1 / 12) * (1 / 12);
    const made = await run(
      reusingSampler({ total: oneStep * 1.5, perGap: oneStep * 1.01, gains: plain }),
      velocity,
    );
    expect(made.computed).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(made.tally!.error).toBeLessThanOrEqual(oneStep * 1.5);
  });

  it("are weighed by the gain of their noise level", async () => {
    const gains = [
      { downTo: 0.45, gain: Infinity },
      { downTo: 0, gain: 2 },
    ];
    const made = await run(reusingSampler({ total: Infinity, perGap: 1, gains }), velocity);
    // The levels of steps 0 to 6 are 1 to 0.5.
    expect(made.computed).toEqual([0, 1, 2, 3, 4, 5, 6, 11]);
    const unweighed = await run(
      reusingSampler({ total: Infinity, perGap: 1, gains: [gains[0]!, { downTo: 0, gain: 1 }] }),
      velocity,
    );
    expect(made.tally!.error).toBeCloseTo(2 * unweighed.tally!.error, 6);
  });
});

it("computes steps between equal noise levels", async () => {
  const levels = Float32Array.of(1, 0.8, 0.8, 0.8, 0.5, 0.5, 0.2, 0.1, 0);
  const made = await run(
    reusingSampler({ total: 1, perGap: 1, gains: plain }),
    alone((s) => s),
    { levels },
  );
  expect(made.latents.every(Number.isFinite)).toBe(true);
});

it.each([1, 2, 3, 4])("computes all of %i steps", async (numSteps) => {
  const levels = Float32Array.from({ length: numSteps + 1 }, (_, index) => 1 - index / numSteps);
  const made = await run(
    reusingSampler(generous),
    alone((s) => s),
    { levels },
  );
  expect(made.computed).toHaveLength(numSteps);
});

describe("an interrupted run", () => {
  const velocity: Velocity = async ({ latents, sigma }) =>
    latents.map((value, at) => Math.sin(value * 2 + at) + sigma);
  const sampler = reusingSampler({ total: 0.05, perGap: 0.004, gains: plain });

  it("goes on from the state after any step to the bit, and computes what the undisturbed one computes", async () => {
    const whole = await run(sampler, velocity);
    expect(whole.tally!.reusedSteps).toBeGreaterThan(1);
    for (const from of whole.states) {
      const rest = await run(sampler, velocity, { from });
      expect(rest.latents).toEqual(whole.latents);
      expect(rest.computed).toEqual(whole.computed.filter((index) => index >= from.step));
      if (from.step < 12) expect(rest.tally).toEqual(whole.tally);
    }
  });

  it("computes anew where nothing is remembered", async () => {
    const whole = await run(sampler, velocity);
    const rest = await run(sampler, velocity, { from: { ...whole.states[5]!, memory: {} } });
    expect(rest.computed.slice(0, 3)).toEqual([6, 7, 8]);
  });
});
