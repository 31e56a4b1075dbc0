/** What is known about a checkpoint and its edits before any network is loaded: `retouch doctor` prints it. */
import {
  countOperations,
  countWeights,
  type OperationCount,
  type Outputs,
  totalOf,
  unloadedNetwork,
  type WeightCount,
} from "../models/count.ts";
import { openModel } from "../pipelines/index.ts";
import type { GemmSpeed } from "../runtime/gemm-speed.ts";
import { sourceOf } from "../quantize/prepare.ts";
import type { SingleFiles } from "../weights/checkpoint.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { type ComponentDefinition, precisionOf, type WeightsKind } from "./component.ts";
import { Components } from "./components.ts";
import { type EditExtent, squareEdit } from "./extent.ts";
import { fileBytes, isResident, planMemory } from "./memory-plan.ts";
import type { ModelPlan } from "./model.ts";

export interface Forecast {
  kind: WeightsKind;
  /** Side of the square image, in pixels. */
  side: number;
  /** The least memory it can run with, and the memory with everything loaded. */
  peakBytes: number;
  residentBytes: number;
  /** Bytes of files that the system keeps in memory while there is room. */
  mappedBytes: number;
  isFitting: boolean;
  isResident: boolean;
  /** Whether those files fit into memory beside everything else. */
  isCached: boolean;
  seconds: number;
}

/**
 * Reads what can be planned for a checkpoint, and checks all of its weights against its configurations.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED
 */
export async function readModelPlan(folder: string, files: SingleFiles = {}): Promise<ModelPlan> {
  const { model } = await openModel(folder, files);
  // A GGUF file was checked against the sizes when it was read; the others are checked as their graphs are built.
  const isBuilt = Object.values(model.stored).every((weights) => weights instanceof WeightSet);
  // With a memory limit of zero, nothing is loaded.
  if (isBuilt) await Components.load(model, { threads: 0 }, { limitBytes: 0 });
  return model;
}

/** Number of weights in each folder of the checkpoint, over all its networks. */
export function parametersOf({ components }: ModelPlan): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { component, count } of ownWeights(components)) {
    counts[component.folder] = (counts[component.folder] ?? 0) + totalOf(count);
  }
  return counts;
}

/**
 * The files that hold the weights of each folder's networks, wherever they are; none where only sizes are known. A file
 * of several networks is one of each.
 */
export function filesOf({ components, stored = {} }: ModelPlan): Readonly<Record<string, readonly string[]>> {
  const known = components.filter(({ weights }) => stored[weights] !== undefined);
  return Object.fromEntries(known.map(({ folder, weights }) => [folder, sourceOf(stored[weights]!).files]));
}

/** Size in bytes of the large networks' files in this kind. */
export const convertedBytes = ({ components }: ModelPlan, kind: WeightsKind): number =>
  ownWeights(components)
    .filter(({ component }) => component.leastPrecision !== "fp32")
    .reduce((sum, { component, count }) => sum + fileBytes(component, count, kind), 0);

/** The weights of each component, without those that an earlier one reads, too: files hold them once. */
function ownWeights(
  components: readonly ComponentDefinition[],
): readonly { component: ComponentDefinition; count: WeightCount }[] {
  const read = new Set<string>();
  return components.map((component) => {
    const isOwn = (key: string): boolean => {
      const { size } = read;
      return read.add(`${component.weights} ${key}`).size > size;
    };
    return { component, count: countWeights((weights) => component.build(weights), isOwn) };
  });
}

/** Estimates an edit of a square image that does not choose. */
export function forecast(
  model: ModelPlan,
  kind: WeightsKind,
  side: number,
  { limitBytes, speed }: { limitBytes: number; speed: GemmSpeed },
): Forecast {
  const plan = planMemory(model, kind, squareEdit(side, model.usual), limitBytes);
  const mappedBytes = Math.max(...Object.values(plan.components).map((needs) => needs.mappedBytes));
  return {
    kind,
    side,
    peakBytes: plan.peakBytes,
    residentBytes: plan.residentBytes,
    mappedBytes,
    isCached: mappedBytes + plan.peakBytes <= limitBytes,
    isFitting: plan.peakBytes <= limitBytes,
    isResident: isResident(plan, limitBytes),
    seconds: secondsOf(model, kind, side, speed),
  };
}

/** Time of all of an edit's matrix products at the measured speeds; attention is float32 whatever the weights are. */
function secondsOf(
  { components, usual }: ModelPlan,
  kind: WeightsKind,
  side: number,
  speed: GemmSpeed,
): number {
  return components.reduce((seconds, component) => {
    const { linear, attention } = operationsOf(component, squareEdit(side, usual));
    const precision = precisionOf(component, kind);
    const ofWeights = precision === "int8" || precision === "int4" ? speed.int8 : speed.fp32;
    return seconds + linear / ofWeights + attention / speed.fp32;
  }, 0);
}

/** Operations of all runs of a component in an edit. */
function operationsOf(component: ComponentDefinition, edit: EditExtent): OperationCount {
  const { times, dims } = component.runs(edit);
  const { linear, attention } = countOperations(networkOf(component), dims);
  return { linear: times * linear, attention: times * attention };
}

/** Written once for all kinds and sizes. */
const networks = new WeakMap<ComponentDefinition, Outputs>();

function networkOf(component: ComponentDefinition): Outputs {
  const network = networks.get(component) ?? unloadedNetwork((weights) => component.build(weights));
  networks.set(component, network);
  return network;
}
