/** Activation functions by their names in transformers' configurations. */
import { RetouchError } from "../errors.ts";
import type { Value } from "../onnx/graph.ts";
import * as ops from "../onnx/ops.ts";
import type { Config } from "../weights/config.ts";

const ACTIVATIONS: Readonly<Record<string, (x: Value) => Value>> = {
  gelu: (x) => ops.gelu(x, { approximate: false }),
  gelu_new: (x) => ops.gelu(x, { approximate: true }),
  gelu_pytorch_tanh: (x) => ops.gelu(x, { approximate: true }),
  quick_gelu: ops.quickGelu,
  relu: ops.relu,
  silu: ops.silu,
};

/** @throws RetouchError CHECKPOINT_UNSUPPORTED for a name that is not in the table. */
export function readActivation(config: Config, field: string, fallback?: string): (x: Value) => Value {
  const name = config.string(field, fallback);
  const activation = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (!activation) {
    const known = Object.keys(ACTIVATIONS).join(", ");
    throw new RetouchError(
      "CHECKPOINT_UNSUPPORTED",
      `In ${config.file}, ${field} is ${name}; known are ${known}.`,
    );
  }
  return activation;
}
