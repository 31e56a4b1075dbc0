/**
 * Products with weights larger than a kernel can read: in ranges of the weight's rows, whose results lie side by side.
 */
import { type Operator, remade, type Value } from "../graph.ts";
import { concat } from "../ops.ts";
import { byteLengthOf, isWeight, rowsOfWeight } from "./weights.ts";

export function productInRanges(operator: Operator, maxTensorBytes: number): Value[] | undefined {
  const { opType, inputs, attributes, outputs } = operator;
  if (opType !== "Gemm" && opType !== "MatMulNBits") return undefined;
  // What follows x belongs to the rows: the weight, of few bits its scales too, and the bias.
  const [x, ...ofRows] = inputs;
  if (!ofRows.every((value) => value === undefined || isWeight(value))) return undefined;
  const largest = Math.max(...ofRows.map((value) => (value ? byteLengthOf(value) : 0)));
  const numRanges = Math.ceil(largest / maxTensorBytes);
  if (numRanges <= 1) return undefined;

  const [{ dtype, shape }] = outputs as [Operator["outputs"][0]];
  const numRows = shape[1] as number;
  const bound = (range: number): number => Math.floor((numRows * range) / numRanges);
  const parts = Array.from({ length: numRanges }, (_, range) => {
    const [start, end] = [bound(range), bound(range + 1)];
    return remade(operator, {
      inputs: [x, ...ofRows.map((value) => value && rowsOfWeight(value, start, end))],
      attributes: "N" in attributes ? { ...attributes, N: { kind: "int", value: end - start } } : attributes,
      outputs: [{ dtype, shape: [shape[0]!, end - start] }],
    })[0]!;
  });
  return [concat(parts, 1)];
}
