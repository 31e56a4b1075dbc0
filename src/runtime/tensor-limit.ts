/** Refuses a run that a device's kernels cannot do: what they would compute instead need not be an error. */
import { RetouchError } from "../errors.ts";
import { type NamedOperator, showShape } from "../onnx/graph.ts";
import { type InputShapes, largestTensor } from "../onnx/tensor-sizes.ts";

const MIB = 2 ** 20;

/**
 * Makes the check of a network's input shapes, or none where there is no limit.
 * @param nodes those that the device computes
 * @throws (the check) RetouchError MEMORY_INSUFFICIENT, naming network, tensor and limit
 */
export function tensorLimit(
  network: string,
  nodes: readonly NamedOperator[],
  maxTensorBytes: number,
): ((shapes: InputShapes) => void) | undefined {
  if (maxTensorBytes === Infinity) return undefined;
  let fitting: string | undefined;
  return (shapes) => {
    // Every step has the shapes of the one before.
    const key = JSON.stringify(shapes);
    if (key === fitting) return;
    const largest = largestTensor(nodes, shapes);
    if (largest && largest.bytes > maxTensorBytes) {
      const inMib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
      throw new RetouchError(
        "MEMORY_INSUFFICIENT",
        `The network ${network} needs ${inMib(largest.bytes)} for the tensor ${largest.name} ${showShape(largest.shape)}, and the device has at most ${inMib(maxTensorBytes)} for one; smaller images need less.`,
      );
    }
    fitting = key;
  };
}
