/** Every network of a checkpoint as every combination of options builds it: for measurements and tests of all graphs. */
import path from "node:path";
import { WEIGHTS_KINDS, type WeightsKind, precisionOf } from "../src/engine/component.ts";
import { squareEdit } from "../src/engine/extent.ts";
import { AdapterInputs } from "../src/models/adapters.ts";
import type { Outputs } from "../src/models/count.ts";
import { COMPUTE_TYPES, type ComputeType } from "../src/onnx/dtype.ts";
import { operatorsOf } from "../src/onnx/graph.ts";
import { openModel } from "../src/pipelines/index.ts";
import type { ModelOptions } from "../src/pipelines/pipeline.ts";
import { preparedWeights } from "../src/quantize/prepare.ts";
import type { SingleFiles } from "../src/weights/checkpoint.ts";
import type { WeightSet } from "../src/weights/weight-set.ts";
import { inRepository } from "./paths.ts";

/** A checkpoint, and how it is opened. */
export interface Source {
  name: string;
  folder: string;
  files?: SingleFiles;
  options?: ModelOptions;
}

/** One network as one choice of options builds it. */
export interface BuiltNetwork {
  source: string;
  network: string;
  kind: WeightsKind;
  computeType: ComputeType;
  isAdaptable: boolean;
  outputs: Outputs;
  weights: WeightSet;
  /** Sizes of the graph's named dimensions in a small edit. */
  dims: Readonly<Record<string, number>>;
}

const kontext = (name: string): Source => ({
  name,
  folder: inRepository("test", "fixtures", "checkpoints", name),
});
const klein = (name: string): Source => ({
  name: `klein-${name}`,
  folder: inRepository("test", "fixtures", "klein", "checkpoints", name),
});

/** The checkpoint that ships, and those of the tests, of both families. */
export const SOURCES: readonly Source[] = [
  { name: "tiny", folder: inRepository("checkpoints", "tiny") },
  ...["plain", "odd", "sharded", "shifted"].map(kontext),
  ...["plain", "odd", "nine", "double-only"].map(klein),
  { ...klein("plain"), name: "klein-plain-cached", options: { referenceCache: "approximate" } },
];

/** Steps, tokens of text, and cells of the coarsest grid along a side, of the edit that gives `dims`. */
const SMALL = { numSteps: 2, textLength: 8, cells: 4 };

/**
 * Builds the networks of `sources`, one after the other, with weights in every kind, in every type and with and without
 * adapters. A choice that a network does not have is built once.
 * @param folder where rounded weights are written
 */
export async function* builtNetworks(
  sources: readonly Source[],
  folder: string,
): AsyncGenerator<BuiltNetwork> {
  for (const source of sources) {
    const { model } = await openModel(source.folder, source.files, undefined, source.options);
    const square = squareEdit(SMALL.cells * model.native.grid, {
      numSteps: SMALL.numSteps,
      isNegativeUsed: false,
    });
    for (const definition of model.components) {
      const { dims } = definition.runs({ ...square, textLength: SMALL.textLength });
      const stored = model.stored[definition.weights]!;
      const kinds = new Set(WEIGHTS_KINDS.map((kind) => precisionOf(definition, kind)));
      for (const kind of kinds) {
        const cacheFolder = path.join(folder, source.name);
        // Without threads, whose compiled file not every caller has.
        const cache = { folder: cacheFolder, threads: 1 };
        const weights = await preparedWeights(definition.weights, stored, kind, cache);
        for (const computeType of COMPUTE_TYPES) {
          for (const isAdaptable of definition.isAdaptable ? [false, true] : [false]) {
            const adapters = isAdaptable ? new AdapterInputs(definition.loraName) : undefined;
            const outputs = definition.build(weights.scope("", adapters), { computeType });
            yield {
              source: source.name,
              network: definition.name,
              kind,
              computeType,
              isAdaptable,
              outputs,
              weights,
              dims,
            };
          }
        }
      }
    }
  }
}

/** Dimensions that an adapter which changes nothing has, by the end of their name. */
const UNCHANGED = { rank: 0, rows: 1, columns: 1, given: 1 } as const;

/** The shapes of a network's inputs, by name. @throws Error for a dimension that `dims` lacks */
export function inputShapes({ outputs, dims }: BuiltNetwork): Record<string, number[]> {
  const sizeOf = (dim: number | string): number => {
    const size = typeof dim === "number" ? dim : (dims[dim] ?? UNCHANGED[endOf(dim)]);
    if (size === undefined) throw new Error(`The dimension ${dim} has no size.`);
    return size;
  };
  const shapes: Record<string, number[]> = {};
  for (const value of operatorsOf(outputs).flatMap(({ inputs }) => inputs)) {
    if (value?.origin.kind === "input") shapes[value.origin.name] = value.shape.map(sizeOf);
  }
  return shapes;
}

const endOf = (dim: string): keyof typeof UNCHANGED => dim.split(".").at(-1) as keyof typeof UNCHANGED;
