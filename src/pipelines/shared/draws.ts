/** The images of one edit: each is drawn from its own noise, all with the same velocity, some of them side by side. */
import { throwIfAborted } from "../../engine/abort.ts";
import type { Draw, EditStep } from "../../engine/model.ts";
import type { WorkingSize } from "../../engine/sizes.ts";
import type { Velocity } from "../../sampling/sampler.ts";
import { sha256 } from "../../sha256.ts";
import { ALONE, BatchNoise } from "../../sampling/noise.ts";
import { tallyOf } from "../../sampling/reuse.ts";
import type { DrawState } from "../../sampling/draw-state.ts";
import type { SamplerState } from "../../sampling/state.ts";
import { denoise, type Denoising } from "./denoise.ts";
import { blendedWith, inpaintingStart, type InpaintingLatents } from "./inpaint.ts";
import type { LatentSpace } from "./latent-space.ts";
import type { LatentImage } from "./result.ts";
import { sideBySide } from "./side-by-side.ts";

/** What every image of an edit inside a mask begins with and keeps outside; each has its own noise. */
export interface DrawnInside extends Omit<InpaintingLatents, "noise"> {
  /** Steps that are left out at the beginning. */
  skipped: number;
  /** Whether the reference draws noise once more for nothing. @default false */
  isSpareDrawn?: boolean | undefined;
}

type OfEach = "velocity" | "start" | "noise" | "skipped" | "afterStep" | "from";

/** An image while it is drawn. */
export interface Begun {
  velocity: Velocity;
  /** Called when it is drawn, or is not wanted any more. */
  end: () => void;
}

export interface Drawing extends Omit<Denoising, OfEach> {
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
  /** Called before each image is drawn. */
  begin: () => Begun;
  /** Called at the end: velocities that are still waited for are refused. */
  close?: (() => void) | undefined;
  /** How many images are drawn at a time. @default 1 */
  atOnce?: number | undefined;
}

/**
 * Denoises the images, some at a time; yields after every step of each and returns the last latents of each.
 * @throws RetouchError ABORTED within one step of `signal`
 */
export async function* denoiseDraws(
  space: LatentSpace,
  target: WorkingSize,
  drawing: Drawing,
): AsyncGenerator<EditStep, LatentImage[]> {
  const { draws, shape, from: interrupted, atOnce = 1, close = () => {} } = drawing;
  const finished = interrupted?.finished ?? [];
  const before = finished.map(({ latents, reuse }, image): LatentImage => ({
    latents: { data: latents, shape },
    reuse,
    noise: firstOf(draws[image]!, drawing).digest,
  }));
  const progress = new DrawProgress(interrupted, draws.length);
  const all = draws
    .slice(finished.length)
    .map((draw, index) => () => drawImage(space, target, draw, interrupted?.states[index], drawing));
  const images = sideBySide(all, { atOnce, abandon: close });
  try {
    let next = await images.next();
    while (!next.done) {
      const { index, step } = next.value;
      const image = finished.length + index;
      yield draws.length === 1
        ? step
        : { ...step, image, numImages: draws.length, drawn: progress.took(image, step) };
      // The other images have steps to tell of, too.
      throwIfAborted(drawing.signal);
      next = await images.next();
    }
    return [...before, ...next.value];
  } finally {
    await images.return([]);
    close();
  }
}

async function* drawImage(
  space: LatentSpace,
  target: WorkingSize,
  draw: Draw,
  from: SamplerState | undefined,
  drawing: Drawing,
): AsyncGenerator<EditStep, LatentImage> {
  const { shape, isStochastic, inside, begin, ...common } = drawing;
  const { skipped = 0, isSpareDrawn = false } = inside ?? {};
  const { noise, first, digest } = firstOf(draw, drawing);
  const own = inside && { ...inside, noise: first };
  const start = own && !draw.latents ? inpaintingStart(own, common.sigmas, skipped) : first;
  if (isSpareDrawn) noise.skipOne();
  if (isStochastic) noise.skip((from?.step ?? skipped) - skipped);
  const newNoise = isStochastic ? () => noise.next() : undefined;
  const afterStep = own && blendedWith(own);
  const begun = begin();
  try {
    const steps = denoise(space, target, {
      ...common,
      velocity: begun.velocity,
      from,
      start,
      noise: newNoise,
      skipped,
      afterStep,
    });
    let next = await steps.next();
    // Where all of its steps were taken before, none tells.
    let reuse = from && common.reuse && tallyOf(from.memory);
    while (!next.done) {
      ({ reuse } = next.value);
      yield next.value;
      next = await steps.next();
    }
    return { latents: { data: next.value, shape }, reuse, noise: digest };
  } finally {
    begun.end();
  }
}

/** What an image begins with: packed latents, and their SHA-256 in hex. */
function firstOf({ seed, place = ALONE, latents }: Draw, { shape, pack }: Pick<Drawing, "shape" | "pack">) {
  const noise = new BatchNoise(seed, shape[0] * shape[1], place);
  const first = latents?.data ?? pack(noise.next());
  return { noise, first, digest: sha256(new Uint8Array(first.buffer, first.byteOffset, first.byteLength)) };
}

/** Where the images of an edit stand. */
class DrawProgress {
  readonly #finished: readonly FinishedImage[];
  readonly #latest: (Pick<EditStep, "step" | "of" | "reuse" | "state"> | undefined)[];

  constructor(from: DrawState | undefined, numImages: number) {
    this.#finished = from?.finished ?? [];
    this.#latest = Array.from({ length: numImages }, (_, image) => {
      const state = from?.states[image - this.#finished.length];
      return state && { step: state.step, of: Infinity, state };
    });
  }

  took(image: number, step: EditStep): DrawState {
    this.#latest[image] = step;
    const finished = [...this.#finished];
    const states: SamplerState[] = [];
    for (const latest of this.#latest.slice(finished.length)) {
      // Of images that are not begun in their order, the first ones count.
      if (latest?.state === undefined) break;
      const { state, reuse } = latest;
      if (states.length === 0 && latest !== step && latest.step === latest.of) {
        finished.push({ latents: state.latents, reuse });
      } else states.push(state);
    }
    return { finished, states };
  }
}

type FinishedImage = DrawState["finished"][number];
