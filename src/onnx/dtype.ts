/** Element types: their ONNX code, their size and what a safetensors header calls them. */
const DTYPES = {
  float64: { onnxCode: 11, byteSize: 8, safetensors: "F64" },
  float32: { onnxCode: 1, byteSize: 4, safetensors: "F32" },
  float16: { onnxCode: 10, byteSize: 2, safetensors: "F16" },
  bfloat16: { onnxCode: 16, byteSize: 2, safetensors: "BF16" },
  float8e4m3fn: { onnxCode: 17, byteSize: 1, safetensors: "F8_E4M3" },
  float8e5m2: { onnxCode: 19, byteSize: 1, safetensors: "F8_E5M2" },
  int64: { onnxCode: 7, byteSize: 8, safetensors: "I64" },
  int32: { onnxCode: 6, byteSize: 4, safetensors: "I32" },
  int16: { onnxCode: 5, byteSize: 2, safetensors: "I16" },
  int8: { onnxCode: 3, byteSize: 1, safetensors: "I8" },
  uint64: { onnxCode: 13, byteSize: 8, safetensors: "U64" },
  uint32: { onnxCode: 12, byteSize: 4, safetensors: "U32" },
  uint16: { onnxCode: 4, byteSize: 2, safetensors: "U16" },
  uint8: { onnxCode: 2, byteSize: 1, safetensors: "U8" },
  bool: { onnxCode: 9, byteSize: 1, safetensors: "BOOL" },
} as const;

export type DType = keyof typeof DTYPES;

/** What a network can compute in. Sums of products, norms and softmax are formed in float32 in any of them. */
export const COMPUTE_TYPES = ["float32", "float16", "bfloat16"] as const satisfies readonly DType[];
/** Number type in which the transformer computes. */
export type ComputeType = (typeof COMPUTE_TYPES)[number];

export const onnxCodeOf = (dtype: DType): number => DTYPES[dtype].onnxCode;
export const byteSizeOf = (dtype: DType): number => DTYPES[dtype].byteSize;
export const safetensorsNameOf = (dtype: DType): string => DTYPES[dtype].safetensors;

/** The element type that a safetensors header names, or undefined for one that no network here uses. */
export function dtypeFromSafetensors(name: string): DType | undefined {
  return (Object.keys(DTYPES) as DType[]).find((dtype) => DTYPES[dtype].safetensors === name);
}
