/** Norms whose scale and shift are computed from the noise level, and the gates of the layers that follow them. */
import { scalar, type Value } from "../../onnx/graph.ts";
import { eachImage } from "../../onnx/each-image.ts";
import * as ops from "../../onnx/ops.ts";

/** [C] each. */
export interface NormVectors {
  shift: Value;
  scale: Value;
}

/** What one adaptive norm does to a stream, [C] each; of several images, [batch, 1, C]. */
export interface Modulation extends NormVectors {
  /** Those of each image, if there are several: the CPU's operator rounds otherwise where it has one for each image. */
  ofEach?: readonly NormVectors[] | undefined;
  /** The factor for the output of the layer that follows the norm. */
  gate: Value;
}

/** The two norms of a stream in a double-stream block. */
export interface StreamModulation {
  attention: Modulation;
  mlp: Modulation;
}

/** The largest number of float16. */
const MAX_FLOAT16 = 65_504;

/** norm(x) * (1 + scale) + shift in one operator: the norm's own scale and shift are computed, not learnt. */
export function modulate(x: Value, { ofEach, ...ofAll }: Omit<Modulation, "gate">, epsilon: number): Value {
  const type = ops.typeOf(x);
  const normed = (some: Value, { shift, scale }: NormVectors): Value =>
    ops.layerNorm(some, ops.cast(ops.add(scale, scalar(1)), type), ops.cast(shift, type), epsilon);
  return ofEach === undefined
    ? normed(x, ofAll)
    : eachImage(x, (image, index) => normed(image, ofEach[index]!), ofEach.length);
}

/** As in the reference, float16 values that would be infinite are clamped to the largest number. */
export function gated(residual: Value, gate: Value, x: Value): Value {
  const type = ops.typeOf(residual);
  const sum = ops.add(residual, ops.mul(ops.cast(gate, type), x));
  return type === "float16" ? ops.clip(sum, -MAX_FLOAT16, MAX_FLOAT16) : sum;
}
