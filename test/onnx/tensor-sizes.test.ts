/** What a tensor takes follows from the inputs' shapes, through every way in which the networks make dimensions. */
import { describe, expect, it } from "vitest";
import { input, serialise, type Shape, type Value, floats } from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import { type InputShapes, largestTensor, type SizedTensor } from "../../src/onnx/tensor-sizes.ts";

const float = (name: string, shape: Shape): Value => input(name, "float32", shape);
const largest = (y: Value, shapes: InputShapes): SizedTensor | undefined =>
  largestTensor(serialise("test", { y }).deviceNodes, shapes);

describe("the largest tensor", () => {
  it("is named after the weight that makes it", () => {
    const weight = ops.toFloat32({
      ...floats([1, 2, 3, 4, 5, 6], [3, 2]),
      origin: {
        kind: "initializer",
        name: "block.proj.weight",
        data: { kind: "inline", bytes: new Uint8Array(24) },
      },
    });
    const y = ops.relu(ops.rows(ops.gemm(float("x", ["rows", 2]), weight), 0, 1, 1));
    expect(largest(y, { x: [10, 2] })).toEqual({ name: "block.proj/Gemm", shape: [10, 3], bytes: 120 });
  });

  it("follows from a sum and from a product", () => {
    const joined = ops.concat([float("x", ["a", 2, 3]), float("z", ["b", 2, 3])], 0, "sum");
    const y = ops.transpose(ops.reshape(joined, ["all", 3]), [1, 0]);
    expect(largest(y, { x: [4, 2, 3], z: [5, 2, 3] })).toMatchObject({ shape: [9, 2, 3], bytes: 216 });
    const scores = ops.matmul(
      ops.reshape(joined, ["all", 3]),
      ops.transpose(ops.reshape(joined, ["all", 3]), [1, 0]),
    );
    expect(largest(scores, { x: [4, 2, 3], z: [5, 2, 3] })).toMatchObject({ shape: [18, 18] });
  });

  it("follows from pictures that are halved and doubled", () => {
    const kernel = floats(Array<number>(9).fill(1), [1, 1, 3, 3]);
    const half = ops.conv2d(float("x", [1, 1, "h", "w"]), kernel, undefined, {
      stride: 2,
      padding: [0, 0, 1, 1],
    });
    const shapes = { x: [1, 1, 8, 12] };
    expect(largest(half, shapes)).toMatchObject({ shape: [1, 1, 4, 6] });
    expect(largest(ops.upsampleNearest(ops.upsampleNearest(half)), shapes)).toMatchObject({
      shape: [1, 1, 16, 24],
    });
  });

  it("is none of those whose size does not follow", () => {
    const y = ops.relu(ops.rowsAfter(float("x", ["a", 2]), float("z", ["b", 2]), "rest"));
    expect(largest(y, { x: [4, 2], z: [1, 2] })?.name).not.toContain("Relu");
  });
});
