/** The kernels of onnxruntime's CUDA provider, as `npm run cuda:kernels` read them from its registry. */
import type { DType } from "../../src/onnx/dtype.ts";
import type { Operator } from "../../src/onnx/graph.ts";
import { readJson } from "./fixtures.ts";

export interface KernelTable {
  source: { package: string; version: string; kernels: number };
  /** Version of each operator domain for which the kernels were chosen. */
  opsets: Record<string, number>;
  /** By name, that of the domain before it. */
  operators: Record<string, KernelsOfOperator>;
}

interface KernelsOfOperator {
  /** The version of the operator that a graph of these opsets has. */
  since: number;
  /** As `name: type`; the last one of a variable number is `name...: type`. */
  inputs: string[];
  outputs: string[];
  kernels: {
    versions: [first: number, last: number | null];
    /** The types that it takes, by the name of an input, of an output, or of the type of some. */
    types: Record<string, string[]>;
  }[];
}

export const cudaKernels = readJson<KernelTable>("cuda-kernels.json");

export const nameOf = ({ domain, opType }: Operator): string =>
  domain === "" ? opType : `${domain}.${opType}`;

/** An operator and its types, as a sentence shows it: `Gemm(float16, float16) -> float16`. */
export function signatureOf(operator: Operator): string {
  const inputs = operator.inputs.map((value) => value?.dtype ?? "none").join(", ");
  return `${nameOf(operator)}(${inputs}) -> ${operator.outputs.map(({ dtype }) => dtype).join(", ")}`;
}

/** Whether the provider has a kernel for the operator with these element types. */
export function hasKernel(operator: Operator, { operators }: KernelTable = cudaKernels): boolean {
  const known = operators[nameOf(operator)];
  if (known === undefined) return false;
  const inputs = boundTo(known.inputs, operator.inputs);
  const outputs = boundTo(known.outputs, operator.outputs);
  return known.kernels.some(({ types }) =>
    // The first input or output there is of that type, or of that name, decides.
    Object.entries(types).every(([key, accepted]) => {
      const dtype = [...inputs, ...outputs].find(({ name, type }) => name === key || type === key)?.dtype;
      return dtype === undefined || accepted.includes(dtype);
    }),
  );
}

interface Argument {
  name: string;
  type: string;
  dtype: DType;
}

/** The arguments that are there, with the parameters that they are for. */
function boundTo(
  parameters: readonly string[],
  values: readonly ({ dtype: DType } | undefined)[],
): Argument[] {
  return values.flatMap((value, index) => {
    const parameter = parameters[index] ?? parameters.at(-1)!;
    const [, name, type] = /^(.*?)(?:\.\.\.)?: (.*)$/.exec(parameter)!;
    return value === undefined ? [] : [{ name: name!, type: type!, dtype: value.dtype }];
  });
}
