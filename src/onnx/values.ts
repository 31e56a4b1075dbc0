/** Values by the nodes that compute them: where one is computed, and what it was before it was widened. */
import { remade, type Value } from "./graph.ts";

/** The same value, computed on the CPU whatever the device. */
export function onHost(value: Value): Value {
  if (value.origin.kind !== "node") throw new Error("Only what a node computes has a place.");
  return remade(value.origin.node, { isOnHost: true })[value.origin.outputIndex]!;
}

/** The value that a `Cast` to float32 widened; undefined for any other value. */
export function widenedFrom(value: Value): Value | undefined {
  if (value.dtype !== "float32" || value.origin.kind !== "node") return undefined;
  const { opType, inputs } = value.origin.node;
  return opType === "Cast" ? inputs[0] : undefined;
}
