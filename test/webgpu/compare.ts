/** Edits on the software device beside the same on the CPU. */
import { afterAll, inject, type TestContext } from "vitest";
import { withoutSoftwareGpu } from "../../tools/software-gpu.ts";
import { psnr } from "../support/compare.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { type DeviceEdit, DeviceEdits, type Side } from "./device-edit.ts";

/** Decibels of every picture. At 60, one number in fifteen differs, by one of 255. */
export const WANTED_DB = 60;

export interface Compared {
  /** The worst of an edit's pictures. */
  decibels: number;
  /** How many there are. */
  count: number;
  /** Which one is the worst. */
  worst: string;
}

/** Skips the test where there is no software device. */
export function needDevice(context: TestContext): void {
  if (withoutSoftwareGpu !== undefined) context.skip(withoutSoftwareGpu);
}

let edits: DeviceEdits | undefined;
afterAll(() => edits?.close());

/**
 * The edit on the CPU with the same weights, and on WebGPU; prints a line with the result. Where weights have few bits, the
 * CPU multiplies in float32 as well: the numbers are then what the weights stand for, and nothing else is rounded.
 * @param side how it is done on WebGPU. @default as an engine does
 * @throws Error if the edit fails on either
 */
export async function compareSides(
  name: string,
  edit: DeviceEdit,
  side: Omit<Side, "device"> = {},
): Promise<Compared> {
  edits ??= new DeviceEdits(inject("deviceEdit"));
  const cacheFolder = await temporaryFolder();
  const expected = await edits.editOn(edit, { device: "cpu", accuracyLevel: 1, cacheFolder });
  const started = performance.now();
  const actual = await edits.editOn(edit, { device: "webgpu", cacheFolder, ...side });
  const seconds = (performance.now() - started) / 1000;
  const all = expected.map(({ name: picture, data }, index) => ({
    picture,
    decibels: psnr(actual[index]!.data, data),
  }));
  const { picture: worst, decibels } = all.reduce((low, each) =>
    each.decibels >= low.decibels ? low : each,
  );
  const of = all.length === 1 ? "" : `, the worst of ${all.length} pictures (${worst})`;
  console.log(`WebGPU, ${name}: ${decibels.toFixed(1)} dB${of}, ${seconds.toFixed(1)} s`);
  return { decibels, count: all.length, worst };
}
