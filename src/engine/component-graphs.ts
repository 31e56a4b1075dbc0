/** Components with their graphs: in what their products are computed, and whether a run of them takes several images. */
import { userCacheFolder } from "../machine/cache-folder.ts";
import { AdapterInputs } from "../models/adapters.ts";
import type { Outputs } from "../models/count.ts";
import { MAX_IMAGES } from "../models/transformers/image-batch.ts";
import type { ProductImages } from "../onnx/forms/products.ts";
import { inputNamed } from "../onnx/graph.ts";
import { sizeAlong } from "../onnx/ops.ts";
import type { RuntimeOptions } from "../runtime/session.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import { type BatchChoice, Batches, type BatchFileOptions } from "./batches/batches.ts";
import { Component, type ComponentDefinition, type ComponentSource } from "./component.ts";
import type { NetworkKinds } from "./memory-plan.ts";
import type { Model } from "./model.ts";
import { type ChosenProducts, isExact, productsText, withChosen } from "./product-choice.ts";
import { kindsText } from "./weights-choice.ts";

/** Where a network that takes several images sees how many. */
const imagesOf = (outputs: Outputs): ProductImages => ({
  count: sizeAlong(inputNamed(outputs, "latents"), 0),
  most: MAX_IMAGES,
});

export interface BatchesOptions {
  batch?: BatchChoice | undefined;
  kinds: NetworkKinds;
  products: ChosenProducts | undefined;
  cacheFolder?: string | undefined;
  /** @default what is found is not kept */
  digest?: BatchFileOptions["digest"] | undefined;
}

/**
 * Only on the CPU: nobody has compared the bits that other devices give an image of several, and at the sizes that are worth
 * one, a single image fills them.
 */
export function batchesOf(
  { components }: Model,
  { device = "cpu", threads }: RuntimeOptions,
  { batch = 1, kinds, products, digest, cacheFolder = userCacheFolder() }: BatchesOptions,
): Batches {
  if (device !== "cpu" || !components.some(({ takesBatches }) => takesBatches)) return Batches.none();
  const arithmetic = [kindsText(kinds), (products && productsText(products)) ?? []].flat().join(" ");
  return Batches.of(batch, digest && { cacheFolder, digest, threads, arithmetic });
}

export function componentOf(
  definition: ComponentDefinition,
  weights: WeightSet,
  runtime: RuntimeOptions,
  {
    isAdaptable,
    isBatched,
    products,
  }: { isAdaptable: boolean; isBatched: boolean; products: ChosenProducts | undefined },
): Component {
  const adapterInputs =
    isAdaptable && definition.isAdaptable ? new AdapterInputs(definition.loraName) : undefined;
  const { computeType } = runtime;
  const build = (hasSeveral: boolean): Outputs =>
    definition.build(weights.scope("", adapterInputs), { computeType, hasSeveral });
  const { areOutputsHeld } = definition;
  const source = { weights, runtime, adapterInputs, areOutputsHeld };
  const graphs = (
    outputs: Outputs,
    images?: ProductImages,
  ): Pick<ComponentSource, "outputs" | "exactOutputs"> =>
    products === undefined || isExact(products)
      ? { outputs }
      : { outputs: withChosen(outputs, definition, products, images), exactOutputs: outputs };
  const graph = graphs(build(false));
  if (!isBatched || !definition.takesBatches) return new Component(definition.name, { ...source, ...graph });
  const several = build(true);
  return new Component(definition.name, { ...source, ...graph, several: graphs(several, imagesOf(several)) });
}
