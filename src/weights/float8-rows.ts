/** Rows of a table in fp8: the runtime takes rows of its bytes, each of which stands for one of 256 numbers. */
import { type DType, onnxCodeOf } from "../onnx/dtype.ts";
import { floats, makeNode, type Value } from "../onnx/graph.ts";
import { gather } from "../onnx/ops.ts";
import { widened } from "./widened.ts";

const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/**
 * @param bytes the table as uint8, [rows, C]
 * @param dtype what its bytes are
 * @returns the rows `indices` as float32, [...indices, C]; no other row is widened
 */
export function float8Rows(bytes: Value, dtype: DType, indices: Value): Value {
  const rows = gather(bytes, indices);
  const attributes = { to: { kind: "int", value: onnxCodeOf("int64") } } as const;
  const [places] = makeNode("Cast", [rows], [{ dtype: "int64", shape: rows.shape }], { attributes });
  return gather(floats([...widened(dtype, BYTES)]), places!);
}
