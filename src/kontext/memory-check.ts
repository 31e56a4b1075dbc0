/** Refuses an edit that would take more memory than there is: dying in the middle of it tells nobody why. */
import { RetouchError } from "../errors.ts";
import { sizeText } from "../machine/size-text.ts";
import {
  type EditExtent,
  type MemoryPlan,
  type NetworkSizes,
  planMemory,
  type WeightsKind,
} from "./memory-plan.ts";

/** @throws RetouchError MEMORY_INSUFFICIENT */
export function checkMemory(
  sizes: NetworkSizes,
  kind: WeightsKind,
  edit: EditExtent,
  limitBytes: number,
): MemoryPlan {
  const plan = planMemory(sizes, kind, edit, limitBytes);
  if (plan.peakBytes <= limitBytes) return plan;
  const { width, height } = edit.target;
  throw new RetouchError(
    "MEMORY_INSUFFICIENT",
    `An edit at ${width}x${height} needs about ${sizeText(plan.peakBytes)} of memory with ${kind} weights, and ${sizeText(limitBytes)} may be used.`,
  );
}
