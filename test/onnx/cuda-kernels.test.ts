/**
 * Whether onnxruntime's CUDA provider has a kernel for every node of every network, by its own registry: a node without
 * one runs on the processor, and its tensors travel in every step.
 */
import { describe, expect, it } from "vitest";
import { PROVIDER } from "../../scripts/cuda.mjs";
import { floats, input, type Operator, operatorsOf, OPSETS, type Value } from "../../src/onnx/graph.ts";
import { isWeight } from "../../src/onnx/forms/weights.ts";
import { clip, cos, gemm, reduceMean, upsampleNearest } from "../../src/onnx/ops.ts";
import { matmulNBits } from "../../src/onnx/quantized-ops.ts";
import { builtNetworks, SOURCES } from "../../tools/networks.ts";
import { cudaKernels, hasKernel, signatureOf } from "../support/cuda-kernels.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** The sign of a stored matrix of bytes is turned once, by the processor, as the network is loaded. */
const isFolded = ({ opType, inputs }: Operator): boolean =>
  opType === "BitwiseXor" && inputs.every((value) => value !== undefined && isWeight(value));

it("knows the kernels of the provider that `npm run cuda` installs, at the opsets of the graphs", () => {
  expect(cudaKernels.source).toMatchObject({ package: PROVIDER.project, version: PROVIDER.version });
  expect(cudaKernels.opsets).toEqual(OPSETS);
});

it.each(SOURCES.map((source) => [source.name, source] as const))(
  "has one for every node of %s, in every type and kind of weights",
  async (_, source) => {
    const missing = new Map<string, string>();
    const seen = { networks: new Set<string>(), types: new Set<string>(), kinds: new Set<string>() };
    for await (const built of builtNetworks([source], await temporaryFolder())) {
      const { network, kind, computeType, isAdaptable } = built;
      seen.networks.add(network);
      seen.kinds.add(kind);
      for (const operator of operatorsOf(built.outputs)) {
        for (const { dtype } of operator.outputs) seen.types.add(dtype);
        if (hasKernel(operator) || isFolded(operator)) continue;
        const where = `${network}, ${kind} in ${computeType}${isAdaptable ? ", adaptable" : ""}`;
        missing.set(signatureOf(operator), where);
      }
    }
    expect(Object.fromEntries(missing)).toEqual({});
    expect([...seen.types]).toEqual(expect.arrayContaining(["float32", "float16", "bfloat16", "int64"]));
    expect(seen.kinds).toEqual(new Set(["fp32", "fp16", "bf16", "int8", "int4"]));
    expect(seen.networks.size).toBeGreaterThan(4);
  },
);

describe("the look-up", () => {
  const operatorOf = (value: Value): Operator => operatorsOf({ value }).at(-1)!;
  const of = (dtype: Value["dtype"], ...shape: number[]): Value => input("x", dtype, shape);

  it("finds kernels by domain, type and output", () => {
    expect(hasKernel(operatorOf(gemm(of("bfloat16", 2, 4), of("bfloat16", 3, 4))))).toBe(true);
    expect(hasKernel(operatorOf(cos(of("bfloat16", 2))))).toBe(true);
    const quantised = matmulNBits(of("float16", 2, 32), {
      shape: [3, 32],
      bits: 4,
      blockSize: 32,
      blocks: of("uint8", 3, 1, 16),
      scales: of("float16", 3, 1),
      accuracyLevel: 4,
    });
    expect(hasKernel(operatorOf(quantised))).toBe(true);
  });

  it("knows what the provider lacks", () => {
    // The autoencoder must not be given a type of its own without a look here.
    expect(hasKernel(operatorOf(upsampleNearest(of("bfloat16", 1, 1, 2, 2))))).toBe(false);
    expect(hasKernel(operatorOf(clip(of("bfloat16", 2), 0, 1)))).toBe(false);
    expect(hasKernel(operatorOf(gemm(of("int8", 2, 4), of("int8", 3, 4))))).toBe(false);
    const mean = operatorOf(reduceMean(floats([1, 2]), 0));
    expect(hasKernel(mean)).toBe(true);
    expect(hasKernel({ ...mean, domain: "com.microsoft" })).toBe(false);
    expect(hasKernel({ ...mean, opType: "GroupNormalization" })).toBe(false);
  });
});
