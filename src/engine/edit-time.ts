/** How long an edit takes on a device whose speed was measured, before anything is loaded. */
import type { Work } from "../models/count.ts";
import type { DeviceSpeed } from "../runtime/device-speed.ts";
import { precisionOf, type WeightsKind } from "./component.ts";
import { componentWork, type WorkOptions } from "./component-work.ts";
import type { EditExtent } from "./extent.ts";
import { kindOf, type MemoryPlan, type NetworkKinds } from "./memory-plan.ts";
import type { ModelPlan } from "./model.ts";

export interface TimeOptions extends WorkOptions {
  speed: DeviceSpeed;
}

/**
 * Seconds of an edit whose networks are loaded: linear layers, attention and convolutions at the speeds that were
 * measured, the bytes that travel, and each run itself. Norms, activations and what the processor does in between are
 * left out. Undefined if the device has no kernel for some of it.
 * @param kinds the kind of each stored weight, or one kind for all
 */
export function editSeconds(
  { components }: Pick<ModelPlan, "components">,
  kinds: WeightsKind | NetworkKinds,
  edit: EditExtent,
  { speed, ...options }: TimeOptions,
): number | undefined {
  let seconds = 0;
  for (const component of components) {
    const precision = precisionOf(component, kindOf(component, kinds));
    for (const { times, work, upBytes, downBytes } of componentWork(component, edit, options)) {
      seconds += times * speed.runSeconds;
      seconds += secondsFor(upBytes, speed.upBytes) + secondsFor(downBytes, speed.downBytes);
      for (const one of work) {
        const rate = rateOf(one, precision, speed);
        if (rate === undefined) return undefined;
        seconds += (times * one.operations) / rate;
      }
    }
  }
  return seconds;
}

/** Seconds in which the weights of all networks reach the device; 0 where nothing travels. */
export function loadSeconds({ components }: Pick<MemoryPlan, "components">, speed: DeviceSpeed): number {
  const bytes = Object.values(components).reduce(
    (sum, { privateBytes, mappedBytes }) => sum + privateBytes + mappedBytes,
    0,
  );
  return secondsFor(bytes, speed.upBytes);
}

/** Where nothing travels, that takes no time. */
const secondsFor = (bytes: number, rate = Infinity): number => bytes / rate;

function rateOf({ kind, dtype }: Work, precision: WeightsKind, speed: DeviceSpeed): number | undefined {
  const { products, attention, convolutions } = speed;
  const floats = dtype === "float32" ? "float32" : "float16";
  if (kind === "convolution") return convolutions;
  // What is stored in half precision is widened where the device does not compute in it.
  if (kind === "attention") return attention[floats] ?? attention.float32;
  if (precision === "int8" || precision === "int4") return products[precision];
  return products[floats] ?? products.float32;
}
