/**
 * Images that one run of a transformer works on side by side: [batch, L, C], where linear layers see the rows of all. No
 * image reads a number of another, so on the CPU each has the bits that it has alone (`test/pipelines/flux1-kontext/batches.test.ts`).
 */
import { type Dim, ints, type Value } from "../../onnx/graph.ts";
import * as ops from "../../onnx/ops.ts";
import { lastDim } from "../layers.ts";

/** The most images of a run. */
export const MAX_IMAGES = 4;

export interface ImageBatch {
  /** 1, or the name of the number of images. */
  readonly size: Dim;
  /** x [batch, L, C] as the rows of a matrix, [batch * L, C]. */
  rows(x: Value): Value;
  /** The reverse. @param x its numbers, in any shape @param length L, a number or a name @param width C */
  images(x: Value, length: Dim, width: number): Value;
}

/** @param size 1, or a name @param like a value [size, ...] */
export function imageBatch(size: Dim, like: Value): ImageBatch {
  const rowCount = (length: Dim): Dim => (size === 1 ? length : `${size}*${length}`);
  const flattened = new Map<Value, Value>();
  const shapes = new Map<number, Value>();
  /** Of [batch, L, width], where L follows. */
  const shapeWith = (width: number): Value => {
    const known = shapes.get(width) ?? ops.joinedInts([ops.sizeAlong(like, 0), ints([-1, width])]);
    shapes.set(width, known);
    return known;
  };
  return {
    size,
    rows(x) {
      // Layers that read the same value read the same rows, which are rounded once where they are rounded.
      const rows = flattened.get(x) ?? ops.reshape(x, [rowCount(x.shape[1]!), lastDim(x)]);
      flattened.set(x, rows);
      return rows;
    },
    images: (x, length, width) =>
      size === 1
        ? ops.reshape(x, [1, length, width])
        : ops.reshapeTo(x, shapeWith(width), [size, length, width]),
  };
}
