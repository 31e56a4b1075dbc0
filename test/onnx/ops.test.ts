/** Every operator, run by onnxruntime, against the same arithmetic written out here. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  constant,
  externalTensor,
  floats,
  input,
  ints,
  operatorsOf,
  scalar,
  type Shape,
  type Value,
} from "../../src/onnx/graph.ts";
import * as ops from "../../src/onnx/ops.ts";
import { difference } from "../support/compare.ts";
import { evaluate, tensor, wave } from "../support/onnx.ts";
import { widened } from "../../src/weights/widened.ts";
import { temporaryFolder } from "../support/temporary.ts";

/** Float32 sums of a few dozen products. */
const TOLERANCE = 1e-6;

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(difference(actual, expected).relative).toBeLessThanOrEqual(TOLERANCE);
}

const x = (shape: Shape): Value => input("x", "float32", shape);
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
/** `values` in parts of `size`. */
const parts = (values: readonly number[], size: number): number[][] =>
  range(values.length / size).map((index) => values.slice(index * size, (index + 1) * size));

describe("functions of one number", () => {
  const values = [-20, -3, -1, -0.5, 0, 0.25, 1, 2, 4, 20];
  it.each<[string, (value: Value) => Value, (value: number) => number]>([
    ["sigmoid", ops.sigmoid, sigmoid],
    ["tanh", ops.tanh, Math.tanh],
    ["softplus", ops.softplus, (value) => Math.log1p(Math.exp(value))],
    ["cos", ops.cos, Math.cos],
    ["sin", ops.sin, Math.sin],
    ["relu", ops.relu, (value) => Math.max(0, value)],
    ["silu", ops.silu, (value) => value * sigmoid(value)],
    ["quickGelu", ops.quickGelu, (value) => value * sigmoid(1.702 * value)],
    [
      "gelu in the tanh form",
      (value) => ops.gelu(value, { approximate: true }),
      (value) => (value / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3))),
    ],
  ])("%s is its formula", async (_, operator, formula) => {
    const { data } = await evaluate(operator(x([values.length])), { x: tensor(values) });
    expectClose(data, values.map(formula));
  });

  it("erf has its known values", async () => {
    const { data } = await evaluate(ops.erf(x([4])), { x: tensor([-1, 0, 0.5, 3]) });
    // https://dlmf.nist.gov/7
    expectClose(data, [-0.8427007929, 0, 0.5204998778, 0.9999779095]);
  });

  it.each<[string, (value: Value) => Value, (value: number) => number]>([
    ["sqrt", ops.sqrt, Math.sqrt],
    ["reciprocal", ops.reciprocal, (value) => 1 / value],
  ])("%s is its formula above zero", async (_, operator, formula) => {
    const positive = [1e-6, 0.25, 1, 3, 100];
    const { data } = await evaluate(operator(x([5])), { x: tensor(positive) });
    expectClose(data, positive.map(formula));
  });

  it("gelu in the exact form is x times the normal distribution", async () => {
    const y = ops.gelu(x([4]), { approximate: false });
    const { data } = await evaluate(y, { x: tensor([-1, 0, 0.5, 2]) });
    expectClose(data, [-0.15865525393145707, 0, 0.34573123063700656, 1.9544997361036416]);
  });
});

describe("add, sub, mul and div", () => {
  it("broadcast a row and a column to a matrix", async () => {
    const [row, column] = [floats([10, 20, 30], [3]), floats([1, 2], [2, 1])];
    const added = await evaluate(ops.add(row, column));
    expect(added).toEqual({ data: [11, 21, 31, 12, 22, 32], shape: [2, 3] });
    const subtracted = await evaluate(ops.sub(row, column));
    expect(subtracted.data).toEqual([9, 19, 29, 8, 18, 28]);
    const divided = await evaluate(ops.div(row, floats([4])));
    expect(divided.data).toEqual([2.5, 5, 7.5]);
    const multiplied = await evaluate(ops.mul(x(["rows", 3]), row), { x: tensor([1, 2, 3], [1, 3]) });
    expect(multiplied.data).toEqual([10, 40, 90]);
  });

  it("refuse shapes that do not broadcast, naming both", () => {
    expect(() => ops.add(x([2, 3]), floats([1, 2]))).toThrow(
      "Add of [2, 3] and [2]: the shapes do not broadcast.",
    );
    expect(() => ops.mul(x(["target", 3]), x(["images", 3]))).toThrow(
      "Mul of [target, 3] and [images, 3]: the shapes do not broadcast.",
    );
  });
});

describe("toFloat32", () => {
  it("leaves float32 as it is", () => {
    const value = x([2]);
    expect(ops.toFloat32(value)).toBe(value);
  });

  const float16 = (bits: number): number => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  };
  const bfloat16 = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
  it.each([
    ["float16", float16],
    ["bfloat16", bfloat16],
  ] as const)(
    "gives the exact number of every %s stored in a file, at an odd byte",
    async (dtype, decode) => {
      const folder = await temporaryFolder();
      const bits = Uint16Array.from(range(65536));
      await writeFile(path.join(folder, "w"), Buffer.concat([Buffer.alloc(5), new Uint8Array(bits.buffer)]));
      const stored = externalTensor("w", dtype, [65536], {
        location: "w",
        byteOffset: 5,
        byteLength: 131072,
      });
      const { data } = await evaluate(ops.toFloat32(stored), {}, folder);
      expect(data).toEqual(range(65536).map(decode));
    },
  );
});

describe("the two types of 8 bits", () => {
  const float8 =
    (fractionBits: number, bias: number, special: (byte: number) => number | undefined) =>
    (byte: number): number => {
      const known = special(byte & 127);
      const [sign, exponent] = [byte >> 7 ? -1 : 1, (byte & 127) >> fractionBits];
      if (known !== undefined) return sign * known;
      const fraction = (byte & ((1 << fractionBits) - 1)) / (1 << fractionBits);
      return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
    };
  it.each([
    ["float8e4m3fn", float8(3, 7, (byte) => (byte === 127 ? NaN : undefined))],
    ["float8e5m2", float8(2, 15, (byte) => (byte > 124 ? NaN : byte === 124 ? Infinity : undefined))],
  ] as const)("are read exactly, by the runtime and for conversion: %s", async (dtype, decode) => {
    const folder = await temporaryFolder();
    const bytes = Uint8Array.from(range(256));
    await writeFile(path.join(folder, "w"), bytes);
    const place = { location: "w", byteOffset: 0, byteLength: 256 };
    const { data } = await evaluate(ops.toFloat32(externalTensor("w", dtype, [256], place)), {}, folder);
    expect(data).toEqual(range(256).map(decode));
    expect([...widened(dtype, bytes)]).toEqual(range(256).map(decode));
  });
});

describe("cast", () => {
  const stored = externalTensor("w", "bfloat16", [2], { location: "w", byteOffset: 0, byteLength: 4 });

  it("gives another type, in which clip holds numbers", async () => {
    const half = ops.cast(x([2]), "float16");
    expect(half.dtype).toBe("float16");
    const held = ops.clip(ops.add(half, half), -5, 65_504);
    expect(held.dtype).toBe("float16");
    expect((await evaluate(ops.toFloat32(held), { x: tensor([-3, 1e9]) })).data).toEqual([-5, 65_504]);
  });

  it("gives what is stored where that was only widened", () => {
    expect(ops.cast(ops.toFloat32(stored), "bfloat16")).toBe(stored);
  });

  it("rounds what is stored once where it was widened on the way", () => {
    const { origin, dtype } = ops.cast(ops.toFloat32(stored), "float16");
    expect(dtype).toBe("float16");
    expect(origin.kind === "node" && origin.node.inputs).toEqual([stored]);
  });

  it("rounds what is computed from it", () => {
    const computed = ops.add(ops.toFloat32(stored), ops.toFloat32(stored));
    const { origin } = ops.cast(computed, "bfloat16");
    expect(origin.kind === "node" && origin.node.inputs).toEqual([computed]);
  });
});

describe("types that differ", () => {
  const [whole, half] = [x([1, 2, 4]), input("h", "float16", [1, 2, 4])];
  const [matrix, vector] = [input("m", "float16", [4, 4]), input("v", "float16", [4])];
  it.each<[string, () => Value, string]>([
    ["add", () => ops.add(whole, half), "Add of float32, float16"],
    ["concat", () => ops.concat([whole, half], 1), "Concat of float32, float16"],
    ["gemm", () => ops.gemm(x([2, 4]), matrix), "Gemm of float32, float16"],
    ["layerNorm", () => ops.layerNorm(whole, vector, undefined, 0), "LayerNormalization of float32, float16"],
    ["rmsNorm", () => ops.rmsNorm(whole, vector, 0), "RMSNormalization of float32, float16"],
    [
      "rotaryEmbedding",
      () => ops.rotaryEmbedding(half, x([1, 2, 2]), x([1, 2, 2]), 1),
      "RotaryEmbedding of float16, float32, float32",
    ],
    [
      "attention",
      () => ops.attention(half, half, whole, { numHeads: 1 }),
      "MultiHeadAttention of float16, float16, float32",
    ],
  ])("are refused by %s as it is called", (_, make, types) =>
    expect(make).toThrow(`${types}: the types differ.`),
  );

  it("are not computed in: whole numbers", () => {
    expect(() => ops.typeOf(input("i", "int64", [1]))).toThrow("No layer computes in int64.");
  });
});

describe("transpose", () => {
  it("moves the axes as the permutation says", async () => {
    const { data, shape } = await evaluate(ops.transpose(x([1, 2, 3]), [2, 0, 1]), {
      x: tensor([1, 2, 3, 4, 5, 6], [1, 2, 3]),
    });
    expect({ data, shape }).toEqual({ data: [1, 4, 2, 5, 3, 6], shape: [3, 1, 2] });
  });
});

describe("reshape", () => {
  it("keeps the numbers in their order, one dimension being found when it runs", async () => {
    const values = wave(12);
    const { data, shape } = await evaluate(ops.reshape(x(["rows", 4]), [2, "rest", 3]), {
      x: tensor(values, [3, 4]),
    });
    expect({ data, shape }).toEqual({ data: values, shape: [2, 2, 3] });
  });

  it("refuses another number of elements and more than one unknown dimension", () => {
    expect(() => ops.reshape(x([2, 3]), [4])).toThrow("Reshape of [2, 3] to [4]: the element counts differ.");
    expect(() => ops.reshape(x(["rows", 6]), ["a", "b"])).toThrow(
      "Reshape to [a, b]: more than one unknown dimension.",
    );
  });

  it("takes the shape that another value turns out to have", async () => {
    const like = input("like", "float32", ["h", "w"]);
    const { shape } = await evaluate(ops.reshapeLike(x([6]), like), {
      x: tensor(wave(6)),
      like: tensor(wave(6), [3, 2]),
    });
    expect(shape).toEqual([3, 2]);
  });
});

describe("concat and split", () => {
  it("join along an axis and cut it into equal parts again", async () => {
    const [a, b] = [floats([1, 2, 5, 6], [2, 2]), floats([3, 4, 7, 8], [2, 2])];
    const joined = ops.concat([a, b], 1);
    expect(await evaluate(joined)).toEqual({ data: [1, 2, 3, 4, 5, 6, 7, 8], shape: [2, 4] });
    expect((await evaluate(ops.split(joined, 2, 1)[1]!)).data).toEqual([3, 4, 7, 8]);
    expect((await evaluate(ops.split(joined, 4, 1)[2]!)).data).toEqual([3, 7]);
  });

  it("give an unknown sum the name that it is told", async () => {
    const joined = ops.concat([x(["target", 2]), floats([5, 6], [1, 2])], 0, "images");
    expect(joined.shape).toEqual(["images", 2]);
    expect(await evaluate(joined, { x: tensor([1, 2, 3, 4], [2, 2]) })).toEqual({
      data: [1, 2, 3, 4, 5, 6],
      shape: [3, 2],
    });
  });

  it("refuse parts that do not come out even", () => {
    expect(() => ops.split(x([2, 5]), 2, 1)).toThrow("Split of [2, 5] into 2 along axis 1.");
    expect(() => ops.split(x(["rows", 2]), 2, 0)).toThrow("Split of [rows, 2] into 2 along axis 0.");
  });
});

describe("rows", () => {
  const feeds = { x: tensor([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]) };

  it("are those from start to before end", async () => {
    const { data } = await evaluate(ops.rows(x([4, 2]), 1, 3, 2), feeds);
    expect(data).toEqual([3, 4, 5, 6]);
  });

  it("are all that follow where there is no end", async () => {
    const { data, shape } = await evaluate(ops.rows(x(["tokens", 2]), 3, Infinity, "rest"), feeds);
    expect({ data, shape }).toEqual({ data: [7, 8], shape: [1, 2] });
  });

  it("are as many as another value turns out to have", async () => {
    const like = input("like", "float32", ["target", 5]);
    const first = ops.rowsLike(x(["images", 2]), like);
    expect(first.shape).toEqual(["target", 2]);
    const { data } = await evaluate(first, { ...feeds, like: tensor(wave(15), [3, 5]) });
    expect(data).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("gather", () => {
  it("looks rows up, in the shape of the indices", async () => {
    const table = floats([1, 2, 3, 4, 5, 6], [3, 2]);
    const indices = constant(BigInt64Array.of(2n, 0n, 1n, 2n), [2, 2]);
    expect(await evaluate(ops.gather(table, indices))).toEqual({
      data: [5, 6, 1, 2, 3, 4, 5, 6],
      shape: [2, 2, 2],
    });
    expect((await evaluate(ops.gather(table, ints([1])))).shape).toEqual([1, 2]);
  });
});

describe("gemm", () => {
  const [values, weights, biases] = [wave(15), wave(20, 1), wave(4, 2)];
  const feeds = { x: tensor(values, [3, 5]) };
  /** x [3, 5] times the transposed weight [4, 5]. */
  const product = (): number[] =>
    range(12).map((at) =>
      sum(range(5).map((k) => values[Math.floor(at / 4) * 5 + k]! * weights[(at % 4) * 5 + k]!)),
    );

  it("multiplies by the transposed weight and adds the bias", async () => {
    const y = ops.gemm(x(["tokens", 5]), floats(weights, [4, 5]), floats(biases));
    const { data, shape } = await evaluate(y, feeds);
    expect(shape).toEqual([3, 4]);
    expectClose(
      data,
      product().map((value, at) => value + biases[at % 4]!),
    );
  });

  it("works without a bias", async () => {
    const { data } = await evaluate(ops.gemm(x([3, 5]), floats(weights, [4, 5])), feeds);
    expectClose(data, product());
  });

  it("refuses a weight that does not fit, naming both shapes", () => {
    expect(() => ops.gemm(x([3, 5]), floats(weights, [5, 4]))).toThrow(
      "Gemm of [3, 5] with a weight of [5, 4].",
    );
    expect(() => ops.gemm(x([1, 3, 5]), floats(weights, [4, 5]))).toThrow(
      "Gemm of [1, 3, 5] with a weight of [4, 5].",
    );
  });
});

describe("conv2d", () => {
  interface Grid {
    channels: number;
    height: number;
    width: number;
  }

  function convolve(
    values: readonly number[],
    { channels, height, width }: Grid,
    weights: readonly number[],
    { outChannels, kernel }: { outChannels: number; kernel: number },
    { stride = 1, padding = [0, 0, 0, 0] }: ops.ConvOptions,
  ): number[] {
    const [top, left, bottom, right] = padding;
    const outOf = (size: number, padded: number): number => Math.floor((size + padded - kernel) / stride) + 1;
    const [outHeight, outWidth] = [outOf(height, top + bottom), outOf(width, left + right)];
    return range(outChannels * outHeight * outWidth).map((at) => {
      const [out, row, column] = [
        Math.floor(at / (outHeight * outWidth)),
        Math.floor(at / outWidth) % outHeight,
        at % outWidth,
      ];
      let total = 0;
      for (const channel of range(channels)) {
        for (const y of range(kernel)) {
          for (const z of range(kernel)) {
            const [fromRow, fromColumn] = [row * stride + y - top, column * stride + z - left];
            if (fromRow < 0 || fromRow >= height || fromColumn < 0 || fromColumn >= width) continue;
            total +=
              values[(channel * height + fromRow) * width + fromColumn]! *
              weights[((out * channels + channel) * kernel + y) * kernel + z]!;
          }
        }
      }
      return total;
    });
  }

  it.each<[string, Omit<Grid, "channels">, number, ops.ConvOptions, number[]]>([
    [
      "keeps the size with a 3x3 kernel and a border of one",
      { height: 4, width: 5 },
      3,
      { padding: [1, 1, 1, 1] },
      [4, 5],
    ],
    [
      "halves an even size, padded right and bottom only",
      { height: 4, width: 6 },
      3,
      { stride: 2, padding: [0, 0, 1, 1] },
      [2, 3],
    ],
    [
      "halves an odd size, padded right and bottom only",
      { height: 5, width: 7 },
      3,
      { stride: 2, padding: [0, 0, 1, 1] },
      [2, 3],
    ],
    ["pads each side by its own number", { height: 3, width: 3 }, 2, { padding: [2, 0, 0, 1] }, [4, 3]],
    ["mixes channels with a 1x1 kernel", { height: 2, width: 3 }, 1, {}, [2, 3]],
  ])("%s", async (_, size, kernel, options, outSize) => {
    const [channels, outChannels] = [2, 3];
    const grid = { channels, ...size };
    const values = wave(channels * size.height * size.width);
    const weights = wave(outChannels * channels * kernel * kernel, 1);
    const y = ops.conv2d(
      x([1, channels, size.height, size.width]),
      floats(weights, [outChannels, channels, kernel, kernel]),
      undefined,
      options,
    );
    const { data, shape } = await evaluate(y, { x: tensor(values, [1, channels, size.height, size.width]) });
    expect(shape).toEqual([1, outChannels, ...outSize]);
    expectClose(data, convolve(values, grid, weights, { outChannels, kernel }, options));
  });

  it("adds a bias to each channel", async () => {
    const y = ops.conv2d(x([1, 1, 1, 2]), floats([1, 2], [2, 1, 1, 1]), floats([10, 20]));
    expect((await evaluate(y, { x: tensor([1, 2], [1, 1, 1, 2]) })).data).toEqual([11, 12, 22, 24]);
  });

  it("takes grids of any size", async () => {
    const y = ops.conv2d(x([1, 1, "h", "w"]), floats(wave(9), [1, 1, 3, 3]), undefined, {
      stride: 2,
      padding: [0, 0, 1, 1],
    });
    expect(y.shape).toEqual([1, 1, "h/2", "w/2"]);
    expect((await evaluate(y, { x: tensor(wave(24), [1, 1, 4, 6]) })).shape).toEqual([1, 1, 2, 3]);
  });

  it("refuses a weight for other channels, naming both shapes", () => {
    expect(() => ops.conv2d(x([1, 2, 4, 4]), floats(wave(27), [1, 3, 3, 3]), undefined)).toThrow(
      "Conv of [1, 2, 4, 4] with a weight of [1, 3, 3, 3].",
    );
  });
});

describe("upsampleNearest", () => {
  it("repeats every number in both directions", async () => {
    const y = ops.upsampleNearest(x([1, 1, 2, "w"]));
    expect(y.shape).toEqual([1, 1, 4, "2*w"]);
    expect(await evaluate(y, { x: tensor([1, 2, 3, 4], [1, 1, 2, 2]) })).toEqual({
      data: [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4],
      shape: [1, 1, 4, 4],
    });
  });
});

describe("spaceToDepth and depthToSpace", () => {
  // Two channels of 2 x 4; a number says channel, row and column.
  const grid = [0, 1, 2, 3, 10, 11, 12, 13, 100, 101, 102, 103, 110, 111, 112, 113];
  const deep = [0, 2, 1, 3, 10, 12, 11, 13, 100, 102, 101, 103, 110, 112, 111, 113];

  it("exchange blocks of cells and channels, in the order channel, row, column", async () => {
    const y = ops.spaceToDepth(x([1, 2, "h", "w"]), 2);
    expect(y.shape).toEqual([1, 8, "h/2", "w/2"]);
    expect(await evaluate(y, { x: tensor(grid, [1, 2, 2, 4]) })).toEqual({ data: deep, shape: [1, 8, 1, 2] });
    const back = ops.depthToSpace(x([1, 8, 1, "w"]), 2);
    expect(back.shape).toEqual([1, 2, 2, "2*w"]);
    expect(await evaluate(back, { x: tensor(deep, [1, 8, 1, 2]) })).toEqual({
      data: grid,
      shape: [1, 2, 2, 4],
    });
  });
});

describe("norms", () => {
  const values = wave(12).map((value) => 3 * value + 1);
  const feeds = { x: tensor(values, [3, 4]) };
  const epsilon = 1e-2;
  const normalise = (row: readonly number[]): number[] => {
    const average = mean(row);
    const deviation = Math.sqrt(mean(row.map((value) => (value - average) ** 2)) + epsilon);
    return row.map((value) => (value - average) / deviation);
  };

  it("layerNorm brings each row to mean 0 and deviation 1, then scales and shifts it", async () => {
    const [scale, shift] = [wave(4, 1), wave(4, 2)];
    const y = ops.layerNorm(x(["tokens", 4]), floats(scale), floats(shift), epsilon);
    const expected = parts(values, 4).flatMap((row) =>
      normalise(row).map((value, at) => value * scale[at]! + shift[at]!),
    );
    expectClose((await evaluate(y, feeds)).data, expected);
  });

  it("layerNorm takes a scale that the graph computes, and no shift", async () => {
    const vector = input("vector", "float32", [4]);
    const y = ops.layerNorm(x([3, 4]), ops.add(vector, scalar(1)), undefined, epsilon);
    const computed = wave(4, 3);
    const expected = parts(values, 4).flatMap((row) =>
      normalise(row).map((value, at) => value * (1 + computed[at]!)),
    );
    expectClose((await evaluate(y, { ...feeds, vector: tensor(computed) })).data, expected);
  });

  it("rmsNorm divides each row by its root mean square and leaves the mean", async () => {
    const scale = wave(4, 1);
    const y = ops.rmsNorm(x([3, 4]), floats(scale), epsilon);
    const expected = parts(values, 4).flatMap((row) => {
      const size = Math.sqrt(mean(row.map((value) => value ** 2)) + epsilon);
      return row.map((value, at) => (value / size) * scale[at]!);
    });
    expectClose((await evaluate(y, feeds)).data, expected);
  });

  it("groupNorm normalises the channels of a group together and scales each channel", async () => {
    const [scale, shift] = [wave(4, 1), wave(4, 2)];
    const grid = wave(24, 5);
    const y = ops.groupNorm(x([1, 4, "h", 3]), floats(scale), floats(shift), 2, epsilon);
    const expected = parts(grid, 12).flatMap((group) => normalise(group));
    expectClose(
      (await evaluate(y, { x: tensor(grid, [1, 4, 2, 3]) })).data,
      expected.map((value, at) => value * scale[Math.floor(at / 6)]! + shift[Math.floor(at / 6)]!),
    );
  });
});

describe("rotaryEmbedding", () => {
  it("turns neighbouring pairs of every head by the token's angles", async () => {
    const [tokens, heads, half] = [3, 2, 2];
    const values = wave(tokens * heads * 2 * half);
    const angles = wave(tokens * half, 1).map((value) => 3 * value);
    const y = ops.rotaryEmbedding(
      x([1, 3, 8]),
      floats(angles.map(Math.cos), [1, tokens, half]),
      floats(angles.map(Math.sin), [1, tokens, half]),
      heads,
    );
    const expected = range(tokens * heads * half).flatMap((pair) => {
      const angle = angles[Math.floor(pair / (heads * half)) * half + (pair % half)]!;
      const [a, b] = [values[2 * pair]!, values[2 * pair + 1]!];
      return [a * Math.cos(angle) - b * Math.sin(angle), a * Math.sin(angle) + b * Math.cos(angle)];
    });
    expectClose((await evaluate(y, { x: tensor(values, [1, tokens, 8]) })).data, expected);
  });
});

describe("attention", () => {
  const [tokens, heads, headSize] = [5, 2, 3];
  const shape = [1, tokens, heads * headSize];
  const [query, key, value] = [0, 1, 2].map((phase) => wave(tokens * heads * headSize, phase)) as [
    number[],
    number[],
    number[],
  ];
  const feeds = { query: tensor(query, shape), key: tensor(key, shape), value: tensor(value, shape) };
  const at = (list: readonly number[], token: number, head: number, dim: number): number =>
    list[(token * heads + head) * headSize + dim]!;

  function attend(scale: number, bias: (head: number, from: number, to: number) => number): number[] {
    return range(tokens * heads * headSize).map((index) => {
      const [from, head, dim] = [
        Math.floor(index / (heads * headSize)),
        Math.floor(index / headSize) % heads,
        index % headSize,
      ];
      const scores = range(tokens).map(
        (to) =>
          scale * sum(range(headSize).map((d) => at(query, from, head, d) * at(key, to, head, d))) +
          bias(head, from, to),
      );
      const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
      return sum(weights.map((weight, to) => weight * at(value, to, head, dim))) / sum(weights);
    });
  }

  const inputsIn = (dtype: "float32" | "bfloat16") =>
    (["query", "key", "value"] as const).map((name) =>
      input(name, dtype, [1, "tokens", heads * headSize]),
    ) as [Value, Value, Value];
  const run = (options: Parameters<typeof ops.attention>[3]) =>
    evaluate(ops.attention(...inputsIn("float32"), options), feeds);

  it("weighs the values by the softmax of the scores over the root of the head's size", async () => {
    const { data, shape: found } = await run({ numHeads: heads });
    expect(found).toEqual(shape);
    expectClose(
      data,
      attend(1 / Math.sqrt(headSize), () => 0),
    );
  });

  it("takes another scale", async () => {
    expectClose(
      (await run({ numHeads: heads, scale: 1 })).data,
      attend(1, () => 0),
    );
  });

  it("is the same as the standard operator, which it is in bfloat16", async () => {
    for (const scale of [undefined, 0.7]) {
      const { data } = await evaluate(
        ops.standardAttention(...inputsIn("float32"), { numHeads: heads, scale }),
        feeds,
      );
      expectClose(
        data,
        attend(scale ?? 1 / Math.sqrt(headSize), () => 0),
      );
    }
    const operatorIn = (dtype: "float32" | "bfloat16") =>
      operatorsOf({ y: ops.attention(...inputsIn(dtype), { numHeads: heads, scale: 0.7 }) }).at(-1)!;
    const standard = ops.standardAttention(...inputsIn("bfloat16"), { numHeads: heads, scale: 0.7 });
    const { opType, domain, attributes } = operatorsOf({ standard }).at(-1)!;
    expect(operatorIn("bfloat16")).toMatchObject({ opType, domain, attributes });
    expect(operatorIn("float32").opType).toBe("MultiHeadAttention");
  });

  it("adds a bias of each head's own", async () => {
    const values = wave(heads * tokens * tokens, 4);
    const bias = floats(values, [1, heads, tokens, tokens]);
    const expected = attend(0.5, (head, from, to) => values[(head * tokens + from) * tokens + to]!);
    expectClose((await run({ numHeads: heads, scale: 0.5, bias })).data, expected);
  });

  it("hides later positions behind a causal bias that all heads share", async () => {
    const { data } = await run({ numHeads: heads, bias: ops.causalBias(tokens) });
    const expected = attend(1 / Math.sqrt(headSize), (_, from, to) => (to > from ? -Infinity : 0));
    expectClose(data, expected);
    // The first token sees itself alone.
    expectClose(data.slice(0, heads * headSize), value.slice(0, heads * headSize));
  });
});

describe("shapes that do not fit", () => {
  const x = input("x", "float32", [1, 4, 6]);
  it.each([
    [
      "concat",
      () => ops.concat([x, input("y", "float32", [1, 5, 7])], 1),
      "Concat of [1, 4, 6] and [1, 5, 7]",
    ],
    ["layerNorm", () => ops.layerNorm(x, floats([1, 1]), undefined, 0), "[1, 4, 6] with a vector of [2]"],
    ["rmsNorm", () => ops.rmsNorm(x, floats([1, 1]), 0), "[1, 4, 6] with a vector of [2]"],
    ["rotaryEmbedding", () => ops.rotaryEmbedding(x, x, x, 1), "needs angles of [1, 4, 3], not [1, 4, 6]"],
    [
      "attention",
      () => ops.attention(x, x, x, { numHeads: 4 }),
      "[1, 4, 6], [1, 4, 6], [1, 4, 6] with 4 heads",
    ],
    [
      "conv2d",
      () =>
        ops.conv2d(
          input("p", "float32", [1, 1, "h", "w"]),
          floats(Array(9).fill(1), [1, 1, 3, 3]),
          undefined,
        ),
      "a padding of 0 gives the size h no name",
    ],
  ])("are refused by %s as it is called", (_, make, sentence) => expect(make).toThrow(sentence));
});
