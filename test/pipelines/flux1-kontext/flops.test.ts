import { expect, it } from "vitest";
import { flopsPerStep } from "../../../src/pipelines/flux1-kontext/components.ts";
import type { FluxConfig } from "../../../src/models/transformers/flux-config.ts";

/** Width 2 heads x 4 = 8. */
const config: FluxConfig = {
  inChannels: 4,
  outChannels: 4,
  numDoubleBlocks: 1,
  numSingleBlocks: 1,
  numHeads: 2,
  headSize: 4,
  promptSize: 3,
  pooledSize: 5,
  hasGuidance: true,
  rotaryAxes: [2, 2, 0],
};
const tokens = { text: 1, target: 2, reference: 3 };

/** Counted by hand as rows x inputs x outputs, layer by layer. */
const INPUTS = [5 * 4 * 8, 1 * 3 * 8];
const DOUBLE_BLOCK = [
  [5 * 8 * 8, 5 * 8 * 8, 5 * 8 * 8, 5 * 8 * 8], // picture: query, key, value, output
  [1 * 8 * 8, 1 * 8 * 8, 1 * 8 * 8, 1 * 8 * 8], // text: the same
  [5 * 8 * 32, 5 * 32 * 8, 1 * 8 * 32, 1 * 32 * 8], // feed-forward of both
  [6 * 6 * 8, 6 * 6 * 8], // scores, and their product with the values
].flat();
const SINGLE_BLOCK = [
  [6 * 8 * 8, 6 * 8 * 8, 6 * 8 * 8], // query, key, value
  [6 * 8 * 32, 6 * 40 * 8], // feed-forward, and the output of it and attention
  [6 * 6 * 8, 6 * 6 * 8], // scores, and their product with the values
].flat();
/** Only the target's tokens ask, and are computed further. */
const LAST_BLOCK = [
  [2 * 8 * 8, 6 * 8 * 8, 6 * 8 * 8], // query, key, value
  [2 * 8 * 32, 2 * 40 * 8], // feed-forward, and the output of it and attention
  [2 * 6 * 8, 2 * 6 * 8], // scores, and their product with the values
].flat();
const OUTPUT = [2 * 8 * 4];

const flops = (products: readonly number[]): number =>
  products.reduce((sum, product) => sum + 2 * product, 0);

it("counts every linear layer and attention of a step as by hand", () => {
  const layers = [...INPUTS, ...DOUBLE_BLOCK, ...LAST_BLOCK, ...OUTPUT];
  expect(flopsPerStep(config, tokens)).toBe(flops(layers));
});

it("leaves out what is computed once an edit", () => {
  expect(flopsPerStep({ ...config, hasGuidance: false, pooledSize: 9 }, tokens)).toBe(
    flopsPerStep(config, tokens),
  );
});

it("grows by one block's count with each block", () => {
  const one = flopsPerStep(config, tokens);
  expect(flopsPerStep({ ...config, numDoubleBlocks: 2 }, tokens) - one).toBe(flops(DOUBLE_BLOCK));
  expect(flopsPerStep({ ...config, numSingleBlocks: 3 }, tokens) - one).toBe(2 * flops(SINGLE_BLOCK));
});
