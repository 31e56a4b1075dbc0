/** What a LoRA may adapt, under every name that trainers use: our layers, and the original repository's fused ones. */
import type { FluxConfig } from "../../models/transformers/flux-config.ts";
import { originalFluxLayout } from "../../models/layouts/original-flux.ts";
import type { FindTarget, Target } from "../../lora/targets.ts";
import type { LayoutEntry } from "../../weights/tensor-file.ts";

/** Prefixes of the names: diffusers, peft, ComfyUI, sd-scripts and others that write the same. */
const PREFIX =
  /^(?:base_model\.model\.)?(?:transformer\.|(?:model\.)?diffusion_model\.|lora_unet_|lora_transformer_)?/;
/** XLabs names a block's adapters after its own attention processors: 1 is the image stream, 2 the text stream. */
const XLABS: readonly [RegExp, string][] = [
  [/^(double_blocks\.\d+)\.processor\.qkv_lora1$/, "$1.img_attn.qkv"],
  [/^(double_blocks\.\d+)\.processor\.qkv_lora2$/, "$1.txt_attn.qkv"],
  [/^(double_blocks\.\d+)\.processor\.proj_lora1$/, "$1.img_attn.proj"],
  [/^(double_blocks\.\d+)\.processor\.proj_lora2$/, "$1.txt_attn.proj"],
  [/^(single_blocks\.\d+)\.processor\.qkv_lora$/, "$1.qkv"],
  [/^(single_blocks\.\d+)\.processor\.proj_lora$/, "$1.linear2"],
];

/** Names are compared with underscores for dots, as sd-scripts writes them. */
export function createFindTarget(config: FluxConfig): FindTarget {
  const targets = new Map<string, Target>();
  const add = (name: string, target: Target): void => void targets.set(name.replaceAll(".", "_"), target);
  for (const entry of originalFluxLayout(config)) {
    const target = targetOf(entry);
    if (target === undefined) continue;
    const name = moduleOf(entry.key);
    add(name, target);
    for (const part of target.parts) {
      add(part.layer, { ...target, parts: [part], isSwapped: false });
    }
    // XLabs leaves the feed-forward layer out of the fused one.
    if (name.endsWith(".linear1")) {
      add(name.replace(/linear1$/, "qkv"), { ...target, parts: target.parts.slice(0, 3) });
    }
  }
  return (module) => {
    const bare = module.replace(PREFIX, "");
    const [pattern, original] = XLABS.find(([known]) => known.test(bare)) ?? [];
    return targets.get((pattern ? bare.replace(pattern, original!) : bare).replaceAll(".", "_"));
  };
}

/** Linear layers only: norms and biases are not matrices. */
function targetOf({ shape, parts, isSwapped = false }: LayoutEntry): Target | undefined {
  const [, columns] = shape;
  if (columns === undefined) return undefined;
  const layers = parts.map(({ key, shape: [rows] }) => ({ layer: moduleOf(key), rows: rows! }));
  return { columns, parts: layers, isSwapped };
}

const moduleOf = (key: string): string => key.replace(/\.weight$/, "");
