/** FLUX.2 in the original layout: every tensor of the published files has its place, and every weight of the network. */
import { describe, expect, it } from "vitest";
import {
  countOperations,
  countWeights,
  requestedWeights,
  totalOf,
  unloadedNetwork,
} from "../../../src/models/count.ts";
import { originalFlux2Layout } from "../../../src/models/layouts/original-flux2.ts";
import { flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import { readFlux2Config } from "../../../src/models/transformers/flux2-config.ts";
import { flux2Modulation } from "../../../src/models/transformers/flux2-modulation.ts";
import { Config } from "../../../src/weights/config.ts";
import type { WeightScope } from "../../../src/weights/weight-set.ts";
import { readJson } from "../../support/fixtures.ts";

type Shapes = Record<string, number[]>;

interface Published {
  config: Record<string, unknown>;
  parameters: number;
  tensors: number;
  /** With a star for the number of a block. */
  folder: Shapes;
  original: Shapes;
}

const table = readJson<Record<string, Published>>("flux2-published.json");

const sizesOf = (name: string) => readFlux2Config(new Config("transformer/config.json", table[name]!.config));

/** All blocks of a kind are alike. */
function expanded(name: string, layout: "folder" | "original"): Shapes {
  const { numDoubleBlocks, numSingleBlocks } = sizesOf(name);
  return Object.fromEntries(
    Object.entries(table[name]![layout]).flatMap(([key, shape]) => {
      if (!key.includes("*")) return [[key, shape]];
      const count = key.startsWith("single") ? numSingleBlocks : numDoubleBlocks;
      return Array.from({ length: count }, (_, index) => [key.replace("*", String(index)), shape]);
    }) as [string, number[]][],
  );
}

describe.each(Object.keys(table))("the published %s", (name) => {
  const config = sizesOf(name);
  const networks = [
    (weights: WeightScope) => flux2Modulation(config, weights, { isGuided: true }),
    (weights: WeightScope) => flux2Transformer(config, weights, { textLength: 512 }),
  ];

  it("has every weight that the networks ask for, in its shape, and no other", () => {
    const requested = networks.flatMap((build) => [...requestedWeights(build)]);
    const shapes = Object.fromEntries(requested.map(([key, { shape }]) => [key, [...shape]]));
    expect(requested).toHaveLength(table[name]!.tensors);
    expect(shapes).toEqual(expanded(name, "folder"));
  });

  it("has as many parameters as the reference counts", () => {
    const counts = networks.map((build) => totalOf(countWeights(build)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(table[name]!.parameters);
  });

  it("has every tensor of the original layout in its shape, each used to the last number", () => {
    const layout = originalFlux2Layout(config);
    const numbersOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);
    expect(Object.fromEntries(layout.map(({ key, shape }) => [key, [...shape]]))).toEqual(
      expanded(name, "original"),
    );
    for (const { key, shape, parts } of layout) {
      expect(
        parts.reduce((sum, part) => sum + numbersOf(part.shape), 0),
        key,
      ).toBe(numbersOf(shape));
    }
    const parts = layout.flatMap((entry) => entry.parts);
    expect(parts).toHaveLength(table[name]!.tensors);
    expect(Object.fromEntries(parts.map(({ key, shape }) => [key, [...shape]]))).toEqual(
      expanded(name, "folder"),
    );
  });
});

it("takes 17.7 TFLOP for a step of the published 4B at 512 x 512, with a reference of that size and 512 text tokens", () => {
  const build = (weights: WeightScope) => flux2Transformer(sizesOf("4B"), weights, { textLength: 512 });
  const { linear, attention } = countOperations(unloadedNetwork(build), {
    target: 1024,
    reference: 1024,
    images: 2048,
    tokens: 2560,
  });
  expect((linear + attention) / 1e12).toBeCloseTo(17.7, 1);
});
