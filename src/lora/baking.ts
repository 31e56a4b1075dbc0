/**
 * diffusers multiplies alpha / rank into the matrices of files of sd-scripts, and so rounds to the type of the product:
 * all of it into A, except for powers of two that keep A from becoming small (diffusers 0.42.1,
 * `_convert_kohya_flux_lora_to_diffusers`).
 */
import type { StoredTensor } from "../weights/safetensors.ts";
import { roundedTo } from "./numbers.ts";

type Typed = Pick<StoredTensor, "storedType" | "shape">;

interface Matrices {
  down: Float32Array;
  up: Float32Array;
}

/**
 * @param types those of A, B and alpha in the file
 * @param isTensor whether alpha is multiplied as a tensor and not as a number
 */
export function baked(
  { down, up }: Matrices,
  scale: number,
  types: readonly Typed[],
  isTensor: boolean,
): [down: Float32Array, up: Float32Array] {
  const [ofDown, ofUp, ofAlpha] = types as [Typed, Typed, Typed];
  let [downFactor, upFactor] = [isTensor ? roundedTo(ofAlpha.storedType)(scale) : scale, 1];
  // A negative scale would go on for ever.
  while (downFactor >= 0 && downFactor * 2 < upFactor)
    [downFactor, upFactor] = [downFactor * 2, upFactor / 2];
  const isPromoted = isTensor && ofAlpha.shape.length > 0;
  const type = isPromoted ? promoted(ofDown.storedType, ofAlpha.storedType) : ofDown.storedType;
  return [multiplied(down, downFactor, type), multiplied(up, upFactor, ofUp.storedType)];
}

function multiplied(values: Float32Array, factor: number, type: string): Float32Array {
  const rounded = roundedTo(type);
  const single = Math.fround(factor);
  return values.map((value) => rounded(Math.fround(value * single)));
}

/** PyTorch's type for a product of two tensors, of which the second may have been whole numbers. */
const promoted = (one: string, other: string): string =>
  one === other ? one : [one, other].includes("F64") ? "F64" : "F32";
