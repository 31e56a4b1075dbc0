/** What a component computes in an edit, and what travels to it and back, counted from its graph. */
import { type Outputs, travellingBytes, unloadedNetwork, type Work, workOf } from "../models/count.ts";
import type { ComputeType } from "../onnx/dtype.ts";
import type { ComponentDefinition } from "./component.ts";
import type { EditExtent } from "./extent.ts";

export interface WorkOptions {
  /** As the component is built with. @default "float32" */
  computeType?: ComputeType | undefined;
  /** Side of the tiles in pixels, for components that work in tiles. @default whole images */
  tileSide?: number | undefined;
  /** Whether what a component reads in every run stays on the device after the first. @default false */
  areInputsHeld?: boolean | undefined;
}

/** Runs that are alike. */
export interface ComponentWork {
  times: number;
  /** Of one run. */
  work: readonly Work[];
  /** Bytes that travel to a device with a memory of its own, and back, in all of these runs. */
  upBytes: number;
  downBytes: number;
}

/** All runs of a component in an edit. */
export function componentWork(
  component: ComponentDefinition,
  edit: EditExtent,
  { computeType = "float32", tileSide, areInputsHeld = false }: WorkOptions = {},
): ComponentWork[] {
  const network = networkOf(component, computeType);
  return component.runs(edit, tileSide).map(({ times, dims }) => {
    const { inputs, outputs } = travellingBytes(network, dims);
    const { changingInputs } = component;
    const isHeld = (name: string): boolean =>
      areInputsHeld && changingInputs !== undefined && !changingInputs.includes(name);
    return {
      times,
      work: workOf(network, dims),
      upBytes: sumOf(inputs, (name) => (isHeld(name) ? 1 : times)),
      downBytes: sumOf(outputs, () => times),
    };
  });
}

const sumOf = (bytes: Readonly<Record<string, number>>, timesOf: (name: string) => number): number =>
  Object.entries(bytes).reduce((sum, [name, one]) => sum + timesOf(name) * one, 0);

/** Written once for all kinds and sizes. */
const networks = new WeakMap<ComponentDefinition, Map<ComputeType, Outputs>>();

function networkOf(component: ComponentDefinition, computeType: ComputeType): Outputs {
  const known = networks.get(component) ?? new Map<ComputeType, Outputs>();
  networks.set(component, known);
  const network =
    known.get(computeType) ?? unloadedNetwork((weights) => component.build(weights, { computeType }));
  known.set(computeType, network);
  return network;
}
