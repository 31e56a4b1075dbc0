/** Samplers go on from their states to the bit, with memory and without; the velocity may remember things, too. */
import { describe, expect, it } from "vitest";
import { dpmSolverSampler } from "../../src/sampling/dpm-solver.ts";
import { eulerSampler } from "../../src/sampling/euler.ts";
import { heunSampler } from "../../src/sampling/heun.ts";
import { randomNormal } from "../../src/sampling/random.ts";
import type { Sampler, SamplerStep, Velocity } from "../../src/sampling/sampler.ts";
import type { SamplerState, StateMemory } from "../../src/sampling/state.ts";

const COUNT = 64;
const sigmas = Float32Array.from([1, 0.93, 0.81, 0.6, 0.33, 0]);
const NUM_STEPS = sigmas.length - 1;

/** Adams and Bashforth's method of two steps: it needs the velocity of the step before. */
const twoStepSampler: Sampler = async function* (velocity, start, { sigmas: levels, from }) {
  let latents = start;
  let previous = from?.memory["previousVelocity"]?.data as Float32Array | undefined;
  for (let index = from?.step ?? 0; index < levels.length - 1; index += 1) {
    const [sigma, next] = [levels[index]!, levels[index + 1]!];
    const current = await velocity({ latents, sigma });
    const before = previous ?? current;
    latents = latents.map((value, at) => value + (next - sigma) * (1.5 * current[at]! - 0.5 * before[at]!));
    previous = current;
    const memory = { previousVelocity: { data: current, shape: [COUNT] } };
    const reached = latents;
    yield { index, latents, memory, estimate: () => reached };
  }
  return latents;
};

/** A cache that asks the network at every other step, and must know across an interruption what it was told. */
function cached(
  network: Velocity,
  from: StateMemory = {},
): { velocity: Velocity; memory: () => StateMemory } {
  let known = from["cache.velocity"]?.data as Float32Array | undefined;
  let asked = (from["cache.asked"]?.data as Int32Array | undefined)?.[0] ?? 0;
  return {
    async velocity(question) {
      if (asked % 2 === 0 || known === undefined) known = await network(question);
      asked += 1;
      return known;
    },
    memory: () => ({
      "cache.velocity": { data: known!, shape: [COUNT] },
      "cache.asked": { data: Int32Array.of(asked), shape: [1] },
    }),
  };
}

const network: Velocity = async ({ latents, sigma }) =>
  latents.map((value, at) => Math.sin(value * 3 + at) + sigma);

/** Runs to the end, as a recipe does. @returns the last latents, and the state after each step */
async function run(
  sampler: Sampler,
  { isCached = false, from }: { isCached?: boolean; from?: SamplerState } = {},
): Promise<{ latents: Float32Array; states: SamplerState[]; indices: number[] }> {
  const cache = isCached ? cached(network, from?.memory) : undefined;
  const start = from?.latents ?? randomNormal(COUNT, 7);
  const steps = sampler(cache?.velocity ?? network, start, { sigmas, from });
  const states: SamplerState[] = [];
  const indices: number[] = [];
  let next = await steps.next();
  for (; !next.done; next = await steps.next()) {
    const { index, latents, memory = {} }: SamplerStep = next.value;
    indices.push(index);
    states.push({ step: index + 1, latents, memory: { ...memory, ...cache?.memory() } });
  }
  return { latents: next.value, states, indices };
}

describe.each([
  ["Euler's method", eulerSampler, false],
  ["Heun's method", heunSampler, false],
  ["DPM-Solver++", dpmSolverSampler, false],
  ["a sampler with a memory", twoStepSampler, false],
  ["Euler's method around a cache", eulerSampler, true],
  ["DPM-Solver++ around a cache", dpmSolverSampler, true],
  ["a sampler with a memory around a cache", twoStepSampler, true],
])("%s", (_, sampler, isCached) => {
  it("goes on from the state after any step, and takes the steps after it only", async () => {
    const whole = await run(sampler, { isCached });
    expect(whole.indices).toEqual([0, 1, 2, 3, 4]);
    for (const from of whole.states) {
      const rest = await run(sampler, { isCached, from });
      expect(rest.latents).toEqual(whole.latents);
      expect(rest.indices).toEqual(whole.indices.slice(from.step));
      expect(rest.states).toEqual(whole.states.slice(from.step));
    }
    expect(whole.states).toHaveLength(NUM_STEPS);
  });
});

describe("a sampler with a memory", () => {
  it("does without what is missing, and then draws something else", async () => {
    const whole = await run(twoStepSampler);
    const forgetful = await run(twoStepSampler, { from: { ...whole.states[2]!, memory: {} } });
    expect(forgetful.latents).not.toEqual(whole.latents);
    expect(forgetful.indices).toEqual([3, 4]);
  });
});
