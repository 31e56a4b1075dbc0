/**
 * One function per operator: values in, a value out. Shapes and types are checked as the graph is built, so a mistake
 * fails on the line that makes it. An operator computes in the type of its inputs, which all have the same one; only
 * `cast` changes types.
 */
import { type ComputeType, onnxCodeOf } from "./dtype.ts";
import {
  constant,
  type Dim,
  floats,
  ints,
  makeNode,
  scalar,
  type Shape,
  showShape,
  type Value,
} from "./graph.ts";
import { widenedFrom } from "./values.ts";
import { checkTypes, float, int, intList, one, text } from "./operator.ts";

// ---- elementwise

const binary = (opType: string) => (a: Value, b: Value) => {
  checkTypes(opType, [a, b]);
  return one(opType, [a, b], broadcast(opType, a.shape, b.shape));
};
const unary = (opType: string) => (x: Value) => one(opType, [x], x.shape);

export const add = binary("Add");
export const sub = binary("Sub");
export const mul = binary("Mul");
export const div = binary("Div");
/** The smaller of two. */
export const min = binary("Min");
/** The larger of two. */
export const max = binary("Max");
/** x times a vector along the last axis, or one number: its size is known when the model runs. */
export const scaledLast = (x: Value, factors: Value): Value => alongLast("Mul", x, factors);
/** x plus such a vector. */
export const shiftedLast = (x: Value, shifts: Value): Value => alongLast("Add", x, shifts);
export const identity = unary("Identity");
export const sigmoid = unary("Sigmoid");
export const tanh = unary("Tanh");
export const erf = unary("Erf");
export const softplus = unary("Softplus");
export const cos = unary("Cos");
export const sin = unary("Sin");
export const relu = unary("Relu");
export const sqrt = unary("Sqrt");
export const reciprocal = unary("Reciprocal");

/** Every number clamped to `min` and `max`. */
export const clip = (x: Value, min: number, max: number): Value =>
  one("Clip", [x, cast(scalar(min), typeOf(x)), cast(scalar(max), typeOf(x))], x.shape);
/** Softmax along the last axis. */
export const softmax = (x: Value): Value => one("Softmax", [x], x.shape, { attributes: { axis: int(-1) } });

export const silu = (x: Value): Value => mul(x, sigmoid(x));
/** x * sigmoid(1.702 x), the approximation that CLIP was trained with. */
export const quickGelu = (x: Value): Value => mul(x, sigmoid(mul(x, scalar(1.702))));
/** @param approximate whether to use the tanh form instead of the exact one. */
export const gelu = (x: Value, { approximate }: { approximate: boolean }): Value =>
  one("Gelu", [x], x.shape, { attributes: { approximate: text(approximate ? "tanh" : "none") } });

/** `x` in another type. A value that was only widened is not rounded: a stored weight is used as it is in its file. */
export function cast(x: Value, dtype: ComputeType): Value {
  if (x.dtype === dtype) return x;
  const narrow = widenedFrom(x);
  if (narrow) return cast(narrow, dtype);
  const attributes = { to: int(onnxCodeOf(dtype)) };
  return makeNode("Cast", [x], [{ dtype, shape: x.shape }], { attributes })[0]!;
}

/** Widens stored half precision and fp8. */
export const toFloat32 = (x: Value): Value => cast(x, "float32");

/** The type that `x` is computed in. */
export function typeOf(x: Value): ComputeType {
  const { dtype } = x;
  if (dtype === "float32" || dtype === "float16" || dtype === "bfloat16") return dtype;
  throw new Error(`No layer computes in ${dtype}.`);
}

// ---- shape

export const transpose = (x: Value, permutation: readonly number[]): Value =>
  one(
    "Transpose",
    [x],
    permutation.map((axis) => x.shape[axis]!),
    { attributes: { perm: intList(permutation) } },
  );

/** Reshapes to `shape`, of which at most one dimension may be unknown until the model runs. */
export function reshape(x: Value, shape: Shape): Value {
  const unknown = shape.filter((dim) => typeof dim === "string");
  if (unknown.length > 1) throw new Error(`Reshape to ${showShape(shape)}: more than one unknown dimension.`);
  if (
    unknown.length === 0 &&
    x.shape.every((dim) => typeof dim === "number") &&
    product(shape) !== product(x.shape)
  ) {
    throw new Error(`Reshape of ${showShape(x.shape)} to ${showShape(shape)}: the element counts differ.`);
  }
  return one("Reshape", [x, ints(shape.map((dim) => (typeof dim === "number" ? dim : -1)))], shape);
}

/** The channels C of x [1, C, h, w] as those of blocks of `side` x `side` cells: [1, C / side^2, side h, side w]. */
export function depthToSpace(x: Value, side: number): Value {
  const [batch, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const times = (dim: Dim): Dim => (typeof dim === "number" ? dim * side : `${side}*${dim}`);
  // In the order channel, row, column.
  const attributes = { blocksize: int(side), mode: text("CRD") };
  return one("DepthToSpace", [x], [batch, channels / side ** 2, times(height), times(width)], { attributes });
}

/** The reverse of `depthToSpace`: x [1, C, h, w] to [1, C side^2, h / side, w / side], h and w multiples of `side`. */
export function spaceToDepth(x: Value, side: number): Value {
  const [, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const part = (dim: Dim): Dim => (typeof dim === "number" ? dim / side : `${dim}/${side}`);
  const [h, w] = [part(height), part(width)];
  // The operator puts the channel last; each channel alone, as a batch, keeps it first. A 0 keeps a dimension.
  const reshaped = (from: Value, batch: number, depth: number, rows: Dim, columns: Dim): Value =>
    one("Reshape", [from, ints([batch, depth, 0, 0])], [batch, depth, rows, columns]);
  const attributes = { blocksize: int(side) };
  const alone = reshaped(x, channels, 1, height, width);
  const deep = one("SpaceToDepth", [alone], [channels, side ** 2, h, w], { attributes });
  return reshaped(deep, 1, channels * side ** 2, h, w);
}

/** Joins along `axis`; an unknown sum gets the name `outName`. */
export function concat(values: readonly Value[], axis: number, outName = "joined"): Value {
  checkTypes("Concat", values);
  const first = values[0]!.shape;
  for (const { shape } of values) {
    if (showShape(shape.with(axis, 0)) !== showShape(first.with(axis, 0))) {
      throw new Error(`Concat of ${showShape(first)} and ${showShape(shape)} along axis ${axis}.`);
    }
  }
  const dims = values.map((value) => value.shape[axis]!);
  const sum = dims.every((dim) => typeof dim === "number") ? total(dims) : outName;
  return one("Concat", values, first.with(axis, sum), { attributes: { axis: int(axis) } });
}

/** The most parts that a `Split` gives: a GPU's shader binds each of them, and 8 buffers are what every GPU has. */
const MAX_PARTS = 8;

/** x with `count` zeros after the last along an axis, whose size is a number. */
export function padAfter(x: Value, axis: number, count: number): Value {
  const shape = x.shape.with(axis, (x.shape[axis] as number) + count);
  const after = x.shape.map((_, index) => (index === axis ? count : 0));
  return one("Pad", [x, ints([...x.shape.map(() => 0), ...after])], shape);
}

/** Cuts `axis` into `count` equal parts. */
export function split(x: Value, count: number, axis: number): Value[] {
  const dim = x.shape[axis];
  if (typeof dim !== "number" || dim % count !== 0) {
    throw new Error(`Split of ${showShape(x.shape)} into ${count} along axis ${axis}.`);
  }
  return splitSizes(
    x,
    Array.from({ length: count }, () => dim / count),
    axis,
  );
}

/** Cuts `axis` into parts of these sizes; more than `maxParts` are parts of parts. */
export function splitSizes(
  x: Value,
  sizes: readonly number[],
  axis: number,
  maxParts: number = MAX_PARTS,
): Value[] {
  if (total(sizes) !== x.shape[axis]) {
    throw new Error(`Split of ${showShape(x.shape)} into ${sizes.join(", ")} along axis ${axis}.`);
  }
  if (sizes.length === 1) return [x];
  if (sizes.length > maxParts) {
    const groups = inGroups(sizes, maxParts);
    const parts = splitSizes(x, groups.map(total), axis, maxParts);
    return parts.flatMap((part, index) => splitSizes(part, groups[index]!, axis, maxParts));
  }
  const parts = sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.with(axis, size) }));
  return makeNode("Split", [x, ints(sizes)], parts, { attributes: { axis: int(axis) } });
}

/** At most `maxGroups` groups of neighbours: each of a power of `maxGroups`, but for the last. */
export function inGroups<T>(items: readonly T[], maxGroups: number): T[][] {
  let size = 1;
  while (size * maxGroups < items.length) size *= maxGroups;
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Reshapes to the shape that `like` has when the model runs. */
export function reshapeLike(x: Value, like: Value): Value {
  const shapeOf = makeNode("Shape", [like], [{ dtype: "int64", shape: [like.shape.length] }])[0]!;
  return one("Reshape", [x, shapeOf], like.shape);
}

/** Reshapes to `shape`, whose sizes the int64 vector `sizes` has when the model runs. */
export const reshapeTo = (x: Value, sizes: Value, shape: Shape): Value => one("Reshape", [x, sizes], shape);

/** Vectors [n] of int64 one after the other. */
export const joinedInts = (parts: readonly Value[]): Value =>
  makeNode(
    "Concat",
    parts,
    [{ dtype: "int64", shape: [total(parts.map(({ shape }) => shape[0] as number))] }],
    { attributes: { axis: int(0) } },
  )[0]!;

/** Rows `start` to `end` (exclusive; Infinity: to the end) of the first axis; `outDim` is their count or name. */
export const rows = (x: Value, start: number, end: number, outDim: Dim): Value =>
  one("Slice", [x, ints([start]), ints([Math.min(end, MAX_ROWS)]), ints([0])], x.shape.with(0, outDim));
const MAX_ROWS = 2 ** 31;

/** The first rows of `x`, as many as `like` has. @param axis along which rows lie */
export const rowsLike = (x: Value, like: Value, axis = 0): Value =>
  firstAlong(x, axis, sizeAlong(like, axis), like.shape[axis]!);

/** The rows of `x` after the first ones, of which there are as many as `like` has; `outDim` is their count or name. */
export const rowsAfter = (x: Value, like: Value, outDim: Dim, axis = 0): Value =>
  one("Slice", [x, sizeAlong(like, axis), ints([MAX_ROWS]), ints([axis])], x.shape.with(axis, outDim));

/** The first entries of `x` along `axis`, `count` [1] of them; `outDim` is the name of that number. */
export const firstAlong = (x: Value, axis: number, count: Value, outDim: Dim): Value =>
  one("Slice", [x, ints([0]), count, ints([axis])], x.shape.with(axis, outDim));

/** The entries of `x` along `axis` from `start` [1] up to `end` [1]; `outDim` is the name of their number. */
export const between = (x: Value, axis: number, start: Value, end: Value, outDim: Dim): Value =>
  one("Slice", [x, start, end, ints([axis])], x.shape.with(axis, outDim));

/** The size that `axis` of `x` has when the model runs, [1]. */
export const sizeAlong = (x: Value, axis: number): Value =>
  makeNode("Shape", [x], [{ dtype: "int64", shape: [1] }], {
    attributes: { start: int(axis), end: int(axis + 1) },
  })[0]!;

/** Rows of `table` [N, C] at `indices`: [...indices, C]. */
export const gather = (table: Value, indices: Value): Value =>
  one("Gather", [table, indices], [...indices.shape, ...table.shape.slice(1)], {
    attributes: { axis: int(0) },
  });

/** Repeats along dimensions of size 1; a dimension that is unknown until the model runs stays as it is. */
export const expand = (x: Value, shape: Shape): Value =>
  one("Expand", [x, ints(shape.map((dim) => (typeof dim === "number" ? dim : 1)))], shape);

// ---- linear algebra

/** x [M, K] times weight [N, K] transposed, plus bias [N]: [M, N]. This form does not copy a stored weight. */
export function gemm(x: Value, weight: Value, bias?: Value): Value {
  if (x.shape.length !== 2 || x.shape[1] !== weight.shape[1]) {
    throw new Error(`Gemm of ${showShape(x.shape)} with a weight of ${showShape(weight.shape)}.`);
  }
  const inputs = bias ? [x, weight, bias] : [x, weight];
  checkTypes("Gemm", inputs);
  return one("Gemm", inputs, [x.shape[0]!, weight.shape[0]!], { attributes: { transB: int(1) } });
}

/** a [..., M, K] times b [..., K, N] for each of the same leading dimensions: [..., M, N]. */
export function matmul(a: Value, b: Value): Value {
  const isFitting =
    a.shape.length === b.shape.length &&
    showShape(a.shape.slice(0, -2)) === showShape(b.shape.slice(0, -2)) &&
    a.shape.at(-1) === b.shape.at(-2);
  if (!isFitting) throw new Error(`MatMul of ${showShape(a.shape)} and ${showShape(b.shape)}.`);
  checkTypes("MatMul", [a, b]);
  return one("MatMul", [a, b], [...a.shape.slice(0, -1), b.shape.at(-1)!]);
}

export interface ConvOptions {
  stride?: number;
  /** Zeros added at [top, left, bottom, right]. */
  padding?: readonly [number, number, number, number];
  /** Groups of channels, each with its own kernels; as many groups as channels makes it depthwise. */
  groups?: number;
}

/** x [1, C, h, w] with weight [N, C / groups, kh, kw]. */
export function conv2d(x: Value, weight: Value, bias: Value | undefined, options: ConvOptions = {}): Value {
  const { stride = 1, padding = [0, 0, 0, 0], groups = 1 } = options;
  const [batch, channels, height, width] = x.shape as [Dim, Dim, Dim, Dim];
  const [outChannels, inChannels, kernelHeight, kernelWidth] = weight.shape as [
    number,
    number,
    number,
    number,
  ];
  if (channels !== inChannels * groups || outChannels % groups !== 0) {
    const parts = groups === 1 ? "" : ` in ${groups} groups`;
    throw new Error(`Conv of ${showShape(x.shape)} with a weight of ${showShape(weight.shape)}${parts}.`);
  }
  const outOf = (dim: Dim, kernel: number, padded: number): Dim => {
    if (typeof dim === "number") return Math.floor((dim + padded - kernel) / stride) + 1;
    if (padded !== kernel - stride) {
      throw new Error(`Conv of ${showShape(x.shape)}: a padding of ${padded} gives the size ${dim} no name.`);
    }
    return stride === 1 ? dim : `${dim}/${stride}`;
  };
  const shape = [
    batch,
    outChannels,
    outOf(height, kernelHeight, padding[0] + padding[2]),
    outOf(width, kernelWidth, padding[1] + padding[3]),
  ];
  const attributes = {
    strides: intList([stride, stride]),
    pads: intList(padding),
    ...(groups > 1 && { group: int(groups) }),
  };
  return one("Conv", bias ? [x, weight, bias] : [x, weight], shape, { attributes });
}

/** Doubles height and width of [1, C, h, w] by repeating pixels. */
export function upsampleNearest(x: Value): Value {
  const [batch, channels, height, width] = x.shape as [Dim, Dim, Dim, Dim];
  const twice = (dim: Dim): Dim => (typeof dim === "number" ? dim * 2 : `2*${dim}`);
  return one("Resize", [x, undefined, floats([1, 1, 2, 2])], [batch, channels, twice(height), twice(width)], {
    attributes: {
      mode: text("nearest"),
      nearest_mode: text("floor"),
      coordinate_transformation_mode: text("asymmetric"),
    },
  });
}

// ---- normalisation

const reduction = (opType: string) => (x: Value, axis: number) =>
  one(opType, [x, ints([axis])], x.shape.with(axis, 1));

/** The mean along `axis`, which stays as a dimension of 1. */
export const reduceMean = reduction("ReduceMean");
/** The largest along `axis`, which stays as a dimension of 1. */
export const reduceMax = reduction("ReduceMax");
/** The smallest along `axis`, which stays as a dimension of 1. */
export const reduceMin = reduction("ReduceMin");

/** Over the last axis; `scale` and `shift` have its size and may be computed by the graph, which makes it adaptive. */
export function layerNorm(x: Value, scale: Value, shift: Value | undefined, epsilon: number): Value {
  checkVectors("LayerNormalization", x, shift ? [scale, shift] : [scale]);
  return one("LayerNormalization", shift ? [x, scale, shift] : [x, scale], x.shape, {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  });
}

/** Root mean square over the last axis. */
export function rmsNorm(x: Value, scale: Value, epsilon: number): Value {
  checkVectors("RMSNormalization", x, [scale]);
  return one("RMSNormalization", [x, scale], x.shape, {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
  });
}

function checkVectors(opType: string, x: Value, vectors: readonly Value[]): void {
  checkTypes(opType, [x, ...vectors]);
  for (const { shape } of vectors) {
    if (shape.length !== 1 || shape[0] !== x.shape.at(-1)) {
      throw new Error(`${opType} of ${showShape(x.shape)} with a vector of ${showShape(shape)}.`);
    }
  }
}

/**
 * x [1, C, h, w] normalised over each of `groups` groups of channels. It is written out, because the runtime's own
 * expansion of `GroupNormalization` sums a whole group in one float32 run: at 512x512 its error was 30 times PyTorch's.
 * Taking means of rows first, then of the group, matches PyTorch's error and takes a tenth less time.
 */
export function groupNorm(x: Value, scale: Value, shift: Value, groups: number, epsilon: number): Value {
  const channels = x.shape[1] as number;
  const groupMean = (value: Value): Value => reduceMean(reshape(reduceMean(value, 3), [groups, "rows"]), 1); // [groups, 1]
  const perChannel = (value: Value): Value =>
    reshape(expand(value, [groups, channels / groups]), [1, channels, 1, 1]);

  const centred = sub(x, perChannel(groupMean(x)));
  const variance = groupMean(mul(centred, centred));
  const inverse = reciprocal(sqrt(add(variance, scalar(epsilon))));
  const channelScale = mul(perChannel(inverse), reshape(scale, [1, channels, 1, 1]));
  return add(mul(centred, channelScale), reshape(shift, [1, channels, 1, 1]));
}

// ---- attention

/**
 * Rotates pairs in each head of x [1, L, H*D] by the angles with cosines and sines [1, L, D/2].
 * @param options.isInterleaved whether the numbers of a pair are neighbours; otherwise they are half a head apart
 */
export function rotaryEmbedding(
  x: Value,
  cosines: Value,
  sines: Value,
  numHeads: number,
  { isInterleaved = true }: { isInterleaved?: boolean } = {},
): Value {
  const wanted = showShape([...x.shape.slice(0, 2), (x.shape[2] as number) / numHeads / 2]);
  if (showShape(cosines.shape) !== wanted || showShape(sines.shape) !== wanted) {
    throw new Error(
      `RotaryEmbedding of ${showShape(x.shape)} with ${numHeads} heads needs angles of ${wanted}, not ${showShape(cosines.shape)} and ${showShape(sines.shape)}.`,
    );
  }
  checkTypes("RotaryEmbedding", [x, cosines, sines]);
  return one("RotaryEmbedding", [x, cosines, sines], x.shape, {
    attributes: { interleaved: int(isInterleaved ? 1 : 0), num_heads: int(numHeads) },
  });
}

/**
 * softmax(query key^T * scale + bias) value for [1, L, H*D] each. This is the runtime's own operator, not the standard
 * `Attention`: on the CPU it keeps memory linear in L, while the standard one holds every head's L x L scores. On CUDA,
 * the only device that computes in bfloat16, float16 without a bias is flash attention as either operator, and bfloat16
 * as the standard one only (`npm run cuda:kernels`).
 * @param options.bias added to the scores, [1, H or 1, L, L]
 * @param options.scale default 1 / sqrt(D)
 */
export function attention(
  query: Value,
  key: Value,
  value: Value,
  options: { numHeads: number; scale?: number; bias?: Value },
): Value {
  const { numHeads, scale, bias } = options;
  const [width, isKeyWide] = [query.shape[2] as number, query.shape[2] === key.shape[2]];
  if (!isKeyWide || width % numHeads !== 0 || key.shape[1] !== value.shape[1]) {
    const shapes = [query, key, value].map(({ shape }) => showShape(shape)).join(", ");
    throw new Error(`MultiHeadAttention of ${shapes} with ${numHeads} heads.`);
  }
  const attributes = { num_heads: int(numHeads), ...(scale === undefined ? {} : { scale: float(scale) }) };
  const inputs = bias ? [query, key, value, undefined, undefined, bias] : [query, key, value];
  checkTypes("MultiHeadAttention", inputs);
  if (query.dtype === "bfloat16" && !bias) return standardAttention(query, key, value, { numHeads, scale });
  return one("MultiHeadAttention", inputs, query.shape, { attributes, domain: "com.microsoft" });
}

/** `attention` without a bias as the standard operator. */
export function standardAttention(
  query: Value,
  key: Value,
  value: Value,
  { numHeads, scale }: { numHeads: number; scale?: number | undefined },
): Value {
  return one("Attention", [query, key, value], query.shape, {
    attributes: {
      q_num_heads: int(numHeads),
      kv_num_heads: int(numHeads),
      ...(scale !== undefined && { scale: float(scale) }),
    },
  });
}

/**
 * As `attention`, with a bias [1, 1, L, S] on the scores of queries [1, L, H*D] and keys [1, S, H*D]. This is the
 * standard operator: on the CPU, where neither keeps memory linear in L once there is a bias, it takes half as long for
 * 40 keys, and no longer for 512. It could let several queries share a head of the keys, but not on CUDA.
 */
export function biasedAttention(
  query: Value,
  key: Value,
  value: Value,
  { numHeads, bias }: { numHeads: number; bias: Value },
): Value {
  const [width, scores] = [query.shape[2] as number, [1, 1, query.shape[1]!, key.shape[1]!]];
  const isFitting = width === key.shape[2] && showShape(key.shape) === showShape(value.shape);
  if (!isFitting || width % numHeads !== 0 || showShape(bias.shape) !== showShape(scores)) {
    const shapes = [query, key, value, bias].map(({ shape }) => showShape(shape)).join(", ");
    throw new Error(`Attention of ${shapes} with ${numHeads} heads.`);
  }
  checkTypes("Attention", [query, key, value, bias]);
  return one("Attention", [query, key, value, bias], query.shape, {
    attributes: { q_num_heads: int(numHeads), kv_num_heads: int(numHeads) },
  });
}

/** A constant [1, 1, L, L] that masks every later position from an earlier one. */
export function causalBias(length: number): Value {
  const bias = new Float32Array(length * length);
  for (let row = 0; row < length; row += 1) bias.fill(-3e38, row * length + row + 1, (row + 1) * length);
  return constant(bias, [1, 1, length, length]);
}

function alongLast(opType: string, x: Value, vector: Value): Value {
  checkTypes(opType, [x, vector]);
  if (vector.shape.length !== 1)
    throw new Error(`${opType} along the last axis of ${showShape(vector.shape)}.`);
  return one(opType, [x, vector], x.shape);
}

function broadcast(opType: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, index) => {
    const left = a[index - rank + a.length] ?? 1;
    const right = b[index - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Error(`${opType} of ${showShape(a)} and ${showShape(b)}: the shapes do not broadcast.`);
    }
    return left === 1 ? right : left;
  });
}

const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
const product = (shape: Shape): number =>
  (shape as readonly number[]).reduce((result, dim) => result * dim, 1);
