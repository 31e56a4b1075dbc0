import path from "node:path";
import { describe, expect, it } from "vitest";
import { floats, input, operatorsOf } from "../../src/onnx/graph.ts";
import { add } from "../../src/onnx/ops.ts";
import { readSafetensorsHeader, type StoredTensor } from "../../src/weights/safetensors.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { widened } from "../../src/weights/widened.ts";
import { evaluate } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { float32, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const stored = (fields: Partial<StoredTensor> = {}): StoredTensor => ({
  file: path.resolve("/models/transformer/model.safetensors"),
  dtype: "float32",
  storedType: "F32",
  shape: [2, 3],
  byteOffset: 100,
  byteLength: 24,
  ...fields,
});
const setOf = (tensors: Record<string, StoredTensor>): WeightSet =>
  new WeightSet("transformer", new Map(Object.entries(tensors)));

describe("taking a weight", () => {
  it("gives a tensor that points into the file", () => {
    const value = setOf({ "a.weight": stored() }).take("a.weight", [2, 3]);
    expect(value).toEqual({
      dtype: "float32",
      shape: [2, 3],
      origin: {
        kind: "initializer",
        name: "a.weight",
        data: { kind: "external", location: "model.safetensors", byteOffset: 100, byteLength: 24 },
      },
    });
  });

  it("gives float32 where the file has half precision or fp8", () => {
    const set = setOf({
      a: stored({ dtype: "bfloat16" }),
      b: stored({ dtype: "float16" }),
      c: stored({ dtype: "float8e4m3fn" }),
    });
    for (const key of ["a", "b", "c"]) {
      expect(set.take(key, [2, 3])).toMatchObject({ dtype: "float32", origin: { node: { opType: "Cast" } } });
    }
  });

  it("that is missing says its key and its shape", () => {
    expect(() => setOf({}).take("a.weight", [2, 3])).toThrow(
      refusal("CHECKPOINT_INVALID", "transformer: the weight a.weight [2, 3] is missing."),
    );
  });

  it("of another shape names both shapes", () => {
    expect(() => setOf({ "a.weight": stored() }).take("a.weight", [3, 2])).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        "transformer: the weight a.weight has the shape [2, 3] where the configuration asks for [3, 2].",
      ),
    );
  });

  it.each([
    [undefined, "F8_E8M0"],
    [undefined, "C64"],
  ] as const)("of type %s is refused by its name in the file", (dtype, storedType) => {
    expect(() => setOf({ a: stored({ dtype, storedType }) }).take("a", [2, 3])).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `transformer: the weight a is stored as ${storedType}; F64, F32, F16, BF16, F8_E4M3, F8_E5M2, whole numbers and BOOL can be read.`,
      ),
    );
  });

  it("twice is a defect of the network's code, not of the checkpoint", () => {
    const set = setOf({ a: stored() });
    const [one, other] = [set.scope(), set.scope()];
    one.tensor("a", [2, 3]);
    expect(() => one.tensor("a", [2, 3])).toThrow(new Error("transformer: the weight a is used twice."));
    // Another network of the same weights may use it, too.
    expect(() => other.tensor("a", [2, 3])).not.toThrow();
  });
});

describe("a weight of another type", () => {
  it.each([
    ["F64", Float64Array.of(0.1, -2.5)],
    ["I64", BigInt64Array.of(3n, -4n)],
    ["I32", Int32Array.of(3, -4)],
    ["I16", Int16Array.of(3, -4)],
    ["I8", Int8Array.of(3, -4)],
    ["U64", BigUint64Array.of(3n, 4n)],
    ["U32", Uint32Array.of(3, 4)],
    ["U16", Uint16Array.of(3, 4)],
    ["U8", Uint8Array.of(3, 4)],
    ["BOOL", Uint8Array.of(1, 0)],
  ])("is cast to float32 as the reference casts it: %s", async (dtype, values) => {
    const file = path.join(await temporaryFolder(), "model.safetensors");
    await writeSafetensors(file, { a: { dtype, shape: [2], bytes: new Uint8Array(values.buffer) } });
    const set = new WeightSet("transformer", await readSafetensorsHeader(file));
    const { data } = await evaluate(add(set.take("a", [2]), floats([0, 0])), {}, set.baseFolder);
    expect(data).toEqual([...values].map((value) => Math.fround(Number(value))));
  });
});

describe("rows of a table", () => {
  const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const INDICES = [63, 0, 31, 0];
  const indices = input("indices", "int64", [4]);
  const feeds = { indices: { data: BigInt64Array.from(INDICES, BigInt), shape: [4] } };

  /** A set of one table of every byte, [64, 4], and the numbers that its file stands for. */
  async function tableOf(dtype: string, scale?: { shape: number[]; values: readonly number[] }) {
    const file = path.join(await temporaryFolder(), "model.safetensors");
    const factors = scale && { a_scale: float32([...scale.values], scale.shape) };
    await writeSafetensors(file, { a: { dtype, shape: [64, 4], bytes: BYTES }, ...factors });
    const header = await readSafetensorsHeader(file);
    const table = header.get("a")!;
    const numbers = widened(table.dtype, BYTES);
    const weight = scale ? { shape: [64, 4], parts: [table], scale: [header.get("a_scale")!] } : table;
    return { set: new WeightSet("text_encoder", new Map([["a", weight]])), numbers };
  }

  it.each(["F8_E4M3", "F8_E5M2"])(
    "in %s are the numbers of their bytes, and no others are widened",
    async (dtype) => {
      const { set, numbers } = await tableOf(dtype);
      const rows = set.takeRows("a", [64, 4], indices);
      const { data } = await evaluate(rows, feeds, set.baseFolder);
      const expected = INDICES.flatMap((row) => [...numbers.subarray(4 * row, 4 * row + 4)]);
      expect(data).toEqual(expected);
      const casts = operatorsOf({ rows }).filter(({ opType }) => opType === "Cast");
      expect(casts.map(({ inputs }) => inputs[0]!.shape)).toEqual([[4, 4]]);
    },
  );

  it.each([
    ["one factor", [], [0.75]],
    ["a factor a row", [64, 1], Array.from({ length: 64 }, (_, row) => 1 + row / 64)],
  ])("in fp8 with %s are multiplied by it", async (_, shape, values) => {
    const { set, numbers } = await tableOf("F8_E4M3", { shape, values });
    const rows = set.takeRows("a", [64, 4], indices);
    const { data } = await evaluate(rows, feeds, set.baseFolder);
    const factorOf = (row: number): number => values[shape.length === 0 ? 0 : row]!;
    const expected = INDICES.flatMap((row) =>
      [...numbers.subarray(4 * row, 4 * row + 4)].map((value) =>
        Math.fround(value * Math.fround(factorOf(row))),
      ),
    );
    expect(data).toEqual(expected);
    for (const { opType, inputs } of operatorsOf({ rows })) {
      if (opType === "Cast" || opType === "Mul") expect(inputs[0]!.shape).toEqual([4, 4]);
    }
  });
});

describe("weights that no network asked for", () => {
  const keys = (count: number): Record<string, StoredTensor> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, stored()]));

  it("are listed", () => {
    expect(setOf(keys(3)).unusedKeys()).toEqual(["k0", "k1", "k2"]);
  });

  it.each([
    "a.weight_scale",
    "a.scale_weight",
    "a.weight.absmax",
    "a.weight.quant_state.bitsandbytes__nf4",
    "a.SCB",
  ])("are refused where they say that others are quantised: %s", (key) => {
    expect(() => setOf({ [key]: stored() }).unusedKeys()).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        new RegExp(`^transformer: ${key} says that the weights are quantised `),
      ),
    );
  });

  it("are none where all were taken or ignored", () => {
    const set = setOf(keys(2));
    set.take("k0", [2, 3]);
    set.ignore("k1");
    expect(set.unusedKeys()).toEqual([]);
  });

  it("may be position_ids, which follow from the configuration", () => {
    const ids = stored({ dtype: "int64", storedType: "I64" });
    const both = { "text_model.embeddings.position_ids": ids, position_ids: ids };
    expect(setOf({ ...both, "a.old_position_ids": ids }).unusedKeys()).toEqual(["a.old_position_ids"]);
  });
});

describe("a scope", () => {
  it("puts its names before a key", () => {
    const set = setOf({ "blocks.0.attn.to_q.weight": stored() });
    const scope = set.scope().child("blocks", 0).child("attn.to_q");
    expect([scope.has("weight"), scope.has("bias"), set.has("weight")]).toEqual([true, false, false]);
    expect(scope.tensor("weight", [2, 3]).shape).toEqual([2, 3]);
    expect(set.unusedKeys()).toEqual([]);
  });

  it("knows whether a child holds anything", () => {
    const scope = setOf({ "model.text.weight": stored() }).scope("model");
    expect([scope.hasChild("text"), scope.hasChild("tex"), scope.hasChild("text.weight")]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it("ignores keys below itself", () => {
    const set = setOf({ "encoder.x": stored() });
    set.scope("encoder").ignore("x");
    expect(set.unusedKeys()).toEqual([]);
  });
});

describe("the base folder", () => {
  it.each([
    ["/cache/blobs/one", "/cache/blobs/two", "/cache/blobs", "two"],
    ["/cache/blobs/one", "/cache/blobs/deep/two", "/cache/blobs", "deep/two"],
    ["/cache/a/deep/one", "/cache/b/two", "/cache", "b/two"],
    ["/one/a", "/two/b", "/", "two/b"],
  ])("of %s and %s is the deepest that holds both, %s", (one, two, base, location) => {
    const set = setOf({ a: stored({ file: path.resolve(one) }), b: stored({ file: path.resolve(two) }) });
    expect(set.baseFolder).toBe(path.resolve(base));
    expect(set.take("b", [2, 3]).origin).toMatchObject({ data: { location } });
  });
});
