/** docs/devices.md computes what it says it computed. */
import { describe, expect, it } from "vitest";
import { flopsPerStep } from "../../src/pipelines/flux1-kontext/components.ts";
import { PROVIDER } from "../../scripts/cuda.mjs";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
import { convertedBytes, type Forecast, forecast } from "../../src/engine/forecast.ts";
import { squareEdit } from "../../src/engine/extent.ts";
import type { DeviceSpeed } from "../../src/runtime/device-speed.ts";
import { PUBLISHED_KLEIN_PLAN } from "../../src/pipelines/flux2-klein/published.ts";
import { DEVICE_CHOICES } from "../../src/runtime/devices.ts";
import { pageOf, rowsOf, sectionsOf } from "./pages.ts";

const page = pageOf("docs/devices.md");
/** Of the published transformer. */
const published = {
  numHeads: 24,
  headSize: 128,
  inChannels: 64,
  outChannels: 64,
  promptSize: 4096,
  numDoubleBlocks: 19,
  numSingleBlocks: 38,
} as FluxConfig;
const STEPS = 28;
const stepAt = (tokens: number): number =>
  flopsPerStep(published, { text: 512, target: tokens, reference: tokens });

it("has every device", () => {
  const names = rowsOf(page.split("## ")[0]!).map(([cell]) => cell);
  expect(names.slice(2)).toEqual(DEVICE_CHOICES.map((name) => `\`${name}\``));
});

it("names the wheel that is downloaded", () => {
  expect(page).toContain(`\`${PROVIDER.wheel}\` (${(PROVIDER.byteLength / 1e6).toFixed(0)} MB)`);
});

it("has the operations of a step", () => {
  expect(page).toContain(`${(stepAt(1024) / 1e12).toFixed(1)} TFLOP at 512`);
  expect(page).toContain(`${(stepAt(4096) / 1e12).toFixed(1)} TFLOP at 1024`);
});

it("computes minutes from operations and rates", () => {
  const cells = rowsOf(sectionsOf(page).get("What an edit takes")!).map((row) => row.at(-1)!);
  const computed = cells.filter((cell) => cell.includes("computed at"));
  expect(computed).toHaveLength(3);
  for (const cell of computed) {
    const rate = 1e9 * Number(/at (\d+) GFLOP/.exec(cell)![1]);
    const minutes = [1024, 4096].map((tokens) => Math.round((STEPS * stepAt(tokens)) / rate / 60));
    expect(cell).toContain(`${minutes[0]} at 512\\*512, ${minutes[1]} at 1024\\*1024`);
  }
});

describe("the rows of FLUX.2 [klein] 4B", () => {
  /** The rates of the rows above. */
  const FLOAT32 = 150e9;
  const rows = rowsOf(sectionsOf(page).get("What an edit takes")!);
  /** Attention and convolutions as fast as products in float32. */
  const speedOf = (products: DeviceSpeed["products"]): DeviceSpeed => ({
    products,
    attention: { float32: FLOAT32 },
    convolutions: FLOAT32,
    runSeconds: 0,
    failures: {},
  });
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)}`;

  it.each([
    ["float32", "fp32", FLOAT32],
    ["int8", "int8", 359e9],
    ["int4", "int4", 342e9],
  ] as const)("has what doctor estimates in %s", (name, kind, fewBits) => {
    const [, , memory, disk, minutes] = rows.find(([, weights]) => weights === `FLUX.2 [klein] 4B, ${name}`)!;
    const devices = [
      { device: "cpu", speed: speedOf({ float32: FLOAT32, int8: fewBits, int4: fewBits }) },
    ] as const;
    const [half, whole] = [512, 1024].map((side) =>
      forecast(PUBLISHED_KLEIN_PLAN, kind, squareEdit(side, PUBLISHED_KLEIN_PLAN.usual), {
        limitBytes: 24e9,
        devices,
      }),
    ) as [Forecast, Forecast];
    const [few, most] = [half, whole].map(({ times }) => times[0]!.seconds! / 60) as [number, number];
    expect(minutes).toBe(
      `${few.toFixed(1)} at 512\\*512, ${Math.round(most)} at 1024\\*1024, 4 steps, computed by \`doctor\``,
    );
    const loaded = kind === "fp32" ? "" : `, all loaded ${gigabytes(half.residentBytes)}`;
    expect(memory).toBe(`${gigabytes(half.peakBytes)} GB${loaded}`);
    if (kind === "fp32") return;
    const bytes = convertedBytes(PUBLISHED_KLEIN_PLAN, kind);
    expect(disk).toBe(`${gigabytes(bytes)} GB, made of those published`);
    if (kind !== "int8") return;
    const row = rowsOf(pageOf("README.md")).find(([, weights]) => weights === "FLUX.2 [klein] 4B, int8")!;
    expect(row[2]).toBe(`${gigabytes(half.peakBytes)} GB`);
    expect(row[3]).toContain(`${gigabytes(bytes)} GB converted`);
    expect(row[4]).toContain(`${few.toFixed(1)} at 512\\*512`);
  });
});
