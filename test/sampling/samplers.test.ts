/** Heun's method and DPM-Solver++ against the steps of diffusers' schedulers, and how often each asks for a velocity. */
import { beforeAll, describe, expect, it } from "vitest";
import type { AfterStep, Velocity } from "../../src/sampling/sampler.ts";
import { SAMPLERS, velocitiesOf } from "../../src/sampling/sampler-names.ts";
import { SAMPLER_OF } from "../../src/sampling/samplers.ts";
import { difference } from "../support/compare.ts";
import { type FixtureTensor, readTensors } from "../support/fixtures.ts";

const COUNT = 5 * 4;
const LEVELS = ["usual", "begun", "one", "two", "many", "uneven"];

let fixture: Map<string, FixtureTensor>;
beforeAll(async () => (fixture = await readTensors("sampler-steps.safetensors")));
const floats = (name: string): Float32Array => fixture.get(name)!.data as Float32Array;

const velocity: Velocity = async ({ latents, sigma }) =>
  latents.map((value) => Math.fround(value * 0.5) - sigma);

/** The latents and estimates after every step. */
async function run(sampler: keyof typeof SAMPLER_OF, sigmas: Float32Array, afterStep?: AfterStep) {
  const after: { latents: Float32Array; estimate: Float32Array }[] = [];
  const asked: number[] = [];
  const counted: Velocity = (question) => {
    asked.push(question.sigma);
    return velocity(question);
  };
  const start = floats("usual.start");
  for await (const { latents, estimate } of SAMPLER_OF[sampler](counted, start, { sigmas, afterStep })) {
    after.push({ latents, estimate: estimate() });
  }
  return { after, asked };
}

describe.each(["heun", "dpmpp_2m"] as const)("the steps of %s", (sampler) => {
  it.each(LEVELS)("are the scheduler's with %s levels", async (name) => {
    const { after } = await run(sampler, floats(`${name}.sigmas`));
    const expected = floats(`${name}.${sampler}`);
    expect(after).toHaveLength(expected.length / COUNT);
    for (const [step, { latents }] of after.entries()) {
      const { largest } = difference(latents, expected.subarray(step * COUNT, (step + 1) * COUNT));
      expect(largest, `step ${step + 1}`).toBeLessThan(5e-7);
    }
  });

  it("are more exact than as many of Euler's", async () => {
    // Of the equation of `velocity`, whose solution is known: x' = x/2 - s.
    const sigmas = Float32Array.from([1, 0.8, 0.6, 0.4, 0.2, 0]);
    const solution = floats("usual.start").map((value) => {
      // x = 2 s + 4 + c e^(s/2)
      const c = (value - 6) / Math.exp(0.5);
      return 4 + c;
    });
    const errorOf = async (name: typeof sampler | "euler"): Promise<number> =>
      difference((await run(name, sigmas)).after.at(-1)!.latents, solution).largest;
    expect(await errorOf(sampler)).toBeLessThan((await errorOf("euler")) / 2);
  });

  it("give way to what changes the latents after each of them, estimates included", async () => {
    const sigmas = floats("usual.sigmas");
    const afterStep: AfterStep = (latents, { sigma }) => latents.map(() => sigma);
    const { after } = await run(sampler, sigmas, afterStep);
    for (const [step, { latents, estimate }] of after.entries()) {
      expect(latents).toEqual(new Float32Array(COUNT).fill(sigmas[step + 1]!));
      expect(estimate).toEqual(new Float32Array(COUNT));
    }
  });

  it("stay numbers with levels that repeat, end early, or rise", async () => {
    for (const sigmas of [
      [1, 1, 0.5, 0],
      [1, 0.5, 0.5, 0.25, 0],
      [1, 0.5, 0, 0],
      [0.2, 0.6, 0.3, 0],
      [0, 0.5, 0.2, 0],
    ]) {
      for (const { latents, estimate } of (await run(sampler, Float32Array.from(sigmas))).after) {
        expect([...latents, ...estimate].every(Number.isFinite), String(sigmas)).toBe(true);
      }
    }
  });
});

describe("the velocities that steps ask for", () => {
  it.each(SAMPLERS)("are as many as is said, of %s", async (sampler) => {
    for (const name of LEVELS) {
      const sigmas = floats(`${name}.sigmas`);
      const { asked, after } = await run(sampler, sigmas);
      expect(asked).toHaveLength(velocitiesOf(sampler, after.length));
      // None at a level that the schedule has not: its modulation is computed already.
      expect(new Set(asked)).toEqual(new Set(sigmas.subarray(0, -1)));
    }
    expect(velocitiesOf(undefined, 7)).toBe(7);
    expect(velocitiesOf("heun", 0)).toBe(0);
  });
});
