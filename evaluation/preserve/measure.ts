/** How near a composed result comes to the truth. */
import type { Picture } from "../../src/images/picture.ts";
import { resizePicture } from "../../src/images/resize.ts";
import { compose } from "../../src/preserve/compose.ts";
import type { Placement } from "../../src/preserve/placement.ts";
import { resampled, tapsOf } from "../../src/preserve/resample.ts";
import { simulate } from "../../tools/simulate.ts";

export interface Measured {
  /** Decibels from the truth: of plain enlargement, of it with the simulated shift and scale undone, and with what stays. */
  plain: number;
  undone: number;
  preserved: number;
  /** How far the placement that was found is from the simulated one, in working pixels, where that is most. */
  misplaced: number;
  /** Pixels that the edit leaves alone, and how many of them are exact. */
  unedited: number;
  exact: number;
  /** Mean step, in 8-bit levels, beyond the truth's own, across the outlines of what was copied; undefined without any. */
  seam: number | undefined;
  shares: { kept: number; carried: number; drawn: number };
}

export async function measure(source: Picture, truth: Picture, id: string): Promise<Measured> {
  const { raw, placement } = simulate(truth, id);
  const plain = await resizePicture(raw, truth.width, truth.height);
  const {
    picture,
    kept,
    placement: found,
  } = await compose({
    source: { ...source, channels: 3 },
    reduced: await resizePicture(source, raw.width, raw.height),
    raw,
    mode: "auto",
  });
  const data = picture.data as Uint8Array;
  let [unedited, exact] = [0, 0];
  let [steps, outline] = [0, 0];
  for (let i = 0; i < data.length; i += 3) {
    const isCopy = isSame(data, source.data, i);
    if (isSame(truth.data, source.data, i)) {
      unedited += 1;
      if (isCopy) exact += 1;
    }
    if (i % (3 * truth.width) === 0 || isCopy === isSame(data, source.data, i - 3)) continue;
    outline += 1;
    for (let c = i; c < i + 3; c++) {
      const step = Math.abs(data[c]! - data[c - 3]!) - Math.abs(truth.data[c]! - truth.data[c - 3]!);
      steps += Math.max(step, 0) / 3;
    }
  }
  return {
    plain: decibels(plain.data, truth.data),
    undone: decibels(enlargedInPlace(raw, placement, truth), truth.data),
    preserved: decibels(data, truth.data),
    misplaced: distanceOf(placement, found, raw),
    unedited,
    exact,
    seam: outline === 0 ? undefined : steps / outline,
    shares: kept.shares,
  };
}

/** The network's pixels enlarged to where the source is, as if that were known. */
function enlargedInPlace(
  raw: Picture,
  { scaleX, scaleY, shiftX, shiftY }: Placement,
  { width, height }: Picture,
): Uint8Array {
  const pixels = resampled(
    raw,
    tapsOf(raw.width, width, (raw.width / width) * scaleX, shiftX),
    tapsOf(raw.height, height, (raw.height / height) * scaleY, shiftY),
  );
  return Uint8Array.from(pixels, (value) => Math.min(Math.max(Math.round(value), 0), 255));
}

/** The largest distance between where two placements put a pixel. */
function distanceOf(a: Placement, b: Placement, { width, height }: Picture): number {
  const across = [0, width].map((x) => Math.abs(x * (a.scaleX - b.scaleX) + a.shiftX - b.shiftX));
  const down = [0, height].map((y) => Math.abs(y * (a.scaleY - b.scaleY) + a.shiftY - b.shiftY));
  return Math.max(...across, ...down);
}

/** Whether two pictures have the same pixel at an index of their data. */
export const isSame = (a: Uint8Array, b: Uint8Array, i: number): boolean =>
  a[i] === b[i] && a[i + 1] === b[i + 1] && a[i + 2] === b[i + 2];

export function decibels(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  // Where nothing differs, a thousandth of a level counts.
  return 10 * Math.log10(255 ** 2 / Math.max(sum / a.length, 1e-3));
}
