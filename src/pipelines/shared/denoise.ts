/** The loop of an edit: the sampler follows the velocity from noise to an image, and every step can be looked at. */
import { throwIfAborted } from "../../engine/abort.ts";
import type { EditStep } from "../../engine/model.ts";
import type { WorkingSize } from "../../engine/sizes.ts";
import { type ReuseBudget, reusingSampler } from "../../sampling/reuse.ts";
import type { SamplerName } from "../../sampling/sampler-names.ts";
import { SAMPLER_OF } from "../../sampling/samplers.ts";
import type { AfterStep, Velocity } from "../../sampling/sampler.ts";
import type { SamplerState } from "../../sampling/state.ts";
import type { LatentSpace } from "./latent-space.ts";
import { decode, sketch } from "./pictures.ts";

export interface Denoising {
  velocity: Velocity;
  /** Packed latents to begin with, unless there is a state to go on from. */
  start: Float32Array;
  sigmas: Float32Array;
  /** @default "euler" */
  sampler?: SamplerName | undefined;
  /** The state of an interrupted run. */
  from: SamplerState | undefined;
  /** Gives the new noise of a step, if steps draw any. */
  noise: (() => Float32Array) | undefined;
  /** How much error reused velocities may make; not where steps draw noise. @default none is reused */
  reuse?: ReuseBudget | undefined;
  /** Steps that are left out at the beginning. @default 0 */
  skipped?: number | undefined;
  /** Changes the latents after a step. @default nothing does */
  afterStep?: AfterStep | undefined;
  signal: AbortSignal | undefined;
  /** When the first step began, as `performance.now()` tells it. */
  started: number;
}

/** Yields after every step and returns the last latents. @throws RetouchError ABORTED within one step of `signal` */
export async function* denoise(
  space: LatentSpace,
  target: WorkingSize,
  {
    velocity,
    start,
    sigmas,
    sampler = "euler",
    from,
    noise,
    reuse,
    skipped = 0,
    afterStep,
    signal,
    started,
  }: Denoising,
): AsyncGenerator<EditStep, Float32Array> {
  const taken = reuse && !noise ? reusingSampler(reuse) : SAMPLER_OF[sampler];
  const steps = taken(velocity, from?.latents ?? start, {
    sigmas,
    from: from ?? { step: skipped, memory: {} },
    noise,
    afterStep,
  });
  throwIfAborted(signal);
  let next = await steps.next();
  while (!next.done) {
    const { index, latents, memory = {}, reuse: tally, estimate } = next.value;
    yield {
      step: index + 1,
      of: sigmas.length - 1,
      seconds: (performance.now() - started) / 1000,
      latents,
      state: { step: index + 1, latents, memory },
      reuse: tally,
      preview: () => decode(space, estimate(), target),
      sketch: () => sketch(space, estimate(), target),
    };
    throwIfAborted(signal);
    next = await steps.next();
  }
  return next.value;
}
