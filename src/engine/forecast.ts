/** What is known about a checkpoint and its edits before any network is loaded: `retouch doctor` prints it. */
import { countWeights, totalOf, type WeightCount } from "../models/count.ts";
import { openModel } from "../pipelines/index.ts";
import { sourceOf } from "../quantize/prepare.ts";
import { hasBuffers } from "../runtime/device-tensor.ts";
import type { Device } from "../runtime/devices.ts";
import type { SingleFiles } from "../weights/checkpoint.ts";
import { WeightSet } from "../weights/weight-set.ts";
import type { ComponentDefinition, WeightsKind } from "./component.ts";
import { Components } from "./components.ts";
import { editSeconds, loadSeconds, type TimeOptions } from "./edit-time.ts";
import type { EditExtent } from "./extent.ts";
import { fileBytes, isResident, planMemory } from "./memory-plan.ts";
import type { ModelPlan } from "./model.ts";
import type { Size } from "./request.ts";

/** What an edit will take on this machine, before anything is loaded. */
export interface Forecast {
  kind: WeightsKind;
  /** Pixels that are drawn. */
  size: Size;
  /** The least memory it can run with, and the memory with everything loaded. */
  peakBytes: number;
  residentBytes: number;
  /** Bytes of files that the system keeps in memory while there is room. */
  mappedBytes: number;
  isFitting: boolean;
  isResident: boolean;
  /** Whether those files fit into memory beside everything else. */
  isCached: boolean;
  /** On each device, in the order in which they were given. */
  times: readonly ForecastTime[];
}

/** How long an edit is expected to take. */
export interface ForecastTime {
  device: Device;
  /** Of an edit whose networks are loaded; null if the device cannot compute some of it. */
  seconds: number | null;
  /** What the weights of all networks take to reach the device; 0 where they are in its memory anyway. */
  loadSeconds: number;
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

/** A device that an edit may run on, as it was measured. */
export interface ForecastDevice extends Pick<TimeOptions, "speed" | "computeType"> {
  device: Device;
}

/** What an edit would take with weights of a kind, on each of these devices. */
export function forecast(
  model: ModelPlan,
  kind: WeightsKind,
  edit: EditExtent,
  { limitBytes, devices }: { limitBytes: number; devices: readonly ForecastDevice[] },
): Forecast {
  const plan = planMemory(model, kind, edit, limitBytes);
  const mappedBytes = Math.max(...Object.values(plan.components).map((needs) => needs.mappedBytes));
  const { tileSide } = plan;
  return {
    kind,
    size: edit.target,
    peakBytes: plan.peakBytes,
    residentBytes: plan.residentBytes,
    mappedBytes,
    isCached: mappedBytes + plan.peakBytes <= limitBytes,
    isFitting: plan.peakBytes <= limitBytes,
    isResident: isResident(plan, limitBytes),
    times: devices.map(({ device, speed, computeType }) => {
      const options = { speed, computeType, tileSide, holdsTensors: hasBuffers(device) };
      return {
        device,
        seconds: editSeconds(model, kind, edit, options) ?? null,
        loadSeconds: loadSeconds(plan, speed),
      };
    }),
  };
}
