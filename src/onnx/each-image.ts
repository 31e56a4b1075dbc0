/** The images of a batch one by one, for operators that would compute otherwise for several. */
import type { Value } from "./graph.ts";
import * as ops from "./ops.ts";

/**
 * Applies `compute` to the images of x [batch, ...] and joins what it gives, [batch, ...].
 * @param most as many images as there can be: beyond those of a run it computes with none, [0, ...]
 */
export function eachImage(x: Value, compute: (image: Value, index: number) => Value, most: number): Value {
  const [batch] = x.shape;
  const images = Array.from({ length: most }, (_, index) => {
    return compute(ops.rows(x, index, index + 1, `${batch} at ${index}`), index);
  });
  return ops.concat(images, 0, String(batch));
}
