/** What can be said of a checkpoint and of edits with it before any network is loaded: `retouch doctor` prints it. */
import { countOperations, type OperationCount, totalOf, unloadedNetwork } from "../models/count.ts";
import { openModel } from "../pipelines/index.ts";
import type { GemmSpeed } from "../runtime/gemm-speed.ts";
import type { SingleFiles } from "../weights/checkpoint.ts";
import { WeightSet } from "../weights/weight-set.ts";
import { type ComponentDefinition, precisionOf, type WeightsKind } from "./component.ts";
import { Components } from "./components.ts";
import { squareEdit } from "./extent.ts";
import { fileBytes, isResident, planMemory, weightsOf } from "./memory-plan.ts";
import type { ModelPlan } from "./model.ts";

export interface Forecast {
  kind: WeightsKind;
  /** Of the square image, in pixels. */
  side: number;
  /** The least that it can do with, and with everything loaded. */
  peakBytes: number;
  residentBytes: number;
  /** Of files that the system has in memory while there is room for them. */
  mappedBytes: number;
  isFitting: boolean;
  isResident: boolean;
  /** Whether there is room for those files beside the rest. */
  isCached: boolean;
  seconds: number;
}

/**
 * Reads what can be planned of a checkpoint, and holds all of its weights against its configurations.
 * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED
 */
export async function readModelPlan(folder: string, files: SingleFiles = {}): Promise<ModelPlan> {
  const { model } = await openModel(folder, files);
  // A GGUF file was held against the sizes when it was read; the others are as their graphs are built.
  const isBuilt = Object.values(model.stored).every((weights) => weights instanceof WeightSet);
  // Where no memory may be used, nothing is loaded.
  if (isBuilt) await Components.load(model, { threads: 0 }, { limitBytes: 0 });
  return model;
}

/** Weights of all networks in each folder of the checkpoint. */
export function parametersOf({ components }: ModelPlan): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const component of components) {
    counts[component.folder] = (counts[component.folder] ?? 0) + totalOf(weightsOf(component));
  }
  return counts;
}

/** Bytes of the files with the large networks in this kind. */
export const convertedBytes = ({ components }: ModelPlan, kind: WeightsKind): number =>
  components
    .filter(({ leastPrecision }) => leastPrecision !== "fp32")
    .reduce((sum, component) => sum + fileBytes(component, kind), 0);

/** Estimates an edit of a square image, without a negative prompt. */
export function forecast(
  model: ModelPlan,
  kind: WeightsKind,
  side: number,
  { limitBytes, speed }: { limitBytes: number; speed: GemmSpeed },
): Forecast {
  const plan = planMemory(model, kind, squareEdit(side), limitBytes);
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

/** All matrix products of an edit at the measured speeds; attention is float32 whatever the weights are. */
function secondsOf({ components }: ModelPlan, kind: WeightsKind, side: number, speed: GemmSpeed): number {
  return components.reduce((seconds, component) => {
    const { linear, attention } = operationsOf(component, side);
    const precision = precisionOf(component, kind);
    const ofWeights = precision === "int8" || precision === "int4" ? speed.int8 : speed.fp32;
    return seconds + linear / ofWeights + attention / speed.fp32;
  }, 0);
}

/** Of all runs of a component in an edit. */
function operationsOf(component: ComponentDefinition, side: number): OperationCount {
  const { times, dims } = component.runs(squareEdit(side));
  const { linear, attention } = countOperations(
    unloadedNetwork((weights) => component.build(weights)),
    dims,
  );
  return { linear: times * linear, attention: times * attention };
}
