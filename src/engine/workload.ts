/** What is worth measuring of a device for a model: the shapes in which most of a usual edit is computed. */
import type { Work } from "../models/count.ts";
import type { SpeedWorkload } from "../runtime/device-speed.ts";
import { componentWork } from "./component-work.ts";
import { squareEdit } from "./extent.ts";
import type { ModelPlan } from "./model.ts";

/** Shapes of a kind that are measured: those with the most operations. */
const MOST_PRODUCTS = 3;
const MOST_CONVOLUTIONS = 2;

/** By a usual edit at the native size. */
export function workloadOf(model: ModelPlan): SpeedWorkload {
  const all = usualWork(model);
  const [attention] = largest(
    all.filter((work) => work.kind === "attention"),
    ({ numHeads, headSize }) => `${numHeads} ${headSize}`,
    ({ length }) => length,
    1,
  );
  return {
    products: largest(
      all.filter((work) => work.kind === "linear"),
      ({ columns, size }) => `${columns} ${size}`,
      ({ rows }) => rows,
      MOST_PRODUCTS,
    ).map(({ rows, columns, size, share }) => ({ rows, columns, size, share })),
    attention: attention && {
      length: attention.length,
      numHeads: attention.numHeads,
      headSize: attention.headSize,
    },
    convolutions: largest(
      all.filter((work) => work.kind === "convolution").filter(({ kernelSide }) => kernelSide === 3),
      ({ inChannels, outChannels }) => `${inChannels} ${outChannels}`,
      ({ width }) => width,
      MOST_CONVOLUTIONS,
    ).map(({ inChannels, outChannels, width, share }) => ({ inChannels, outChannels, side: width, share })),
  };
}

/** The part of a usual edit's products, at the native size, that is attention's. */
export function attentionShareOf(model: ModelPlan): number {
  const operationsOf = (kinds: readonly Work["kind"][]): number =>
    usualWork(model).reduce((sum, { kind, operations }) => sum + (kinds.includes(kind) ? operations : 0), 0);
  return operationsOf(["attention"]) / (operationsOf(["attention", "linear"]) || 1);
}

/** What a usual edit at the native size computes, all runs together. */
function usualWork(model: ModelPlan): Work[] {
  const edit = squareEdit(Math.sqrt(model.native.area), model.usual);
  return model.components
    .flatMap((component) => componentWork(component, edit))
    .flatMap(({ times, work }) => work.map((one): Work => ({ ...one, operations: times * one.operations })));
}

/**
 * The `most` shapes with the most operations, each in its largest extent, with its share of their operations.
 * @param shapeOf tells shapes apart
 */
function largest<One extends { operations: number }>(
  all: readonly One[],
  shapeOf: (one: One) => string,
  extentOf: (one: One) => number,
  most: number,
): (One & { share: number })[] {
  const shapes = new Map<string, One>();
  for (const one of all) {
    const known = shapes.get(shapeOf(one));
    const larger = known && extentOf(known) >= extentOf(one) ? known : one;
    shapes.set(shapeOf(one), { ...larger, operations: (known?.operations ?? 0) + one.operations });
  }
  const chosen = [...shapes.values()].toSorted((a, b) => b.operations - a.operations).slice(0, most);
  const total = chosen.reduce((sum, { operations }) => sum + operations, 0);
  return chosen.map((one) => ({ ...one, share: one.operations / total }));
}
