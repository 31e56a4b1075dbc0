/**
 * The checker's network: MobileNetV2 (https://arxiv.org/abs/1801.04381, table 2) and one dense layer. Layers are named
 * as in nsfwjs's checkpoint. Batch normalisations are already folded into the kernels.
 */
import { RetouchError } from "../errors.ts";
import { input, scalar, type Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import type { Config } from "../weights/config.ts";
import { MAX_TEXT_CHARACTERS } from "../weights/limits.ts";
import type { QuantizedWeights } from "./quantized-weights.ts";

export interface MobileNetConfig {
  /** Side of the square that the network sees, in pixels. */
  imageSize: number;
  /** The factor for all of the paper's widths. */
  widthMultiplier: number;
  classes: readonly string[];
}

/** Expansion, width, number of blocks, and the stride of the first one. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;
const FIRST_WIDTH = 32;
const LAST_WIDTH = 1280;
const WIDTH_STEP = 8;
/** Five layers halve the size. */
const TOTAL_STRIDE = 32;
const MAX_ACTIVATION = 6;

const MAX_IMAGE_SIZE = 2048;
/** The paper uses 0.35 to 1.4. */
const WIDTH_MULTIPLIERS = { min: 0.1, max: 8 };
const MAX_CLASSES = 1000;

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) &&
  value.length <= MAX_CLASSES &&
  value.every((name) => typeof name === "string" && name.length <= MAX_TEXT_CHARACTERS);

/** @throws RetouchError CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming file and field */
export function readMobileNetConfig(config: Config): MobileNetConfig {
  if (config.string("architecture") !== "MobileNetV2") {
    throw new RetouchError("CHECKPOINT_UNSUPPORTED", `In ${config.file}, architecture must be MobileNetV2.`);
  }
  const imageSize = config.count("image_size", MAX_IMAGE_SIZE);
  if (imageSize % TOTAL_STRIDE !== 0) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, image_size must be a multiple of ${TOTAL_STRIDE} and is ${imageSize}.`,
    );
  }
  const classes = config.get("classes");
  if (!isNames(classes)) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `In ${config.file}, classes must be a list of at most ${MAX_CLASSES} texts.`,
    );
  }
  return { imageSize, widthMultiplier: config.numberWithin("width_multiplier", WIDTH_MULTIPLIERS), classes };
}

/** Builds the network: `pixels` [1, 3, size, size], 0 to 1, gives `scores` [1, classes], which add up to 1. */
export function mobileNet(config: MobileNetConfig, weights: QuantizedWeights): Record<"scores", Value> {
  const { imageSize, widthMultiplier, classes } = config;
  const widthOf = (width: number): number => Math.round((width * widthMultiplier) / WIDTH_STEP) * WIDTH_STEP;
  const pixels = input("pixels", "float32", [1, 3, imageSize, imageSize]);
  let x = ops.sub(ops.mul(pixels, scalar(2)), scalar(1));
  x = relu6(convolution(weights.child("Conv"), x, widthOf(FIRST_WIDTH), { kernel: 3, stride: 2 }));

  let count = 0;
  for (const [expansion, width, repeats, firstStride] of STAGES) {
    for (let layer = 0; layer < repeats; layer += 1) {
      const scope = weights.child(count === 0 ? "expanded_conv" : `expanded_conv_${count}`);
      const stride = layer === 0 ? firstStride : 1;
      x = invertedResidual(scope, x, { expansion, width: widthOf(width), stride });
      count += 1;
    }
  }

  const lastWidth = widthOf(LAST_WIDTH);
  x = relu6(convolution(weights.child("Conv_1"), x, lastWidth, { kernel: 1 }));
  const positions = (imageSize / TOTAL_STRIDE) ** 2;
  const features = ops.reshape(ops.reduceMean(ops.reshape(x, [1, lastWidth, positions]), 2), [1, lastWidth]);
  const dense = weights.child("dense");
  const kernel = dense.kernel([classes.length, lastWidth]);
  return { scores: ops.softmax(ops.gemm(features, kernel, dense.bias(classes.length))) };
}

/** Widens with 1x1, filters each channel separately with 3x3, narrows with 1x1; adds the input if the sizes match. */
function invertedResidual(
  weights: QuantizedWeights,
  x: Value,
  { expansion, width, stride }: { expansion: number; width: number; stride: number },
): Value {
  const inWidth = x.shape[1] as number;
  const wide = inWidth * expansion;
  const expanded = expansion === 1 ? x : relu6(convolution(weights.child("expand"), x, wide, { kernel: 1 }));
  const options = { kernel: 3, stride, groups: wide };
  const filtered = relu6(convolution(weights.child("depthwise"), expanded, wide, options));
  const narrow = convolution(weights.child("project"), filtered, width, { kernel: 1 });
  return stride === 1 && width === inWidth ? ops.add(x, narrow) : narrow;
}

const relu6 = (x: Value): Value => ops.clip(x, 0, MAX_ACTIVATION);

/** Padded as TensorFlow pads even sizes: a halving layer gets no padding at the left and upper edges. */
function convolution(
  weights: QuantizedWeights,
  x: Value,
  width: number,
  { kernel, stride = 1, groups = 1 }: { kernel: number; stride?: number; groups?: number },
): Value {
  const weight = weights.kernel([width, (x.shape[1] as number) / groups, kernel, kernel]);
  const before = stride === 1 ? (kernel - 1) / 2 : 0;
  const after = kernel - stride - before;
  const padding = [before, before, after, after] as const;
  return ops.conv2d(x, weight, weights.bias(width), { stride, groups, padding });
}
