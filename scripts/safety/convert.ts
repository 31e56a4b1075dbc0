/**
 * Writes the weights of checkpoints/safety and their licence from the npm package:
 * `node scripts/run-ts.mjs scripts/safety/convert.ts [FOLDER]`. A kernel's
 * bytes stay as they are, in the order that ONNX wants, beside their scale and minimum; biases become float32. The batch
 * normalisations are in the kernels already.
 */
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readMobileNetMid, type StoredWeight, unpackNsfwjs } from "./nsfwjs.ts";

const TARGET = fileURLToPath(new URL("../../checkpoints/safety", import.meta.url));

/**
 * How the package names a kernel, what comes before the layer's own name, and where ONNX has TensorFlow's axes: height,
 * width, in, out becomes out, in, height, width.
 */
const KERNELS = [
  { pattern: /\/MobilenetV2\/(.+)\/Conv2D_weights$/, axes: [3, 2, 0, 1] },
  { pattern: /\/MobilenetV2\/(.+)\/depthwise_weights$/, axes: [2, 3, 0, 1] },
  { pattern: /^Func\/StatefulPartitionedCall\/input\/_262$/, axes: [1, 0] },
];
const BIASES = [
  /\/MobilenetV2\/(.+)\/Conv2D_bn_offset$/,
  /\/MobilenetV2\/(.+)\/depthwise_bn_offset$/,
  /^Func\/StatefulPartitionedCall\/input\/_263$/,
];
/** `pixels * 2 - 1`: the network's own arithmetic, which is code here. */
const CONSTANTS = /\/hub_input\/(Mul|Sub)\/y$/;
const LAST_LAYER = "dense";

interface OutTensor {
  dtype: "U8" | "F32";
  shape: readonly number[];
  bytes: Uint8Array;
}

const folder = await mkdtemp(path.join(tmpdir(), "retouch-safety-"));
try {
  const nsfwjs = await unpackNsfwjs(folder);
  const tensors = convert(readMobileNetMid(nsfwjs));
  const target = path.resolve(process.argv[2] ?? TARGET);
  await writeFile(path.join(target, "model.safetensors"), safetensors(tensors));
  await copyFile(path.join(nsfwjs, "LICENSE"), path.join(target, "LICENSE"));
  process.stdout.write(`${tensors.size} tensors written to ${target}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

function convert(weights: readonly StoredWeight[]): Map<string, OutTensor> {
  const tensors = new Map<string, OutTensor>();
  for (const weight of weights) {
    const kernel = KERNELS.find(({ pattern }) => pattern.test(weight.name));
    const bias = BIASES.find((pattern) => pattern.test(weight.name));
    if (kernel) {
      const layer = kernel.pattern.exec(weight.name)![1] ?? LAST_LAYER;
      tensors.set(`${layer.replaceAll("/", ".")}.weight`, transposed(weight, kernel.axes));
      tensors.set(`${layer.replaceAll("/", ".")}.scale`, float32([weight.scale]));
      tensors.set(`${layer.replaceAll("/", ".")}.minimum`, float32([weight.min]));
    } else if (bias) {
      const layer = bias.exec(weight.name)![1] ?? LAST_LAYER;
      const values = Array.from(weight.bytes, (byte) => byte * weight.scale + weight.min);
      tensors.set(`${layer.replaceAll("/", ".")}.bias`, float32(values));
    } else if (!CONSTANTS.test(weight.name)) {
      throw new Error(`What ${weight.name} is for is not known here.`);
    }
  }
  return tensors;
}

function transposed({ shape: from, bytes }: StoredWeight, axes: readonly number[]): OutTensor {
  const strides = from.map((_, axis) => from.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const shape = axes.map((axis) => from[axis]!);
  const result = Uint8Array.from(bytes, (_, index) => {
    let [rest, source] = [index, 0];
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      source += (rest % shape[axis]!) * strides[axes[axis]!]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return bytes[source]!;
  });
  return { dtype: "U8", shape, bytes: result };
}

function float32(values: readonly number[]): OutTensor {
  return { dtype: "F32", shape: [values.length], bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** A file with its keys in order, float32 first and the header filled up to 8 bytes: numbers lie where processors like them. */
function safetensors(tensors: ReadonlyMap<string, OutTensor>): Uint8Array {
  const placeOf = ([key, { dtype }]: [string, OutTensor]): string => `${dtype} ${key}`;
  const order = [...tensors].toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [key, { dtype, shape, bytes }] of order) {
    header[key] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...order.map(([, tensor]) => tensor.bytes)]);
}
