/** The weights of a graph, as they reach an operator: stored, or widened, joined and scaled after that. */
import { byteSizeOf } from "../dtype.ts";
import { constantOf, externalTensor, remade, type Value } from "../graph.ts";
import { concat } from "../ops.ts";

const STEPS: ReadonlySet<string> = new Set(["BitwiseXor", "Cast", "Concat", "Mul"]);

/** Whether a value is known before the graph runs. */
export function isWeight({ origin }: Value): boolean {
  if (origin.kind !== "node") return origin.kind === "initializer";
  const { opType, inputs } = origin.node;
  return STEPS.has(opType) && inputs.every((value) => value !== undefined && isWeight(value));
}

/** Bytes of a weight in the type that it has here. */
export const byteLengthOf = ({ shape, dtype }: Value): number =>
  (shape as readonly number[]).reduce((product, dim) => product * dim, byteSizeOf(dtype));

/** Rows `start` to `end` (exclusive) of a weight: of one in a file, a shorter range of its bytes. */
export function rowsOfWeight(weight: Value, start: number, end: number): Value {
  const { origin, dtype, shape } = weight;
  const numRows = shape[0] as number;
  const cut = [end - start, ...(shape.slice(1) as number[])];
  if (origin.kind === "input") throw new Error(`The input ${origin.name} is no weight.`);
  if (origin.kind === "initializer") {
    const { data, name } = origin;
    const bytesOfRow = byteLengthOf(weight) / numRows;
    const [from, to] = [start * bytesOfRow, end * bytesOfRow];
    if (data.kind === "inline") return constantOf(dtype, data.bytes.subarray(from, to), cut);
    const range = { location: data.location, byteOffset: data.byteOffset + from, byteLength: to - from };
    return externalTensor(`${name}[${start}:${end}]`, dtype, cut, range);
  }
  const operator = origin.node;
  if (operator.opType === "Concat") {
    let first = 0;
    const parts = (operator.inputs as readonly Value[]).flatMap((part) => {
      const offset = first;
      first += part.shape[0] as number;
      const [from, to] = [Math.max(start, offset), Math.min(end, first)];
      return from < to ? [rowsOfWeight(part, from - offset, to - offset)] : [];
    });
    return parts.length === 1 ? parts[0]! : concat(parts, 0);
  }
  // A factor of each row is cut with the rows, one of all stays.
  const inputs = (operator.inputs as readonly Value[]).map((value) =>
    value.shape.length > 0 && value.shape[0] === numRows ? rowsOfWeight(value, start, end) : value,
  );
  return remade(operator, { inputs, outputs: [{ dtype, shape: cut }] })[0]!;
}
