/** Each rewriting gives what the graph gave, without what it takes out. Both are computed on the CPU. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ALL_FORMS, type KernelForms, withForms } from "../../src/onnx/kernel-forms.ts";
import {
  constant,
  externalTensor,
  floats,
  input,
  type Operator,
  operatorsOf,
  serialise,
  type Shape,
  type Value,
} from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import * as quantized from "../../src/onnx/quantized-ops.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { difference } from "../support/compare.ts";
import { evaluateAll, readModel, tensor, wave, waves } from "../support/onnx.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Sums of a few dozen products in another order. */
const TOLERANCE = 1e-6;

const float = (name: string, shape: Shape): Value => input(name, "float32", shape);

type Outputs = Readonly<Record<string, Value>>;
type Feeds = Readonly<Record<string, Tensor>>;

const without = (excluded: Partial<KernelForms>): KernelForms => ({ ...ALL_FORMS, ...excluded });
const opTypes = (outputs: Outputs): string[] => operatorsOf(outputs).map(({ opType }) => opType);
const ofType = (outputs: Outputs, opType: string): Operator[] =>
  operatorsOf(outputs).filter((operator) => operator.opType === opType);

/** Rewrites a graph, and computes it before and after. @returns it rewritten */
async function rewritten(
  outputs: Outputs,
  forms: KernelForms,
  feeds: Feeds,
  { sizes, folder }: { sizes?: Record<string, number>; folder?: string } = {},
): Promise<Outputs> {
  const changed = withForms(outputs, forms, sizes);
  const expected = await evaluateAll(outputs, feeds, folder);
  const actual = await evaluateAll(changed, feeds, folder);
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(actual[name]!.shape).toEqual(shape);
    expect(difference(actual[name]!.data, data).relative).toBeLessThanOrEqual(TOLERANCE);
  }
  return changed;
}

describe("a graph for the CPU", () => {
  it("stays as it is", () => {
    const outputs = { y: ops.relu(float("x", [2])) };
    expect(withForms(outputs, ALL_FORMS)).toBe(outputs);
  });

  it("keeps the nodes that a form leaves alone", () => {
    const outputs = { y: ops.relu(float("x", [2])) };
    expect(withForms(outputs, without({ attention: "written" })).y).toBe(outputs.y);
  });

  it("is rewritten however deep it is", () => {
    let y = float("x", [2]);
    for (let depth = 0; depth < 20_000; depth += 1) y = ops.relu(y);
    const half = ops.toFloat32(ops.cast(y, "float16"));
    expect(opTypes(withForms({ y: half }, without({ hasFloat16: false })))).toHaveLength(20_000);
  });

  it("shares what was shared", () => {
    const x = float("x", [1, 3, 4]);
    const attended = ops.attention(x, x, x, { numHeads: 2 });
    const outputs = withForms({ y: ops.add(attended, attended) }, without({ attention: "written" }));
    expect(ofType(outputs, "Softmax")).toHaveLength(1);
  });
});

describe("Split", () => {
  it.each([1, 2, 7, 8, 9, 44, 344])("gives %i parts, none of more than 3 at once", async (count) => {
    const parts = ops.split(float("x", [count * 2]), count, 0);
    const outputs = { y: ops.concat(parts.toReversed(), 0), ...(count > 1 && { first: parts[0]! }) };
    const changed = await rewritten(outputs, without({ maxOutputs: 3 }), { x: waves([count * 2]) });
    for (const { outputs: given } of ofType(changed, "Split")) expect(given.length).toBeLessThanOrEqual(3);
  });

  it("cuts into sizes that differ, along any axis", async () => {
    const [a, b, c, d] = ops.splitSizes(float("x", [2, 10, 1]), [1, 2, 3, 4], 1);
    const outputs = { a: a!, b: b!, c: c!, d: d! };
    const changed = await rewritten(outputs, without({ maxOutputs: 2 }), { x: waves([2, 10, 1]) });
    expect(ofType(changed, "Split").map(({ outputs: given }) => given.length)).toEqual([2, 2, 2]);
  });
});

describe("Conv", () => {
  const inFours = without({ convChannels: "fours" });
  const convolved = (channels: number, options: Parameters<typeof ops.conv2d>[3] = {}): Value => {
    const { groups = 1 } = options;
    const weight = floats(wave(8 * (channels / groups) * 9), [8, channels / groups, 3, 3]);
    const x = float("x", [1, channels, "height", "width"]);
    return ops.conv2d(x, weight, floats(wave(8, 1)), { padding: [1, 1, 1, 1], ...options });
  };

  it.each([5, 6, 7, 9, 15])("of %i channels is given zeros up to a multiple of four", async (channels) => {
    const y = ops.relu(convolved(channels));
    const changed = await rewritten({ y }, inFours, { x: waves([1, channels, 5, 6], 2) });
    const [conv] = ofType(changed, "Conv");
    for (const value of conv!.inputs.slice(0, 2)) expect((value!.shape[1] as number) % 4).toBe(0);
  });

  it("is given zeros where it halves, has no bias or is stored in half precision", async () => {
    const x = float("x", [1, 6, 8, 8]);
    const weight = ops.cast(floats(wave(4 * 6 * 9), [4, 6, 3, 3]), "float16");
    const halved = ops.conv2d(x, ops.toFloat32(weight), undefined, { stride: 2, padding: [0, 0, 1, 1] });
    const changed = await rewritten({ halved }, inFours, { x: waves([1, 6, 8, 8], 2) });
    expect(ofType(changed, "Pad")).toHaveLength(1);
  });

  it.each([1, 2, 3, 4, 8, 12])("of %i channels is left as it is", (channels) => {
    const y = convolved(channels);
    expect(withForms({ y }, inFours).y).toBe(y);
  });

  it("in groups is left as it is", () => {
    const y = convolved(6, { groups: 2 });
    expect(withForms({ y }, inFours).y).toBe(y);
  });
});

describe("attention", () => {
  const written = without({ attention: "written" });

  it.each([
    ["one head", { numHeads: 1 }],
    ["heads", { numHeads: 3 }],
    ["a scale", { numHeads: 3, scale: 1 }],
  ])("is written out with %s", async (_, options) => {
    const [query, key, value] = ["q", "k", "v"].map((name) =>
      float(name, [1, name === "q" ? "queries" : "keys", 12]),
    );
    const feeds = { q: waves([1, 5, 12]), k: waves([1, 7, 12], 1), v: waves([1, 7, 12], 2) };
    const changed = await rewritten({ y: ops.attention(query!, key!, value!, options) }, written, feeds);
    expect(opTypes(changed)).not.toContain("MultiHeadAttention");
  });

  it.each([1, 3])("is written out with a bias of %i heads", async (biasHeads) => {
    const x = float("x", [1, 5, 12]);
    const bias = float("bias", [1, biasHeads, 5, 5]);
    const feeds = { x: waves([1, 5, 12]), bias: waves([1, biasHeads, 5, 5], 1) };
    await rewritten({ y: ops.attention(x, x, x, { numHeads: 3, bias }) }, written, feeds);
  });

  it("is written out with a causal bias", async () => {
    const x = float("x", [1, 5, 12]);
    const bias = ops.causalBias(5);
    await rewritten({ y: ops.attention(x, x, x, { numHeads: 3, bias }) }, written, { x: waves([1, 5, 12]) });
  });

  it("is written out where it was the standard operator", async () => {
    const [query, key] = [float("q", [1, "length", 12]), float("k", [1, "keys", 12])];
    const bias = float("bias", [1, 1, "length", "keys"]);
    const feeds = { q: waves([1, 5, 12]), k: waves([1, 4, 12], 1), bias: waves([1, 1, 5, 4], 2) };
    const outputs = { y: ops.biasedAttention(query, key, key, { numHeads: 2, bias }) };
    expect(opTypes(await rewritten(outputs, written, feeds))).not.toContain("Attention");
  });

  describe("whose scores are too large", () => {
    // A row of scores takes 2 heads x 6 keys x 4 bytes.
    const forms = without({ attention: "written", maxTensorBytes: 2 * 48 });
    const query = float("q", [1, "queries", 8]);
    const key = float("k", [1, "keys", 8]);
    const sizes = { queries: 9, keys: 6 };
    const feeds = (queries: number): Feeds => ({ q: waves([1, queries, 8]), k: waves([1, 6, 8], 1) });
    const outputs = { y: ops.attention(query, key, key, { numHeads: 2 }) };

    it.each([9, 4, 1])("takes %i queries in the turns that most of them need", async (queries) => {
      const changed = await rewritten(outputs, forms, feeds(queries), { sizes });
      expect(ofType(changed, "Softmax")).toHaveLength(5);
    });

    it("takes its bias in turns too", async () => {
      const bias = float("bias", [1, 1, "queries", "keys"]);
      const biased = { y: ops.attention(query, key, key, { numHeads: 2, bias }) };
      const changed = await rewritten(
        biased,
        forms,
        { ...feeds(9), bias: waves([1, 1, 9, 6], 2) },
        { sizes },
      );
      expect(ofType(changed, "Softmax")).toHaveLength(5);
    });

    it("takes a number of queries that the graph knows in turns", async () => {
      const x = float("x", [1, 9, 8]);
      const known = { y: ops.attention(x, x, x, { numHeads: 2 }) };
      const changed = await rewritten(known, forms, { x: waves([1, 9, 8]) });
      expect(ofType(changed, "Softmax")).toHaveLength(9);
    });

    it("takes them at once where their largest number is not known", async () => {
      expect(ofType(await rewritten(outputs, forms, feeds(9)), "Softmax")).toHaveLength(1);
    });
  });
});

describe("half precision", () => {
  const forms = without({ hasFloat16: false });
  /** Numbers that both types hold exactly, in the upper bytes of float32 for bfloat16. */
  const VALUES = [1, -2, 0.5, 3, -0.25, 8];
  const stored = async (dtype: "float16" | "bfloat16", folder: string): Promise<Value> => {
    const float16 = [0x3c00, 0xc000, 0x3800, 0x4200, 0xb400, 0x4800];
    const bits = new Uint32Array(Float32Array.from(VALUES).buffer);
    const halves = Uint16Array.from(dtype === "float16" ? float16 : Array.from(bits, (word) => word >>> 16));
    await writeFile(path.join(folder, "weights"), halves);
    return externalTensor("a.weight", dtype, [3, 2], { location: "weights", byteOffset: 0, byteLength: 12 });
  };

  it.each(["float16", "bfloat16"] as const)("is widened where a table of %s is read", async (dtype) => {
    const folder = await temporaryFolder();
    const table = await stored(dtype, folder);
    const picked = ops.toFloat32(ops.gather(table, constant(BigInt64Array.of(2n, 0n), [2])));
    const outputs = { y: ops.add(picked, floats([0])) };
    const changed = await rewritten(outputs, forms, {}, { folder });
    expect(opTypes(changed)).toEqual(["Cast", "Gather", "Add"]);
  });

  it("is widened once where it is used twice", async () => {
    const folder = await temporaryFolder();
    const weight = await stored("float16", folder);
    const x = float("x", ["rows", 2]);
    const outputs = {
      y: ops.gemm(x, ops.toFloat32(weight)),
      z: ops.gemm(ops.add(x, x), ops.toFloat32(weight)),
    };
    const changed = await rewritten(outputs, forms, { x: waves([4, 2]) }, { folder });
    expect(ofType(changed, "Cast")).toHaveLength(1);
  });

  it("gives way where the network computes in it", async () => {
    const folder = await temporaryFolder();
    const weight = await stored("float16", folder);
    const x = ops.cast(float("x", ["rows", 2]), "float16");
    const held = ops.clip(ops.gemm(x, weight), -1, 1);
    const outputs = { y: ops.toFloat32(held) };
    const changed = withForms(outputs, forms);
    const types = operatorsOf(changed).flatMap((operator) => operator.outputs.map(({ dtype }) => dtype));
    expect(new Set(types)).toEqual(new Set(["float32"]));
    const feeds = { x: tensor([0.5, 0.25, -1, 0], [2, 2]) };
    // Times [[1, -2], [0.5, 3], [-0.25, 8]], transposed.
    expect((await evaluateAll(changed, feeds, folder))["y"]!.data).toEqual([0, 1, 1, -1, -0.5, 0.25]);
  });
});

describe("weights that are too large", () => {
  const forms = without({ maxTensorBytes: 5 * 16 });
  /** 12 rows of 4 float32 numbers, stored behind 3 other bytes. */
  const stored = async (folder: string, values = wave(48)): Promise<Value> => {
    const bytes = Buffer.from(Float32Array.from(values).buffer);
    await writeFile(path.join(folder, "weights"), Buffer.concat([Buffer.alloc(3), bytes]));
    return externalTensor("block.0.weight", "float32", [12, 4], {
      location: "weights",
      byteOffset: 3,
      byteLength: bytes.length,
    });
  };
  const x = float("x", ["rows", 4]);
  const feeds = { x: waves([3, 4], 5) };

  it.each([undefined, floats(wave(12, 1))])("are multiplied in ranges of rows", async (bias) => {
    const folder = await temporaryFolder();
    const outputs = { y: ops.gemm(x, await stored(folder), bias) };
    const changed = await rewritten(outputs, forms, feeds, { folder });
    expect(ofType(changed, "Gemm").map(({ outputs: [given] }) => given!.shape)).toEqual([
      ["rows", 4],
      ["rows", 4],
      ["rows", 4],
    ]);
    const { initializers } = readModel(serialise("test", changed).model);
    expect(initializers).toContain("block.0.weight[4:8]");
    expect(initializers).not.toContain("block.0.weight");
  });

  it("are cut as they are stored: widened, joined and scaled after that", async () => {
    const folder = await temporaryFolder();
    const whole = ops.toFloat32(ops.cast(await stored(folder), "float16"));
    const other = floats(wave(8, 3), [2, 4]);
    const weight = ops.mul(
      ops.mul(ops.concat([whole, other], 0), floats(wave(14, 2), [14, 1])),
      floats([3], []),
    );
    const changed = await rewritten({ y: ops.gemm(x, weight) }, forms, feeds, { folder });
    expect(ofType(changed, "Gemm")).toHaveLength(3);
    for (const { inputs } of ofType(changed, "Gemm")) expect(inputs[1]!.shape[0]).toBeLessThanOrEqual(5);
  });

  it("are multiplied in ranges where they have few bits", async () => {
    const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, index) => index * 37);
    const matrix: quantized.BlockMatrix = {
      shape: [12, 64],
      bits: 8,
      blockSize: 32,
      blocks: constant(bytes(12 * 64), [12, 2, 32]),
      scales: floats(wave(24, 4), [12, 2]),
      accuracyLevel: 1,
    };
    const outputs = { y: quantized.matmulNBits(float("x", ["rows", 64]), matrix, floats(wave(12))) };
    const changed = await rewritten(outputs, without({ maxTensorBytes: 300 }), { x: waves([3, 64]) });
    expect(ofType(changed, "MatMulNBits").map(({ attributes }) => attributes["N"])).toEqual([
      { kind: "int", value: 4 },
      { kind: "int", value: 4 },
      { kind: "int", value: 4 },
    ]);
  });

  it("stay whole where an adapter's are given when the graph runs", () => {
    const outputs = { y: ops.gemm(x, float("given", [4000, 4])) };
    expect(withForms(outputs, forms).y).toBe(outputs.y);
  });

  it("are tables whose rows the CPU takes, and widens", async () => {
    const folder = await temporaryFolder();
    await writeFile(
      path.join(folder, "weights"),
      Uint16Array.from({ length: 48 }, (_, index) => 0x3c00 + index),
    );
    const place = { location: "weights", byteOffset: 0, byteLength: 96 };
    const table = externalTensor("embed.weight", "float16", [12, 4], place);
    const picked = ops.toFloat32(ops.gather(table, constant(BigInt64Array.of(11n, 0n), [2])));
    const outputs = { y: ops.add(picked, floats([1])) };
    const changed = await rewritten(
      outputs,
      without({ maxTensorBytes: 150, hasFloat16: false }),
      {},
      { folder },
    );
    expect(opTypes(changed)).toEqual(["Gather", "Cast", "Add"]);
    expect(serialise("test", changed).hostNodes).toEqual(["embed/Gather", "embed/Cast"]);
    expect(serialise("test", withForms(outputs, without({ maxTensorBytes: 200 }))).hostNodes).toEqual([]);
  });
});
