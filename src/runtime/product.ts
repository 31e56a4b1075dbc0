/** Products of matrices of any size, apart from all networks. */
import { tmpdir } from "node:os";
import { buildModel, input } from "../onnx/graph.ts";
import { gemm } from "../onnx/ops.ts";
import { Session } from "./session.ts";

/** x [M, size] times a matrix [N, size] transposed, in float32: [M, N]. */
export type Multiply = (x: Float32Array, matrix: Float32Array, size: number) => Promise<Float32Array>;

/** The runtime is loaded with the first product. @param threads as for a network */
export function createMultiply(threads: number): Multiply {
  let session: Promise<Session> | undefined;
  return async (x, matrix, size) => {
    session ??= load(threads);
    const { y } = await (
      await session
    ).run({
      x: { data: x, shape: [x.length / size, size] },
      matrix: { data: matrix, shape: [matrix.length / size, size] },
    });
    return y!.data as Float32Array;
  };
}

function load(threads: number): Promise<Session> {
  const y = gemm(input("x", "float32", ["m", "size"]), input("matrix", "float32", ["n", "size"]));
  const options = { name: "product", weightsFolder: tmpdir(), threads, isMemoryReturned: true };
  return Session.load(buildModel("product", { y }), options);
}
