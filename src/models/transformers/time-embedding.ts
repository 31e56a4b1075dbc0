/** The sinusoidal embedding of noise levels and guidance (diffusers 0.42.1, `get_timestep_embedding`). */
import { floats, scalar, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";

/** The factor that sigma and guidance are multiplied by before it. */
const TIME_SCALE = 1000;

/**
 * Cosines, then sines, of numbers [N] at frequencies from 1 down to almost 1/10000: [N, channels]. Where the number of
 * channels is odd, the last one is 0.
 */
export function sinusoidalEmbedding(values: Value, channels: number): Value {
  const half = Math.floor(channels / 2);
  // Rounded to float32 where the reference rounds: at angles of up to 10,000 (guidance 10), the last bit is visible.
  const { fround } = Math;
  const logBase = fround(-Math.log(10_000));
  const frequencies = Array.from({ length: half }, (_, index) =>
    Math.exp(fround(fround(logBase * index) / half)),
  );
  const scaled = ops.mul(ops.reshape(values, [values.shape[0]!, 1]), scalar(TIME_SCALE));
  const angles = ops.mul(scaled, floats(frequencies, [1, half]));
  const zeros = channels % 2 === 0 ? [] : [ops.mul(scaled, floats([0], [1, 1]))];
  return ops.concat([ops.cos(angles), ops.sin(angles), ...zeros], 1);
}
