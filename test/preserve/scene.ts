/** Pictures with detail for the tests of src/preserve, and what a network would make of them. */
import { resampled, tapsOf } from "../../src/preserve/resample.ts";
import { IN_PLACE, type Placement } from "../../src/preserve/placement.ts";
import type { Picture } from "../../src/images/picture.ts";

/** Numbers from 0 to 1, the same for a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A gradient with discs of many sizes and colours, and a fine texture. */
export function scene(width: number, height: number, seed = 1): Picture {
  const random = randomOf(seed);
  const discs = Array.from({ length: 40 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: (0.02 + 0.06 * random()) * width,
    colour: [random(), random(), random()].map((value) => 30 + 190 * value),
  }));
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 3) {
      const disc = discs.find((one) => (x - one.x) ** 2 + (y - one.y) ** 2 < one.radius ** 2);
      const texture = 8 * Math.sin(x * 1.3) * Math.sin(y * 1.1);
      for (let c = 0; c < 3; c++) {
        const base = disc ? disc.colour[c]! : 60 + 100 * (c === 1 ? x / width : y / height);
        data[i + c] = base + texture;
      }
    }
  }
  return { width, height, data };
}

/** A copy with each pixel's colours changed. */
export function changed(
  picture: Picture,
  change: (colour: [number, number, number], x: number, y: number) => readonly number[],
): Picture {
  const data = new Uint8Array(picture.data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [x, y] = [(i / 3) % picture.width, Math.floor(i / 3 / picture.width)];
    const [red, green, blue] = picture.data.subarray(i, i + 3);
    change([red!, green!, blue!], x, y).forEach(
      (value, c) => (data[i + c] = Math.min(Math.max(value, 0), 255)),
    );
  }
  return { ...picture, data };
}

/** The picture reduced, moved and with noise: what a network makes of it. */
export function rawOf(
  truth: Picture,
  width: number,
  height: number,
  {
    placement = IN_PLACE,
    noise = 2,
    seed = 2,
  }: { placement?: Placement; noise?: number; seed?: number } = {},
): Picture {
  const { scaleX, scaleY, shiftX, shiftY } = placement;
  const [x, y] = [truth.width / width, truth.height / height];
  const random = randomOf(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const pixels = resampled(
    truth,
    tapsOf(truth.width, width, x / scaleX, (-shiftX / scaleX) * x),
    tapsOf(truth.height, height, y / scaleY, (-shiftY / scaleY) * y),
  );
  const data = Uint8Array.from(pixels, (value) =>
    Math.min(Math.max(Math.round(value + noise * normal()), 0), 255),
  );
  return { width, height, data };
}

/** Decibels. */
export function psnr(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return 10 * Math.log10((255 ** 2 * a.length) / Math.max(sum, 1e-9));
}
