/**
 * The layers that the networks share. Tokens are the rows of a matrix; where a transformer works on several images at once,
 * those of all (`transformers/image-batch.ts`). Letters in the shapes: L tokens, Lt text tokens, C channels, H heads, D head size, h w latent grid.
 */
import { type Dim, showShape, type Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import * as quantized from "../onnx/quantized-ops.ts";
import type { WeightScope } from "../weights/weight-set.ts";

/**
 * Applies `name.weight` [size, C] and, by default, `name.bias` [size] to x [L, C]: [L, size]. The weights are used in
 * the type of x.
 */
export function linear(
  weights: WeightScope,
  name: string,
  x: Value,
  size: number,
  { hasBias = true }: { hasBias?: boolean } = {},
): Value {
  const scope = weights.child(name);
  const weight = scope.matrix("weight", [size, lastDim(x)]);
  const typed = (value: Value): Value => ops.cast(value, ops.typeOf(x));
  const bias = hasBias ? typed(scope.tensor("bias", [size])) : undefined;
  const read = scope.adaptedInput(x);
  const y =
    "blocks" in weight
      ? quantized.matmulNBits(read, { ...weight, scales: typed(weight.scales) }, bias)
      : ops.gemm(read, typed(weight), bias);
  return scope.adapted(x, y);
}

/** `linear` without a bias. */
export const plainLinear = (weights: WeightScope, name: string, x: Value, size: number): Value =>
  linear(weights, name, x, size, { hasBias: false });

/** Root-mean-square norm with a learnt scale. */
export const rmsNorm = (weights: WeightScope, name: string, x: Value, epsilon: number): Value =>
  ops.rmsNorm(x, weights.child(name).tensor("weight", [lastDim(x)]), epsilon);

/** Layer norm with learnt scale and shift. */
export function layerNorm(weights: WeightScope, name: string, x: Value, epsilon: number): Value {
  const scope = weights.child(name);
  const size = lastDim(x);
  return ops.layerNorm(x, scope.tensor("weight", [size]), scope.tensor("bias", [size]), epsilon);
}

/**
 * Root-mean-square norm of each head's part of x [L, H*D] with a learnt scale [D]: float32 [1, L, H*D], the input that
 * the rotary embedding takes.
 * @param inImages gives what was normed, [L, H, D], that shape
 */
export function headNorm(
  weights: WeightScope,
  name: string,
  x: Value,
  headSize: number,
  epsilon: number,
  inImages: (normed: Value) => Value = (normed) => ops.reshape(normed, [1, ...x.shape]),
): Value {
  const tokens = x.shape[0]!;
  const heads = ops.reshape(ops.toFloat32(x), [tokens, lastDim(x) / headSize, headSize]); // [L, H, D]
  const scope = weights.child(name);
  const normed = ops.rmsNorm(heads, scope.adaptedNorm(scope.tensor("weight", [headSize])), epsilon);
  return inImages(normed);
}

/** x [L, C] as a batch of one, [1, L, C]; the shape that attention takes. */
export const batched = (x: Value): Value => ops.reshape(x, [1, ...x.shape]);
/** The reverse of `batched`. */
export const unbatched = (x: Value): Value => ops.reshape(x, x.shape.slice(1));

/** Attention for unbatched matrices [L, H*D]. */
export function attend(
  query: Value,
  key: Value,
  value: Value,
  options: Parameters<typeof ops.attention>[3],
): Value {
  return unbatched(ops.attention(batched(query), batched(key), batched(value), options));
}

export function lastDim(x: Value): number {
  const dim: Dim | undefined = x.shape.at(-1);
  if (typeof dim !== "number") throw new Error(`The last dimension of ${showShape(x.shape)} is unknown.`);
  return dim;
}
