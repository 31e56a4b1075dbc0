/** Where the runtime places the operators of each network on WebGPU, and what they give there. */
import { beforeAll, describe, expect, it } from "vitest";
import { measurePlacements } from "../../scripts/placement/measure.ts";
import { type Placement, tableIn, tableOf } from "../../scripts/placement/placement.ts";
import { withoutSoftwareGpu } from "../../tools/software-gpu.ts";
import { pageOf } from "../documents/pages.ts";
import { needDevice } from "./compare.ts";

/** What runs in every step, and what gives the keys and values that a step attends to. */
const LOOP = ["references", "transformer"];
/** Relative to the CPU's; of float32 it is some 1e-6. */
const TOLERANCE = 1e-4;

let placements: Placement[] = [];
beforeAll(async () => {
  if (withoutSoftwareGpu !== undefined) return;
  placements = await measurePlacements();
});

const nameOf = ({ checkpoint, network, weights, isAdaptable }: Placement): string =>
  `${network} of ${checkpoint}, ${weights}${isAdaptable ? ", adaptable" : ""}`;

describe("on WebGPU", () => {
  it("docs/devices.md says where each operator runs: `npm run placement` writes it", (context) => {
    needDevice(context);
    expect(tableIn(pageOf("docs/devices.md"))).toBe(tableOf(placements));
  });

  it("nothing of the denoising loop runs on the CPU", (context) => {
    needDevice(context);
    const networks = placements.filter(({ network }) => LOOP.includes(network));
    expect(new Set(networks.map(({ network }) => network))).toEqual(new Set(LOOP));
    for (const placement of networks) {
      const onCpu = Object.entries(placement.operators).filter(([, counts]) => counts.CPU !== undefined);
      expect(onCpu, nameOf(placement)).toEqual([]);
    }
  });

  it("every network gives what it gives on the CPU", (context) => {
    needDevice(context);
    for (const placement of placements)
      expect(placement.difference, nameOf(placement)).toBeLessThan(TOLERANCE);
  });
});
