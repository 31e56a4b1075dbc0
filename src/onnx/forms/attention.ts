/**
 * Attention as products and a softmax, for devices whose kernel of it is missing or wrong. Unlike a fused kernel it
 * holds the scores of all heads, H x L x S numbers; where they are more than a kernel can read, the queries are taken
 * in turns.
 */
import { type Dim, ints, type Operator, scalar, type Value } from "../graph.ts";
import * as ops from "../ops.ts";
import { floatOf, intOf } from "./attributes.ts";

/** Sizes of a graph's named dimensions, the largest that it will run with. */
export type Sizes = Readonly<Record<string, number>>;

export interface AttentionOptions {
  /** What the scores of one turn may take. */
  maxTensorBytes: number;
  /** Without those of queries and keys, there is one turn. */
  sizes: Sizes;
}

/** Bytes of a score. */
const FLOAT = 4;

/** Where each of the operators has its number of heads and its bias. */
const OPERATORS: Readonly<Record<string, { heads: string; keyHeads: string; biasInput: number }>> = {
  MultiHeadAttention: { heads: "num_heads", keyHeads: "num_heads", biasInput: 5 },
  Attention: { heads: "q_num_heads", keyHeads: "kv_num_heads", biasInput: 3 },
};

/** `MultiHeadAttention` or `Attention` [1, L, H*D], written out. */
export function writtenAttention(node: Operator, options: AttentionOptions): Value[] | undefined {
  const { opType, inputs, attributes } = node;
  const operator = OPERATORS[opType];
  if (!operator) return undefined;
  const [query, key, value] = inputs as [Value, Value, Value];
  const bias = inputs[operator.biasInput];
  const numHeads = intOf(attributes, operator.heads);
  if (intOf(attributes, operator.keyHeads) !== numHeads) {
    throw new Error(`${opType} whose queries share heads of the keys is not written out.`);
  }
  const scale = floatOf(attributes, "scale") ?? 1 / Math.sqrt((query.shape[2] as number) / numHeads);

  const scaled = ops.mul(query, ops.cast(scalar(scale), ops.typeOf(query)));
  const queries = inHeads(scaled, numHeads); // [1, H, L, D]
  const keys = transposed(inHeads(key, numHeads)); // [1, H, D, S]
  const values = inHeads(value, numHeads); // [1, H, S, D]
  const attended = inTurns(queries, bias, numTurns(node, options), (some, biasOfSome) => {
    const scores = ops.matmul(some, keys); // [1, H, L, S]
    // WebGPU's softmax sums in the type of its input.
    const wide = ops.toFloat32(biasOfSome ? ops.add(scores, biasOfSome) : scores);
    return ops.matmul(ops.cast(ops.softmax(wide), ops.typeOf(value)), values); // [1, H, L, D]
  });
  const { shape } = query;
  return [ops.reshape(ops.transpose(attended, [0, 2, 1, 3]), [1, shape[1]!, value.shape[2]!])];
}

/** [1, L, H*D] as [1, H, L, D]. */
function inHeads(x: Value, numHeads: number): Value {
  const [, length, width] = x.shape as [number, Dim, number];
  const size = width / numHeads;
  // Nothing moves where there is one head.
  if (numHeads === 1) return ops.reshape(x, [1, 1, length, size]);
  return ops.transpose(ops.reshape(x, [1, length, numHeads, size]), [0, 2, 1, 3]);
}

const transposed = (x: Value): Value => ops.transpose(x, [0, 1, 3, 2]);

/** How often queries are taken so that the scores of one turn fit; 0 for other operators. */
export function numTurns(
  { opType, inputs, attributes }: Operator,
  { maxTensorBytes, sizes }: AttentionOptions,
): number {
  const operator = OPERATORS[opType];
  if (!operator) return 0;
  const [query, key] = inputs as [Value, Value];
  const sizeOf = (dim: Dim): number => (typeof dim === "number" ? dim : (sizes[dim] ?? 0));
  const rowBytes = FLOAT * intOf(attributes, operator.heads) * sizeOf(key.shape[1]!);
  const rowsAtOnce = Math.max(1, Math.floor(maxTensorBytes / rowBytes));
  return Math.max(1, Math.ceil(sizeOf(query.shape[1]!) / rowsAtOnce));
}

/**
 * Attends for parts of the queries [1, H, L, D] and of the bias [1, H or 1, L, S], and joins what each gives. How many
 * rows a part has follows when the graph runs: none may be empty, so parts behind the last row take this again.
 */
function inTurns(
  queries: Value,
  bias: Value | undefined,
  turns: number,
  attend: (queries: Value, bias: Value | undefined) => Value,
): Value {
  if (turns === 1) return attend(queries, bias);
  const length = ops.sizeAlong(queries, 2);
  const rows = ops.div(ops.add(length, ints([turns - 1])), ints([turns]));
  const parts = Array.from({ length: turns }, (_, turn) => {
    const first = ops.mul(rows, ints([turn]));
    const start = ops.min(first, ops.sub(length, ints([1])));
    const end = ops.min(ops.add(first, rows), length);
    const part = (x: Value): Value => ops.between(x, 2, start, end, `${x.shape[2]} of turn ${turn}`);
    return attend(part(queries), bias && part(bias));
  });
  return ops.firstAlong(ops.concat(parts, 2), 2, length, queries.shape[2]!);
}
