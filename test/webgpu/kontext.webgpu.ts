/** Whole edits with FLUX.1 Kontext on WebGPU, beside the CPU's. */
import { describe, expect, it } from "vitest";
import { compareSides, needDevice, WANTED_DB } from "./compare.ts";
import { KONTEXT_EDITS } from "./edits.ts";

/** The one before which the device is tried. `device-check.webgpu.ts` tries it with the shipped checkpoint, too. */
const TRIED = "true guidance";

describe("an edit on WebGPU is the CPU's:", () => {
  it.for(Object.entries(KONTEXT_EDITS))("%s", async ([name, edit], context) => {
    needDevice(context);
    const { decibels, worst } = await compareSides(name, edit, { isTried: name === TRIED });
    expect(decibels, worst).toBeGreaterThanOrEqual(WANTED_DB);
  });
});
