import { describe, expect, it } from "vitest";
import { input } from "../../src/onnx/graph.ts";
import { readActivation, readDiffusersActivation } from "../../src/models/activation.ts";
import { Config } from "../../src/weights/config.ts";
import { evaluate, tensor } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";

const config = (name?: string): Config => new Config("text_encoder/config.json", { hidden_act: name });

describe("an activation", () => {
  // Values of transformers' ACT2FN (transformers 5.23.0) at -1 and 2.
  it.each([
    ["gelu", -0.158655, 1.9545],
    ["gelu_fast", -0.158808, 1.954598],
    ["gelu_new", -0.158808, 1.954598],
    ["gelu_python", -0.158655, 1.9545],
    ["gelu_pytorch_tanh", -0.158808, 1.954598],
    ["leaky_relu", -0.01, 2],
    ["quick_gelu", -0.154204, 1.935659],
    ["relu", 0, 2],
    ["relu2", 0, 4],
    ["silu", -0.268941, 1.761594],
    ["swish", -0.268941, 1.761594],
  ])("%s is known by its name in transformers", async (name, atMinusOne, atTwo) => {
    const y = readActivation(config(name), "hidden_act")(input("x", "float32", [2]));
    const { data } = await evaluate(y, { x: tensor([-1, 2]) });
    expect(data[0]).toBeCloseTo(atMinusOne, 5);
    expect(data[1]).toBeCloseTo(atTwo, 5);
  });

  it("that is not named is the fallback", async () => {
    const y = readActivation(config(), "hidden_act", "relu")(input("x", "float32", [2]));
    expect((await evaluate(y, { x: tensor([-1, 2]) })).data).toEqual([0, 2]);
  });

  it("has few names in diffusers, in whichever case", () => {
    const read = (name: string) => readDiffusersActivation(config(name), "hidden_act", "silu");
    expect(read("SiLU")).toBe(read("swish"));
    expect(() => read("tanh")).toThrow(/, hidden_act is tanh; known are gelu, mish, relu, silu, swish\.$/);
  });

  it.each(["prelu", "toString", ""])("%o is refused, with the names that are known", (name) => {
    expect(() => readActivation(config(name), "hidden_act")).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In text_encoder/config.json, hidden_act is ${name}; known are gelu, gelu_10, gelu_accurate, gelu_fast, gelu_new, gelu_python, gelu_python_tanh, gelu_pytorch_tanh, hardswish, laplace, leaky_relu, linear, mish, quick_gelu, relu, relu2, relu6, sigmoid, silu, sqrtsoftplus, swish, tanh.`,
      ),
    );
  });
});
