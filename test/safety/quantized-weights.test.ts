import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { scalar, type Value } from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import { QuantizedWeights } from "../../src/safety/quantized-weights.ts";
import { evaluate } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { fileOf, float32, type TensorFields, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const uint8 = (values: readonly number[], shape: number[] = [values.length]): TensorFields => ({
  dtype: "U8",
  shape,
  bytes: Uint8Array.from(values),
});

/** A layer behind one byte, so that no float lies at a multiple of four. */
const TENSORS = {
  before: uint8([9]),
  "block.dense.weight": uint8([0, 1, 2, 255], [2, 2]),
  "block.dense.scale": float32([0.5]),
  "block.dense.minimum": float32([-1]),
  "block.dense.bias": float32([3, -4]),
};

async function fileWith(changes: Record<string, TensorFields> = {}): Promise<string> {
  const file = path.join(await temporaryFolder(), "model.safetensors");
  await writeSafetensors(file, { ...TENSORS, ...changes });
  return file;
}

const numbersIn = (value: Value): ReturnType<typeof evaluate> => evaluate(ops.add(value, scalar(0)));

describe("quantized weights", () => {
  it("are the minimum and so many times the scale, and their biases as they are", async () => {
    const dense = (await QuantizedWeights.read(await fileWith())).child("block").child("dense");
    expect(await numbersIn(dense.kernel([2, 2]))).toEqual({ data: [-1, -0.5, 0, 126.5], shape: [2, 2] });
    expect(await numbersIn(dense.bias(2))).toEqual({ data: [3, -4], shape: [2] });
  });

  it.each<[string, Record<string, TensorFields>, string]>([
    [
      "of another shape",
      { "block.dense.weight": uint8([0, 1, 2, 3]) },
      "block.dense.weight must be uint8 [2, 2] and is U8 [4]",
    ],
    [
      "that are floats",
      { "block.dense.weight": float32([0, 1, 2, 3], [2, 2]) },
      "block.dense.weight must be uint8 [2, 2] and is F32 [2, 2]",
    ],
    [
      "with two scales",
      { "block.dense.scale": float32([1, 2]) },
      "block.dense.scale must be float32 [1] and is F32 [2]",
    ],
    [
      "with a minimum of a type that nobody knows",
      { "block.dense.minimum": { dtype: "F64", shape: [1], bytes: new Uint8Array(8) } },
      "block.dense.minimum must be float32 [1] and is F64 [1]",
    ],
  ])("%s are refused by name", async (_, changes, sentence) => {
    const file = await fileWith(changes);
    const dense = (await QuantizedWeights.read(file)).child("block.dense");
    expect(() => dense.kernel([2, 2])).toThrow(
      refusal("CHECKPOINT_INVALID", `In ${file}, the weight ${sentence}.`),
    );
  });

  it("that are missing are named", async () => {
    const file = await fileWith();
    const weights = await QuantizedWeights.read(file);
    expect(() => weights.child("other").bias(2)).toThrow(
      refusal("CHECKPOINT_INVALID", `In ${file}, the weight other.bias must be float32 [2] and is missing.`),
    );
  });

  it("in a file that is none, or none at all, are refused", async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, "model.safetensors");
    await expect(QuantizedWeights.read(file)).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", `The weights file ${file} cannot be opened.`),
    );
    await writeFile(file, fileOf("no JSON"));
    await expect(QuantizedWeights.read(file)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The weights file ${file} is damaged: its header is not JSON.`),
    );
  });
});
