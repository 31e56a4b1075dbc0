/** Refuses an edit that would need more memory than there is: a crash in the middle of it would explain nothing. */
import { RetouchError } from "../errors.ts";
import { sizeText } from "../machine/size-text.ts";
import { type EditExtent, pictureBytes } from "./extent.ts";
import { type MemoryPlan, type NetworkKinds, planMemory } from "./memory-plan.ts";
import type { ModelPlan } from "./model.ts";
import { kindsText } from "./weights-choice.ts";

/** @throws RetouchError MEMORY_INSUFFICIENT, which also names a number of bits that would need less memory */
export function checkMemory(
  model: ModelPlan,
  kinds: NetworkKinds,
  edit: EditExtent,
  limitBytes: number,
  maxTensorBytes?: number,
): MemoryPlan {
  const plan = planMemory(model, kinds, edit, limitBytes, maxTensorBytes);
  if (plan.peakBytes <= limitBytes) return plan;
  const { width, height } = edit.target;
  const least = planMemory(model, "int4", edit, limitBytes).peakBytes;
  const less = least < plan.peakBytes ? ` (${sizeText(least)} with int4)` : "";
  const pictures = pictureBytes(edit);
  const { numResults = 1, mask } = edit;
  const results = numResults > 1 ? ` and ${numResults} results` : "";
  const largest = [edit.source, edit.result]
    .filter((size) => size !== undefined)
    .toSorted((a, b) => b.width * b.height - a.width * a.height)[0];
  const whole =
    pictures > 0 && largest
      ? `, ${sizeText(pictures)} of it for pictures of ${largest.width}x${largest.height}${mask ? " with a mask" : ""}${results}`
      : "";
  const loras = edit.loraBytes ? `, ${sizeText(edit.loraBytes)} of it for LoRAs` : "";
  throw new RetouchError(
    "MEMORY_INSUFFICIENT",
    `An edit at ${width}x${height} needs about ${sizeText(plan.peakBytes)} of memory with ${kindsText(kinds)} weights${less}${loras}${whole}, and ${sizeText(limitBytes)} may be used.`,
  );
}
