/** The images of one edit: each is drawn from its own noise, all with the same velocity. */
import type { Draw, EditStep } from "../../engine/model.ts";
import type { WorkingSize } from "../../engine/sizes.ts";
import { ALONE, BatchNoise } from "../../sampling/noise.ts";
import { denoise, type Denoising } from "./denoise.ts";
import type { LatentSpace } from "./latent-space.ts";
import type { LatentImage } from "./result.ts";

export interface Drawing extends Omit<Denoising, "start" | "noise"> {
  draws: readonly Draw[];
  /** Of an image's packed latents, [L, C]. */
  shape: readonly [number, number];
  /** Packs noise that was drawn as planes. */
  pack: (noise: Float32Array) => Float32Array;
  /** Whether every step draws new noise. */
  isStochastic: boolean;
}

/**
 * Denoises one image after the other; yields after every step and returns the last latents of each.
 * @param drawing with a state to go on from only if there is one image
 * @throws RetouchError ABORTED within one step of `signal`
 */
export async function* denoiseDraws(
  space: LatentSpace,
  target: WorkingSize,
  { draws, shape, pack, isStochastic, ...common }: Drawing,
): AsyncGenerator<EditStep, LatentImage[]> {
  const drawn: LatentImage[] = [];
  for (const [image, { seed, place = ALONE, latents }] of draws.entries()) {
    const noise = new BatchNoise(seed, shape[0] * shape[1], place);
    const start = latents?.data ?? pack(noise.next());
    if (isStochastic) noise.skip(common.from?.step ?? 0);
    const newNoise = isStochastic ? () => noise.next() : undefined;
    const steps = denoise(space, target, { ...common, start, noise: newNoise });
    let next = await steps.next();
    while (!next.done) {
      yield draws.length === 1 ? next.value : { ...next.value, image, numImages: draws.length };
      next = await steps.next();
    }
    drawn.push({ latents: { data: next.value, shape } });
  }
  return drawn;
}
