/** What a LoRA may adapt in a transformer, under the names of both its layouts: ours, and the original's fused layers. */
import type { LayoutEntry } from "../weights/tensor-file.ts";
import type { Target } from "./targets.ts";

/** Prefixes of the names: diffusers, peft, ComfyUI, sd-scripts, LyCORIS and others that write the same. */
const PREFIX =
  /^(?:base_model\.model\.)?(?:transformer\.|(?:model\.)?diffusion_model\.|lora_unet_|lora_transformer_|lycoris_)?/;

/** A module's name without them. */
export const withoutPrefix = (module: string): string => module.replace(PREFIX, "");

/** Names are compared with underscores for dots, as sd-scripts writes them. */
export const comparable = (name: string): string => name.replaceAll(".", "_");

/** The layer or norm that a weight belongs to, by its key. */
export const moduleOf = (key: string): string => key.replace(/\.(?:weight|scale)$/, "");

/**
 * The linear layers of a layout, and the norms of queries and keys, by their comparable names in either layout.
 * @param options.areHalvesSwapped whether LoRAs of a layer that has its halves in the other order have them so, too
 */
export function layoutTargets(
  layout: readonly LayoutEntry[],
  { areHalvesSwapped = true }: { areHalvesSwapped?: boolean } = {},
): Map<string, Target> {
  const targets = new Map<string, Target>();
  const add = (name: string, target: Target): void => void targets.set(comparable(name), target);
  for (const entry of layout) {
    const target = targetOf(entry, areHalvesSwapped);
    if (target === undefined) continue;
    add(moduleOf(entry.key), target);
    if ("norm" in target) add(target.norm, target);
    else for (const part of target.parts) add(part.layer, { ...target, parts: [part], isSwapped: false });
  }
  return targets;
}

function targetOf(
  { key, shape, parts, isSwapped = false }: LayoutEntry,
  areHalvesSwapped: boolean,
): Target | undefined {
  const [size, columns] = shape;
  if (columns === undefined) {
    return key.endsWith(".scale") ? { norm: moduleOf(parts[0]!.key), size: size! } : undefined;
  }
  const layers = parts.map((part) => ({ layer: moduleOf(part.key), rows: part.shape[0]! }));
  return { columns, parts: layers, isSwapped: isSwapped && areHalvesSwapped };
}
