/** Tables that rows are taken of, where a kernel cannot read the whole of one. */
import { type Operator, remade, type Value } from "../graph.ts";
import { isWeight } from "./weights.ts";

/** Rows of a table that would be too large in float32 are taken on the CPU: few are, and once for a text. */
export function largeTableOnHost(operator: Operator, maxTensorBytes: number): Value[] | undefined {
  const [table] = operator.inputs;
  if (operator.opType !== "Gather" || !table || !isWeight(table)) return undefined;
  const numbers = (table.shape as readonly number[]).reduce((product, dim) => product * dim, 1);
  return 4 * numbers > maxTensorBytes ? remade(operator, { isOnHost: true }) : undefined;
}
