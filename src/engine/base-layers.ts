/** The layers of a model as its files have them, for LoRAs that depend on the weights that they change (DoRA). */
import type { BaseLayer, FindBase } from "../lora/base-weights.ts";
import { createMultiply, type Multiply } from "../runtime/product.ts";
import { sourceOf } from "../quantize/prepare.ts";
import type { SourceWeight } from "../weights/weight-source.ts";
import type { Model } from "./model.ts";

/**
 * Finds layers by the names that LoRAs have for them; the files are listed when the first one is asked for.
 * @param threads for products with them; 0 leaves the choice to the runtime
 */
export function findBaseIn(model: Pick<Model, "components" | "stored">, threads = 0): FindBase {
  const multiply = createMultiply(threads);
  let weights: ReadonlyMap<string, SourceWeight> | undefined;
  return (layer) => {
    weights ??= weightsOf(model);
    const matrix = weights.get(`${layer}.weight`);
    return matrix && layerOf(matrix, weights.get(`${layer}.bias`), multiply);
  };
}

const layerOf = (matrix: SourceWeight, bias: SourceWeight | undefined, multiply: Multiply): BaseLayer => ({
  multiply,
  rows: (from, to) => matrix.rows(from, to),
  bias: async () => bias?.rows(0, bias.shape[0]!),
});

function weightsOf({ components, stored }: Pick<Model, "components" | "stored">): Map<string, SourceWeight> {
  const weights = new Map<string, SourceWeight>();
  for (const { isAdaptable, weights: name, loraName = (key: string) => key } of components) {
    if (!isAdaptable) continue;
    for (const weight of sourceOf(stored[name]!).weights()) weights.set(loraName(weight.key), weight);
  }
  return weights;
}
