/**
 * Activation functions by their names in configurations: those of transformers (5.23.0, `activations.py`), and the few
 * of diffusers (0.42.1, `models/activations.py`), which reads them without regard to case.
 */
import { RetouchError } from "../errors.ts";
import { scalar, type Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import type { Config } from "../weights/config.ts";

export type Activation = (x: Value) => Value;

const exactGelu: Activation = (x) => ops.gelu(x, { approximate: false });
/** transformers writes the same formula in five ways. */
const tanhGelu: Activation = (x) => ops.gelu(x, { approximate: true });
const mish: Activation = (x) => ops.mul(x, ops.tanh(ops.softplus(x)));
const scaled = (x: Value, factor: number): Value => ops.mul(x, scalar(factor));
const shifted = (x: Value, term: number): Value => ops.add(x, scalar(term));

/** Mean and deviation in transformers' "laplace", whose mean is the square root of a half, rounded. */
// oxlint-disable-next-line approx-constant -- the rounded number is the one that transformers has
const LAPLACE_MEAN = 0.707107;
const LAPLACE_DEVIATION = 0.282095;
const LEAKY_SLOPE = 0.01;

const TRANSFORMERS: Readonly<Record<string, Activation>> = {
  gelu: exactGelu,
  gelu_10: (x) => ops.clip(exactGelu(x), -10, 10),
  gelu_accurate: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_new: tanhGelu,
  gelu_python: exactGelu,
  gelu_python_tanh: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  hardswish: (x) => ops.mul(x, scaled(ops.clip(shifted(x, 3), 0, 6), 1 / 6)),
  laplace(x) {
    const normed = scaled(shifted(x, -LAPLACE_MEAN), 1 / (LAPLACE_DEVIATION * Math.SQRT2));
    return scaled(shifted(ops.erf(normed), 1), 0.5);
  },
  leaky_relu: (x) => ops.sub(ops.relu(x), scaled(ops.relu(scaled(x, -1)), LEAKY_SLOPE)),
  linear: (x) => x,
  mish,
  quick_gelu: ops.quickGelu,
  relu: ops.relu,
  relu2: (x) => ops.mul(ops.relu(x), ops.relu(x)),
  relu6: (x) => ops.clip(x, 0, 6),
  sigmoid: ops.sigmoid,
  silu: ops.silu,
  sqrtsoftplus: (x) => ops.sqrt(ops.softplus(x)),
  swish: ops.silu,
  tanh: ops.tanh,
};

const DIFFUSERS: typeof TRANSFORMERS = {
  gelu: exactGelu,
  mish,
  relu: ops.relu,
  silu: ops.silu,
  swish: ops.silu,
};

/** @throws RetouchError CHECKPOINT_UNSUPPORTED for a name that is not in transformers' table */
export function readActivation(config: Config, field: string, fallback?: string): Activation {
  return activationOf(TRANSFORMERS, config, field, config.string(field, fallback));
}

/** @throws RetouchError CHECKPOINT_UNSUPPORTED for a name that is not in diffusers' table */
export function readDiffusersActivation(config: Config, field: string, fallback: string): Activation {
  return activationOf(DIFFUSERS, config, field, config.string(field, fallback).toLowerCase());
}

function activationOf(table: typeof TRANSFORMERS, config: Config, field: string, name: string): Activation {
  const activation = Object.hasOwn(table, name) ? table[name] : undefined;
  if (activation) return activation;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${config.file}, ${field} is ${name}; known are ${Object.keys(table).join(", ")}.`,
  );
}
