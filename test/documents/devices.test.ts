/** docs/devices.md computes what it says it computed. */
import { expect, it } from "vitest";
import { flopsPerStep } from "../../src/pipelines/flux1-kontext/components.ts";
import { PROVIDER } from "../../scripts/cuda.mjs";
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";
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
  const computed = cells.filter((cell) => cell.includes("computed"));
  expect(computed).toHaveLength(3);
  for (const cell of computed) {
    const rate = 1e9 * Number(/at (\d+) GFLOP/.exec(cell)![1]);
    const minutes = [1024, 4096].map((tokens) => Math.round((STEPS * stepAt(tokens)) / rate / 60));
    expect(cell).toContain(`${minutes[0]} at 512\\*512, ${minutes[1]} at 1024\\*1024`);
  }
});
