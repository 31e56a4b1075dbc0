/** Reads a node's attributes back. */
import type { Operator } from "../graph.ts";

type Attributes = Operator["attributes"];

export function intOf(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute?.kind !== "int") throw new Error(`There is no whole number ${name} among the attributes.`);
  return attribute.value;
}

/** @returns undefined where the operator has it by default */
export function floatOf(attributes: Attributes, name: string): number | undefined {
  const attribute = attributes[name];
  return attribute?.kind === "float" ? attribute.value : undefined;
}
