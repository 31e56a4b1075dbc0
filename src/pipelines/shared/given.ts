/** What the caller gives in place of what an edit would compute: tensors, whose shapes only the networks know. */
import { invalid } from "../../errors.ts";
import type { FloatTensor } from "../../engine/given-tensors.ts";
import type { GivenForImage } from "../../engine/model.ts";
import type { ResolvedRequest } from "../../engine/request.ts";

/**
 * @param wanted numbers, and names of dimensions that may be any
 * @throws RetouchError INVALID_PARAMETER for a tensor of another shape
 */
export function checkShape(
  field: string,
  tensor: FloatTensor | undefined,
  wanted: readonly (number | string)[],
): void {
  if (tensor === undefined) return;
  const isRight = tensor.shape.every((dim, axis) => dim === wanted[axis] || typeof wanted[axis] === "string");
  if (isRight) return;
  const [found, right] = [tensor.shape, wanted].map((shape) => `[${shape.join(", ")}]`);
  throw invalid("type", { field, wanted: `a tensor of the shape ${right} here, not ${found}` });
}

/** The most tokens of a text of the edit. @param usual those of an edit that does not choose */
export const textLengthOf = (
  usual: number,
  { maxSequenceLength = usual }: Pick<ResolvedRequest, "maxSequenceLength">,
  { embeds, negativeEmbeds }: GivenForImage,
): number =>
  Math.max(...[embeds, negativeEmbeds].map((given) => given?.promptEmbeds.shape[0] ?? maxSequenceLength));
