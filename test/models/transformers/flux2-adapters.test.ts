/** LoRAs of FLUX.2 as inputs: every linear layer takes one, and it does what a weight with it merged does. */
import { describe, expect, it } from "vitest";
import { type Adapter, AdapterInputs, type LayerSize } from "../../../src/models/adapters.ts";
import { type Outputs, requestedWeights } from "../../../src/models/count.ts";
import { flux2Transformer } from "../../../src/models/transformers/flux2.ts";
import type { Flux2Config } from "../../../src/models/transformers/flux2-config.ts";
import { flux2Modulation } from "../../../src/models/transformers/flux2-modulation.ts";
import {
  flux2CachedTransformer,
  flux2References,
} from "../../../src/models/transformers/flux2-references.ts";
import type { WeightScope } from "../../../src/weights/weight-set.ts";
import { difference } from "../../support/compare.ts";
import { Flux2Case, type RunOptions } from "../../support/flux2.ts";
import { madeUpWeights, numbers } from "../../support/made-up.ts";

const FORMS: Readonly<Record<string, (config: Flux2Config, weights: WeightScope) => Outputs>> = {
  modulation: (config, weights) => flux2Modulation(config, weights, { isGuided: true }),
  transformer: (config, weights) => flux2Transformer(config, weights, { textLength: 5 }),
  references: (config, weights) => flux2References(config, weights),
  cached: (config, weights) => flux2CachedTransformer(config, weights, { textLength: 5 }),
};

const RANK = 2;
const adapterOf = (layer: string, { rows, columns }: LayerSize): Adapter => ({
  rank: RANK,
  down: Float32Array.from(numbers(`${layer}.down`, RANK * columns), (value) => value / 4),
  up: Float32Array.from(numbers(`${layer}.up`, rows * RANK), (value) => value / 4),
});

/** B A, which a merged weight has added. */
function productOf(layer: string, [rows, columns]: readonly [number, number]): number[] {
  const { down, up } = adapterOf(layer, { rows, columns });
  return Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    return up[row * RANK]! * down[column]! + up[row * RANK + 1]! * down[columns + column]!;
  });
}

/** What makes a run of this form one with adapters, of every layer. */
function adapted(form: string, config: Flux2Config): RunOptions {
  const inputs = new AdapterInputs();
  const weights = madeUpWeights({ adapt: inputs });
  FORMS[form]!(config, weights);
  const adapters = [...inputs.layers].map(([layer, size]) => [layer, adapterOf(layer, size)] as const);
  return { weights, feeds: inputs.inputsOf(new Map(adapters)) };
}
const merged = (): RunOptions => ({ weights: madeUpWeights({ addedTo: productOf }) });

/** Sums of products in another order. */
const TOLERANCE = 1e-5;
const expectSame = (actual: ArrayLike<number>, expected: ArrayLike<number>, without: ArrayLike<number>) => {
  expect(difference(actual, expected).relative).toBeLessThan(TOLERANCE);
  expect(difference(actual, without).relative).toBeGreaterThan(1e-2);
};

describe("adapters of FLUX.2", () => {
  it.each(Object.keys(FORMS))(
    "are inputs of every linear layer, and of every norm with a weight: %s",
    async (form) => {
      const { config } = await Flux2Case.read("guidance");
      const inputs = new AdapterInputs();
      FORMS[form]!(config, madeUpWeights({ adapt: inputs }));
      const requested = [...requestedWeights((weights) => FORMS[form]!(config, weights))];
      const keys = (isMatrix: boolean): string[] =>
        requested
          .filter(([, weight]) => weight.isMatrix === isMatrix)
          .map(([key]) => key.replace(/\.weight$/, ""));
      expect([...inputs.layers.keys()].toSorted()).toEqual(keys(true).toSorted());
      expect([...inputs.norms].toSorted()).toEqual(keys(false).toSorted());
    },
  );

  it("do in the modulation what merged weights do", async () => {
    const edit = await Flux2Case.read("guidance");
    const rows = async (options?: RunOptions): Promise<Float32Array> =>
      (await edit.modulation([0.7], options))[0]!.data as Float32Array;
    expectSame(await rows(adapted("modulation", edit.config)), await rows(merged()), await rows());
  });

  it.each(["guidance", "no-single-block"])(
    "do in the transformer what merged weights do: %s",
    async (name) => {
      const edit = await Flux2Case.read(name);
      const actual = await edit.velocity(adapted("transformer", edit.config));
      expectSame(actual, await edit.velocity(merged()), edit.floats("velocity"));
    },
  );

  it.each(["guidance", "no-single-block"])(
    "do with kept references what merged weights do: %s",
    async (name) => {
      const edit = await Flux2Case.read(name);
      const kept = await edit.keptReferences(adapted("references", edit.config));
      const actual = await edit.cachedVelocities(kept, adapted("cached", edit.config));
      const expected = await edit.cachedVelocities(await edit.keptReferences(merged()), merged());
      expectSame(actual, expected, edit.floats("cached.velocities"));
    },
  );
});
