import { describe, expect, it } from "vitest";
import { floats, input } from "../../src/onnx/graph.ts";
import { cast, toFloat32 } from "../../src/onnx/ops.ts";
import { attend, batched, headNorm, lastDim, layerNorm, linear, unbatched } from "../../src/models/layers.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { difference } from "../support/compare.ts";
import { evaluate, tensor, wave } from "../support/onnx.ts";
import { float32, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import path from "node:path";

/** The weights of a file of its own. */
async function weightsOf(tensors: Record<string, ReturnType<typeof float32>>): Promise<WeightSet> {
  const file = path.join(await temporaryFolder(), "model.safetensors");
  await writeSafetensors(file, tensors);
  return new WeightSet("network", await readSafetensorsHeader(file));
}

describe("linear", () => {
  it("applies weight and bias of its name", async () => {
    const weights = await weightsOf({
      "block.up.weight": float32([1, 2, 3, 4, 5, 6], [2, 3]),
      "block.up.bias": float32([100, 200]),
    });
    const y = linear(weights.scope("block"), "up", input("x", "float32", ["tokens", 3]), 2);
    const { data } = await evaluate(y, { x: tensor([1, 0, 1, 0, 1, 0], [2, 3]) }, weights.baseFolder);
    expect(data).toEqual([104, 210, 102, 205]);
  });

  it("asks for no bias where it is told so", async () => {
    const weights = await weightsOf({ "up.weight": float32([2], [1, 1]) });
    const y = linear(weights.scope(), "up", input("x", "float32", [1, 1]), 1, { hasBias: false });
    expect((await evaluate(y, { x: tensor([3], [1, 1]) }, weights.baseFolder)).data).toEqual([6]);
  });
});

describe("linear in half precision", () => {
  it("takes its weights in the type of its input", async () => {
    const weights = await weightsOf({ "up.weight": float32([3, 2], [1, 2]), "up.bias": float32([0.5]) });
    const y = linear(weights.scope(), "up", cast(input("x", "float32", ["tokens", 2]), "float16"), 1);
    expect(y.dtype).toBe("float16");
    const types = y.origin.kind === "node" && y.origin.node.inputs.map((value) => value!.dtype);
    expect(types).toEqual(["float16", "float16", "float16"]);
    const { data } = await evaluate(toFloat32(y), { x: tensor([1, 2], [1, 2]) }, weights.baseFolder);
    expect(data).toEqual([7.5]);
  });
});

describe("norms", () => {
  it("layerNorm scales and shifts by the weights of its name", async () => {
    const weights = await weightsOf({ "norm.weight": float32([2, 3]), "norm.bias": float32([10, 20]) });
    const y = layerNorm(weights.scope(), "norm", input("x", "float32", [1, 2]), 0);
    expect((await evaluate(y, { x: tensor([-5, 5], [1, 2]) }, weights.baseFolder)).data).toEqual([8, 23]);
  });

  it("headNorm divides each head by its own root mean square", async () => {
    const weights = await weightsOf({ "norm_q.weight": float32([1, 10]) });
    const y = headNorm(weights.scope(), "norm_q", input("x", "float32", ["tokens", 4]), 2, 0);
    const { data, shape } = await evaluate(y, { x: tensor([3, 3, -0.5, 0.5], [1, 4]) }, weights.baseFolder);
    expect(shape).toEqual([1, 1, 4]);
    expect(difference(data, [1, 10, -1, 10]).largest).toBeLessThan(1e-5);
  });
});

describe("attend", () => {
  it("is attention without the axis of the batch", async () => {
    // Equal scores: every token gets the mean of the values.
    const same = floats([1, 1, 1, 1], [2, 2]);
    const value = input("value", "float32", [2, 2]);
    const y = attend(same, same, value, { numHeads: 1 });
    expect(await evaluate(y, { value: tensor([1, 2, 3, 6], [2, 2]) })).toEqual({
      data: [2, 4, 2, 4],
      shape: [2, 2],
    });
  });

  it("adds and takes off that axis", () => {
    const x = input("x", "float32", ["tokens", 4]);
    expect(batched(x).shape).toEqual([1, "tokens", 4]);
    expect(unbatched(batched(x)).shape).toEqual(["tokens", 4]);
  });
});

describe("lastDim", () => {
  it("is known when the graph is written, or refused", () => {
    expect(lastDim(floats(wave(6), [2, 3]))).toBe(3);
    expect(() => lastDim(input("x", "float32", [3, "tokens"]))).toThrow(
      "The last dimension of [3, tokens] is unknown.",
    );
  });
});
