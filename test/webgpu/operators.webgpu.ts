/**
 * Operators on WebGPU beside the same on the CPU, in the shapes that the networks use: odd heads, one row, more rows than
 * a workgroup has threads, none. What a graph does not need rewritten for WebGPU is held here as well.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { constant, constantOf, floats, input, type Shape, type Value } from "../../src/onnx/graph.ts";
import { ALL_FORMS, type KernelForms, type Sizes } from "../../src/onnx/kernel-forms.ts";
import * as ops from "../../src/onnx/ops.ts";
import * as quantized from "../../src/onnx/quantized-ops.ts";
import { formsOf } from "../../src/runtime/forms-of.ts";
import type { Tensor } from "../../src/runtime/session.ts";
import { tensor, wave, waves } from "../support/onnx.ts";
import { needDevice } from "./compare.ts";
import { DeviceGraphs } from "./device-graphs.ts";
import { withoutSoftwareGpu } from "../../tools/software-gpu.ts";

/** Float32 sums of a few hundred products, in another order. */
const TOLERANCE = 1e-5;

const FORMS = formsOf("webgpu");

type Outputs = Readonly<Record<string, Value>>;
interface Case {
  outputs: Outputs;
  feeds: Record<string, Tensor>;
  forms?: KernelForms;
  sizes?: Sizes;
}

const float = (name: string, shape: Shape): Value => input(name, "float32", shape);
const indices = (values: readonly number[]): Tensor => ({
  data: BigInt64Array.from(values, BigInt),
  shape: [values.length],
});

let graphs: DeviceGraphs | undefined;
beforeAll(() => {
  if (withoutSoftwareGpu === undefined) graphs = new DeviceGraphs();
});
afterAll(() => graphs?.close());

const distanceOf = ({ outputs, feeds, forms = FORMS, sizes = {} }: Case): Promise<number> =>
  graphs!.distance(outputs, feeds, { forms, sizes });

interface AttentionCase {
  numHeads: number;
  headSize: number;
  queries: number;
  keys: number;
}

function attending({ numHeads, headSize, queries, keys }: AttentionCase): Case {
  const width = numHeads * headSize;
  const [query, key, value] = [
    float("q", [1, "queries", width]),
    float("k", [1, "keys", width]),
    float("v", [1, "keys", width]),
  ];
  const bias = float("bias", [1, 1, "queries", "keys"]);
  return {
    outputs: {
      plain: ops.attention(query, key, value, { numHeads }),
      unscaled: ops.attention(query, key, value, { numHeads, scale: 1, bias }),
      standard: ops.biasedAttention(query, key, value, { numHeads, bias }),
    },
    feeds: {
      q: waves([1, queries, width]),
      k: waves([1, keys, width], 1),
      v: waves([1, keys, width], 2),
      bias: waves([1, 1, queries, keys], 3),
    },
  };
}

const ATTENTION: readonly AttentionCase[] = [
  { numHeads: 1, headSize: 16, queries: 1, keys: 1 },
  { numHeads: 3, headSize: 12, queries: 31, keys: 40 },
  { numHeads: 3, headSize: 12, queries: 32, keys: 32 },
  { numHeads: 4, headSize: 16, queries: 100, keys: 100 },
  { numHeads: 2, headSize: 64, queries: 257, keys: 300 },
  { numHeads: 2, headSize: 128, queries: 33, keys: 70 },
];
const named = ({ numHeads, headSize, queries, keys }: AttentionCase): string =>
  `${numHeads} heads of ${headSize}, ${queries} queries and ${keys} keys`;

describe("attention on WebGPU", () => {
  it.for(ATTENTION)("is the CPU's: $numHeads x $headSize, $queries x $keys", async (one, context) => {
    needDevice(context);
    const distance = await distanceOf(attending(one));
    console.log(`WebGPU, attention, ${named(one)}: ${distance.toExponential(1)}`);
    expect(distance).toBeLessThanOrEqual(TOLERANCE);
  });

  it.for([40, 3])(
    "is the CPU's in turns that %i queries are too few for, or not",
    async (queries, context) => {
      needDevice(context);
      const forms = { ...FORMS, maxTensorBytes: 3 * 40 * 4 * 5 };
      const one = attending({ numHeads: 3, headSize: 12, queries, keys: 40 });
      const distance = await distanceOf({ ...one, forms, sizes: { queries: 40, keys: 40 } });
      expect(distance).toBeLessThanOrEqual(TOLERANCE);
    },
  );

  it("is wrong without an error as one operator, from 32 queries on, where subgroups have 4 lanes", async (context) => {
    needDevice(context);
    const of = (queries: number): Promise<number> => {
      const { outputs, feeds } = attending({ numHeads: 2, headSize: 64, queries, keys: 40 });
      return distanceOf({ outputs: { plain: outputs["plain"]! }, feeds, forms: ALL_FORMS });
    };
    // When this fails, the runtime is right, and attention need not be written out.
    expect(await of(31)).toBeLessThanOrEqual(TOLERANCE);
    expect(await of(32)).toBeGreaterThan(0.01);
  });
});

const ROWS = [1, 7, 33, 300];

/** What there may be none of: images beside the text, and rows of an adapter. WebGPU's softmax fails without rows. */
const MAY_BE_NONE = new Set(["rows of joined streams", "a layer with an adapter of this rank"]);

/** x [rows, C] and what it is computed with. */
const ofRows: Readonly<Record<string, (rows: number) => Case>> = {
  "a linear layer"(rows) {
    const [x, weight] = [float("x", ["rows", 48]), floats(wave(96 * 48), [96, 48])];
    return {
      outputs: { plain: ops.gemm(x, weight), biased: ops.gemm(x, weight, floats(wave(96))) },
      feeds: { x: waves([rows, 48]) },
    };
  },
  "norms of rows"(rows) {
    const [x, scale] = [float("x", ["rows", 48]), floats(wave(48))];
    return {
      outputs: {
        layer: ops.layerNorm(x, scale, floats(wave(48, 1)), 1e-6),
        unshifted: ops.layerNorm(x, scale, undefined, 1e-6),
        rms: ops.rmsNorm(x, scale, 1e-6),
        heads: ops.rmsNorm(ops.reshape(x, ["rows", 4, 12]), floats(wave(12)), 1e-6),
      },
      feeds: { x: waves([rows, 48]) },
    };
  },
  activations(rows) {
    const x = float("x", ["rows", 48]);
    return {
      outputs: {
        tanhGelu: ops.gelu(x, { approximate: true }),
        gelu: ops.gelu(x, { approximate: false }),
        quickGelu: ops.quickGelu(x),
        silu: ops.silu(x),
        tanh: ops.tanh(x),
        erf: ops.erf(x),
        softplus: ops.softplus(x),
        clip: ops.clip(x, -5, 5),
        softmax: ops.softmax(x),
        sines: ops.concat([ops.sin(x), ops.cos(x)], 1),
      },
      // Far beyond where exponentials overflow.
      feeds: {
        x: tensor(
          wave(rows * 48).map((value) => 100 * value),
          [rows, 48],
        ),
      },
    };
  },
  "rotary positions"(rows) {
    const [x, cos, sin] = [
      float("x", [1, "rows", 36]),
      float("cos", [1, "rows", 6]),
      float("sin", [1, "rows", 6]),
    ];
    return {
      outputs: {
        neighbours: ops.rotaryEmbedding(x, cos, sin, 3),
        halves: ops.rotaryEmbedding(x, cos, sin, 3, { isInterleaved: false }),
      },
      feeds: { x: waves([1, rows, 36]), cos: waves([1, rows, 6], 1), sin: waves([1, rows, 6], 2) },
    };
  },
  "rows of joined streams"(rows) {
    const [text, images] = [float("text", ["text", 12]), float("images", ["images", 12])];
    const joined = ops.concat([text, images], 0, "tokens");
    return {
      outputs: {
        first: ops.scaledLast(ops.rowsLike(joined, text), floats([2])),
        last: ops.scaledLast(ops.rowsAfter(joined, text, "images"), floats([2])),
      },
      feeds: { text: waves([5, 12]), images: waves([rows, 12], 1) },
    };
  },
  "a layer with an adapter of this rank"(rank) {
    const x = float("x", ["rows", 48]);
    const low = ops.add(ops.gemm(x, float("a", ["rank", 48])), float("e", [1, "rank"]));
    const y = ops.gemm(x, floats(wave(96 * 48), [96, 48]));
    return {
      outputs: { y: ops.gemm(low, float("b", [96, "rank"]), y) },
      feeds: { x: waves([20, 48]), a: waves([rank, 48]), e: waves([1, rank]), b: waves([96, rank], 1) },
    };
  },
};

describe.each(Object.keys(ofRows))("%s on WebGPU", (name) => {
  it.for(MAY_BE_NONE.has(name) ? [0, ...ROWS] : ROWS)("is the CPU's for %i rows", async (rows, context) => {
    needDevice(context);
    expect(await distanceOf(ofRows[name]!(rows))).toBeLessThanOrEqual(TOLERANCE);
  });
});

describe.each([4, 8] as const)("a matrix of %i bits on WebGPU", (bits) => {
  it.for([
    [1, 128, 64, 32],
    [1, 48, 40, 32],
    [40, 384, 128, 128],
    [300, 192, 96, 32],
  ] as const)(
    "is multiplied as the CPU does in float32: %i x %i by %i, in blocks of %i",
    async (sizes, context) => {
      needDevice(context);
      const [rows, columns, size, blockSize] = sizes;
      const count = Math.ceil(columns / blockSize);
      const bytes = Uint8Array.from(
        { length: (size * count * blockSize * bits) / 8 },
        (_, index) => index * 37,
      );
      const matrix: quantized.BlockMatrix = {
        shape: [size, columns],
        bits,
        blockSize,
        blocks: constant(bytes, [size, count, (blockSize * bits) / 8]),
        scales: floats(wave(size * count), [size, count]),
        accuracyLevel: 1,
      };
      const y = quantized.matmulNBits(float("x", ["rows", columns]), matrix, floats(wave(size)));
      expect(await distanceOf({ outputs: { y }, feeds: { x: waves([rows, columns]) } })).toBeLessThanOrEqual(
        TOLERANCE,
      );
    },
  );
});

interface ConvCase {
  channels: number;
  outChannels: number;
  /** Pixels of a kernel's side. */
  side: number;
  stride: 1 | 2;
}

function convolving({ channels, outChannels, side, stride }: ConvCase): Case {
  const shape = [outChannels, channels, side, side];
  const weight = floats(wave(outChannels * channels * side ** 2), shape);
  const padding: ops.ConvOptions["padding"] =
    stride === 2 ? [0, 0, 1, 1] : side === 3 ? [1, 1, 1, 1] : [0, 0, 0, 0];
  const x = float("x", [1, channels, "h", "w"]);
  return {
    outputs: { y: ops.conv2d(x, weight, floats(wave(outChannels)), { stride, padding }) },
    feeds: { x: waves([1, channels, 18, 22]) },
  };
}

const CHANNELS = [1, 2, 3, 4, 5, 6, 9, 12, 15, 16, 18];
const CONVOLUTIONS = CHANNELS.flatMap((channels) => {
  const three = { channels, side: 3, stride: 1 } as const;
  return [
    { ...three, outChannels: 3 },
    { ...three, outChannels: 4 },
    { ...three, outChannels: 10 },
    { ...three, outChannels: 12 },
    { ...three, outChannels: 12, side: 1 },
    { ...three, outChannels: 12, stride: 2 },
  ] as const satisfies readonly ConvCase[];
});

describe("a convolution on WebGPU", () => {
  it.for(CONVOLUTIONS)(
    "is the CPU's: $channels to $outChannels channels, $side x $side, every $stride",
    async (one, context) => {
      needDevice(context);
      expect(await distanceOf(convolving(one))).toBeLessThanOrEqual(TOLERANCE);
    },
  );

  it("is wrong without an error from 6 channels to 4", async (context) => {
    needDevice(context);
    const of = (channels: number): Promise<number> =>
      distanceOf({
        ...convolving({ channels, outChannels: 4, side: 3, stride: 1 }),
        forms: { ...FORMS, convChannels: "any" },
      });
    // When this fails, the runtime is right, and channels need not be padded.
    expect(await of(5)).toBeLessThanOrEqual(TOLERANCE);
    expect(await of(6)).toBeGreaterThan(0.01);
  });
});

const OTHERS: Readonly<Record<string, () => Case>> = {
  "convolutions and what surrounds them"() {
    const x = float("x", [1, 12, "h", "w"]);
    const weight = (size: number): Value => floats(wave(20 * 12 * size * size), [20, 12, size, size]);
    const bias = floats(wave(20));
    return {
      outputs: {
        three: ops.conv2d(x, weight(3), bias, { padding: [1, 1, 1, 1] }),
        one: ops.conv2d(x, weight(1), bias),
        halved: ops.conv2d(x, weight(3), bias, { stride: 2, padding: [0, 0, 1, 1] }),
        doubled: ops.upsampleNearest(x),
        deep: ops.spaceToDepth(x, 2),
        flat: ops.depthToSpace(x, 2),
        normed: ops.groupNorm(x, floats(wave(12)), floats(wave(12, 1)), 3, 1e-6),
      },
      feeds: { x: waves([1, 12, 18, 22]) },
    };
  },
  "44 parts of a vector"() {
    const parts = ops.split(float("x", [44 * 12]), 44, 0);
    return { outputs: { y: ops.concat(parts.toReversed(), 0) }, feeds: { x: waves([44 * 12]) } };
  },
  "12 parts of a vector, as 12 outputs of rewritten nodes"() {
    const parts = ops.splitSizes(float("x", [24]), Array<number>(12).fill(2), 0, 12);
    const outputs = Object.fromEntries(parts.map((part, index) => [`part${index}`, part]));
    return { outputs, feeds: { x: waves([24]) } };
  },
  "keys that several queries share"() {
    const heads = ops.reshape(float("x", ["keys", 36]), ["keys", 3, 1, 12]);
    const repeated = ops.expand(heads, ["keys", 3, 2, 12]);
    return { outputs: { y: ops.reshape(repeated, [1, "keys", 72]) }, feeds: { x: waves([7, 36]) } };
  },
  "rows of tables"() {
    const at = input("at", "int64", ["count"]);
    // Numbers from 1 to 1.2 in float16.
    const bits = Uint16Array.from({ length: 200 }, (_, index) => 0x3c00 + index);
    const half = constantOf("float16", new Uint8Array(bits.buffer), [50, 4]);
    return {
      outputs: {
        wide: ops.gather(floats(wave(200), [50, 4]), at),
        half: ops.toFloat32(ops.gather(half, at)),
      },
      feeds: { at: indices([3, 49, 0, 3]) },
    };
  },
  "rows of tables that are too large"() {
    const one = OTHERS["rows of tables"]!();
    return { ...one, forms: { ...FORMS, maxTensorBytes: 100 } };
  },
  "a weight that is too large"() {
    const y = ops.gemm(float("x", ["rows", 12]), floats(wave(40 * 12), [40, 12]), floats(wave(40)));
    return { outputs: { y }, feeds: { x: waves([5, 12]) }, forms: { ...FORMS, maxTensorBytes: 500 } };
  },
};

describe("on WebGPU", () => {
  it.for(Object.keys(OTHERS))("%s are the CPU's", async (name, context) => {
    needDevice(context);
    expect(await distanceOf(OTHERS[name]!())).toBeLessThanOrEqual(TOLERANCE);
  });
});
