import { describe, expect, it } from "vitest";
import { buildModel, constant, externalTensor, input, ints, type Value } from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import { readModel } from "../support/onnx.ts";

const weight = (name: string, shape: readonly number[]): Value =>
  externalTensor(name, "float32", shape, { location: "w", byteOffset: 0, byteLength: 4 });
const build = (outputs: Record<string, Value>) => readModel(buildModel("network", outputs));

describe("the names of a model", () => {
  it("come from the weights that its nodes use", () => {
    const x = input("x", "float32", ["tokens", 4]);
    const bias = weight("blocks.0.proj.bias", [4]);
    const { name, nodes, initializers } = build({
      y: ops.silu(ops.gemm(x, weight("blocks.0.proj.weight", [4, 4]), bias)),
    });
    expect(name).toBe("network");
    expect(initializers).toEqual(["blocks.0.proj.weight", "blocks.0.proj.bias"]);
    // A node without a weight is named after the node that feeds it.
    expect(nodes.map((node) => node.name)).toEqual([
      "blocks.0.proj/Gemm",
      "blocks.0.proj/Sigmoid",
      "blocks.0.proj/Mul",
    ]);
  });

  it("are unique where one scope holds several nodes of a kind", () => {
    const x = input("x", "float32", [4]);
    const { nodes } = build({ y: ops.mul(ops.mul(x, weight("a.scale", [4])), weight("a.gate", [4])) });
    expect(nodes.map((node) => node.name)).toEqual(["a/Mul", "a/Mul_2"]);
    expect(nodes[1]!.inputs).toEqual(["a/Mul", "a.gate"]);
  });

  it("give constants and the further outputs of a node their own", () => {
    const [first, second] = ops.split(input("x", "float32", [4]), 2, 0);
    const { nodes, initializers } = build({
      y: ops.add(ops.reshape(first!, [1, 2]), ops.reshape(second!, [2, 1])),
    });
    expect(initializers).toEqual(["constant", "constant_2", "constant_3"]);
    expect(nodes[0]!.outputs).toEqual(["Split", "Split:1"]);
    expect(nodes.map((node) => node.inputs)).toEqual([
      ["x", "constant"],
      ["Split", "constant_2"],
      ["Split:1", "constant_3"],
      ["Reshape", "Reshape_2"],
    ]);
  });
});

describe("the outputs of a model", () => {
  it("have the names and shapes that they are asked for under", () => {
    const x = input("x", "float32", ["tokens", 6]);
    const [left, right] = ops.split(x, 2, 1);
    const { nodes, outputs } = build({ right: right!, "cos(left)": ops.cos(left!) });
    expect(outputs).toEqual({ right: ["tokens", 3], "cos(left)": ["tokens", 3] });
    expect(nodes.map((node) => node.outputs)).toEqual([["Split", "right"], ["cos(left)"]]);
  });

  it("may be inputs of other nodes at the same time", () => {
    const inner = ops.sin(input("x", "float32", [2]));
    const { nodes } = build({ inner, outer: ops.cos(inner) });
    expect(nodes.map(({ inputs, outputs }) => [inputs, outputs])).toEqual([
      [["x"], ["inner"]],
      [["inner"], ["outer"]],
    ]);
  });

  it("must be computed: an input alone is refused", () => {
    expect(() => build({ y: input("x", "float32", [2]) })).toThrow("The output y is not computed by a node.");
  });
});

describe("what a model holds", () => {
  it("is discovered from the outputs, inputs included", () => {
    const x = input("x", "float32", ["rows", 2]);
    const unused = input("unused", "float32", [2]);
    const y = ops.gather(x, input("indices", "int64", [3]));
    ops.add(y, unused);
    const { nodes, inputs } = build({ y });
    expect(nodes.map((node) => node.opType)).toEqual(["Gather"]);
    expect(inputs).toEqual({ x: ["rows", 2], indices: [3] });
  });

  it("names a value once, however often it is used", () => {
    const x = input("x", "float32", [2]);
    const scale = weight("scale", [2]);
    const shared = ops.mul(x, scale);
    const { nodes, initializers, inputs } = build({ y: ops.add(ops.mul(shared, scale), ops.add(shared, x)) });
    expect(nodes.map((node) => node.opType)).toEqual(["Mul", "Mul", "Add", "Add"]);
    expect(initializers).toEqual(["scale"]);
    expect(Object.keys(inputs)).toEqual(["x"]);
  });

  it("leaves the place of an input that is not given empty", () => {
    const query = input("query", "float32", [1, 2, 4]);
    const { nodes } = build({
      y: ops.attention(query, query, query, { numHeads: 2, bias: input("bias", "float32", [1, 1, 2, 2]) }),
    });
    expect(nodes).toEqual([
      {
        name: "MultiHeadAttention",
        opType: "MultiHeadAttention",
        domain: "com.microsoft",
        inputs: ["query", "query", "query", "", "", "bias"],
        outputs: ["y"],
      },
    ]);
  });

  it("declares the operator sets that its nodes come from", () => {
    expect(build({ y: ops.sin(input("x", "float32", [])) }).opsets).toEqual({ "": 23, "com.microsoft": 1 });
  });

  it("stands in an order in which every node follows its inputs, also where paths of different length meet", () => {
    const x = input("x", "float32", [2]);
    const early = ops.sin(x);
    let late = early;
    for (let index = 0; index < 5; index += 1) late = ops.mul(ops.cos(late), early);
    const { nodes } = build({ late: ops.add(early, late), early });
    const known = new Set(["x"]);
    for (const node of nodes) {
      for (const name of node.inputs) expect(known).toContain(name);
      for (const name of node.outputs) known.add(name);
    }
    expect(nodes).toHaveLength(12);
  });

  it("may be a chain of 20,000 nodes", () => {
    let y = input("x", "float32", [2]);
    for (let index = 0; index < 20_000; index += 1) y = ops.sin(y);
    const { nodes } = build({ y });
    expect(nodes).toHaveLength(20_000);
    expect(nodes.at(-1)).toMatchObject({ inputs: ["Sin_19999"], outputs: ["y"] });
  });
});

describe("a constant", () => {
  it("must have as many numbers as its shape", () => {
    expect(() => constant(new Float32Array(5), [2, 3])).toThrow(
      "A constant of shape [2, 3] needs 24 bytes, not 20.",
    );
  });

  it("of whole numbers is int64, of others float32", () => {
    expect([ints([1, 2]).dtype, constant(new Float32Array(1), []).dtype]).toEqual(["int64", "float32"]);
  });
});

describe("names", () => {
  it("are refused when two tensors of a model would share one", () => {
    const two = ops.add(input("x", "float32", [1]), input("x", "float32", [1]));
    expect(() => buildModel("model", { y: two })).toThrow("Two tensors of the model model are called x.");
  });

  it("are refused when one tensor would have two", () => {
    const y = ops.relu(input("x", "float32", [1]));
    expect(() => buildModel("model", { a: y, b: y })).toThrow("The outputs a and b are the same tensor.");
  });
});
