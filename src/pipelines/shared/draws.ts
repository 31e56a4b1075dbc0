/** The images of one edit: each is drawn from its own noise, all with the same velocity. */
import type { Draw, EditStep } from "../../engine/model.ts";
import type { WorkingSize } from "../../engine/sizes.ts";
import { sha256 } from "../../sha256.ts";
import { ALONE, BatchNoise } from "../../sampling/noise.ts";
import { tallyOf } from "../../sampling/reuse.ts";
import type { DrawState } from "../../sampling/draw-state.ts";
import { denoise, type Denoising } from "./denoise.ts";
import { blendedWith, inpaintingStart, type InpaintingLatents } from "./inpaint.ts";
import type { LatentSpace } from "./latent-space.ts";
import type { LatentImage } from "./result.ts";

/** What every image of an edit inside a mask begins with and keeps outside; each has its own noise. */
export interface DrawnInside extends Omit<InpaintingLatents, "noise"> {
  /** Steps that are left out at the beginning. */
  skipped: number;
  /** Whether the reference draws noise once more for nothing. @default false */
  isSpareDrawn?: boolean | undefined;
}

export interface Drawing extends Omit<Denoising, "start" | "noise" | "skipped" | "afterStep" | "from"> {
  draws: readonly Draw[];
  /** Where an interrupted run stood: its finished images are not drawn again. */
  from: DrawState | undefined;
  /** Of an image's packed latents, [L, C]. */
  shape: readonly [number, number];
  /** Packs noise that was drawn as planes. */
  pack: (noise: Float32Array) => Float32Array;
  /** Whether every step draws new noise. */
  isStochastic: boolean;
  /** Absent if there is no mask. */
  inside?: DrawnInside | undefined;
}

/**
 * Denoises one image after the other; yields after every step and returns the last latents of each.
 * @throws RetouchError ABORTED within one step of `signal`
 */
export async function* denoiseDraws(
  space: LatentSpace,
  target: WorkingSize,
  { draws, shape, pack, isStochastic, inside, from: interrupted, ...common }: Drawing,
): AsyncGenerator<EditStep, LatentImage[]> {
  const finished = interrupted?.finished ?? [];
  const drawn = finished.map(({ latents, reuse }): LatentImage => ({
    latents: { data: latents, shape },
    reuse,
  }));
  const { skipped = 0, isSpareDrawn = false } = inside ?? {};
  for (const [image, { seed, place = ALONE, latents }] of draws.entries()) {
    if (image < finished.length) continue;
    const from = image === finished.length ? interrupted?.state : undefined;
    const noise = new BatchNoise(seed, shape[0] * shape[1], place);
    const first = latents?.data ?? pack(noise.next());
    const digest = sha256(new Uint8Array(first.buffer, first.byteOffset, first.byteLength));
    const own = inside && { ...inside, noise: first };
    const start = own && !latents ? inpaintingStart(own, common.sigmas, skipped) : first;
    if (isSpareDrawn) noise.skipOne();
    if (isStochastic) noise.skip((from?.step ?? skipped) - skipped);
    const newNoise = isStochastic ? () => noise.next() : undefined;
    const afterStep = own && blendedWith(own);
    const steps = denoise(space, target, { ...common, from, start, noise: newNoise, skipped, afterStep });
    let next = await steps.next();
    // Where all of its steps were taken before, none tells.
    let reuse = from && common.reuse && tallyOf(from.memory);
    while (!next.done) {
      ({ reuse } = next.value);
      yield draws.length === 1 ? next.value : { ...next.value, ...placeOf(image, drawn, draws.length) };
      next = await steps.next();
    }
    drawn.push({ latents: { data: next.value, shape }, reuse, noise: digest });
  }
  return drawn;
}

const placeOf = (
  image: number,
  drawn: readonly LatentImage[],
  numImages: number,
): Pick<EditStep, "image" | "numImages" | "finished"> => ({
  image,
  numImages,
  finished: drawn.map(({ latents, reuse }) => ({ latents: latents.data, reuse })),
});
