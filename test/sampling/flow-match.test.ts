/** Steps with new noise and to the other side, from PyTorch's numbers; and the spacing by a beta distribution. */
import { beforeAll, describe, expect, it } from "vitest";
import { betaQuantile } from "../../src/sampling/beta-quantile.ts";
import { eulerSampler } from "../../src/sampling/euler.ts";
import { BatchNoise } from "../../src/sampling/noise.ts";
import type { SamplerState } from "../../src/sampling/state.ts";
import { NormalStream, randomNormal } from "../../src/sampling/random.ts";
import { difference } from "../support/compare.ts";
import { type FixtureTensor, readTensors } from "../support/fixtures.ts";

const COUNT = 5 * 4;
const SEED = 17;

let fixture: Map<string, FixtureTensor>;
beforeAll(async () => (fixture = await readTensors("scheduler-steps.safetensors")));
const floats = (name: string): Float32Array => fixture.get(name)!.data as Float32Array;

const { fround } = Math;
const velocity = async ({ latents, sigma }: { latents: Float32Array; sigma: number }) =>
  latents.map((value) => fround(value * 0.5) - sigma);

async function run(name: string, index: number, from?: SamplerState): Promise<SamplerState[]> {
  const noise = new BatchNoise(SEED, COUNT, { index, of: 2 });
  const start = noise.next();
  noise.skip(from?.step ?? 0);
  const steps = eulerSampler(velocity, from?.latents ?? start, {
    sigmas: floats(`${name}.sigmas`),
    from,
    noise: name.startsWith("stochastic") ? () => noise.next() : undefined,
  });
  const states: SamplerState[] = [];
  for await (const { index: step, latents } of steps) states.push({ step: step + 1, latents, memory: {} });
  return states;
}

describe.each(["euler", "inverted", "stochastic", "stochastic-inverted"])("the %s steps", (name) => {
  it.each([0, 1])("of image %i in a draw of two are the reference's", async (index) => {
    const ofImage = (step: number) =>
      floats(`${name}.latents.${step}`).subarray(index * COUNT, (index + 1) * COUNT);
    expect(difference(new BatchNoise(SEED, COUNT, { index, of: 2 }).next(), ofImage(0)).largest).toBeLessThan(
      1e-6,
    );
    const states = await run(name, index);
    expect(states).toHaveLength(4);
    for (const { step, latents } of states) {
      expect(difference(latents, ofImage(step)).largest, `step ${step}`).toBeLessThan(2e-6);
    }
  });

  it("go on from any state with the noise that is due", async () => {
    const whole = await run(name, 1);
    for (const from of whole) expect(await run(name, 1, from)).toEqual(whole.slice(from.step));
  });
});

describe("draws one after the other", () => {
  it("are one sequence, also where few numbers leave one of a pair behind", () => {
    const stream = new NormalStream(3);
    const pieces = [3, 1, 5].map((count) => stream.draw(count));
    expect(pieces.flatMap((piece) => Array.from(piece))).toEqual(Array.from(randomNormal(9, 3)));
  });
});

describe("the quantiles of a beta distribution", () => {
  // scipy 1.17.1, scipy.stats.beta.ppf(p, 0.6, 0.6)
  it.each([
    [0, 0],
    [1e-6, 1.8558824624053043e-10],
    [0.02, 0.002732982024577027],
    [0.25, 0.17568037865269498],
    [0.5, 0.5],
    [0.7, 0.7659829961247643],
    [0.999, 0.9999814412614826],
    [1, 1],
  ])("at %d are scipy's", (probability, expected) => {
    expect(Math.abs(betaQuantile(probability, 0.6) - expected)).toBeLessThanOrEqual(1e-14 * (expected || 1));
  });
});
