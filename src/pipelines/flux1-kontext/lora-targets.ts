/** What a LoRA may adapt, under every name that trainers use: our layers, and the original repository's fused ones. */
import { comparable, layoutTargets, withoutPrefix } from "../../lora/layout-targets.ts";
import { type FindTarget, type LinearTarget, type Target, TEXT_ENCODER } from "../../lora/targets.ts";
import { originalFluxLayout } from "../../models/layouts/original-flux.ts";
import type { ClipConfig } from "../../models/text-encoders/clip.ts";
import type { FluxConfig } from "../../models/transformers/flux-config.ts";

/** Before the names of the CLIP text encoder's layers. T5 is adapted by no file that the reference reads. */
const TEXT_PREFIX =
  /^(?:base_model\.model\.)?(?:text_encoder\.|text_encoders\.clip_l\.transformer\.|lora_te1?_)(?:text_model[._])?/;
/** XLabs names a block's adapters after its own attention processors: 1 is the image stream, 2 the text stream. */
const XLABS: readonly [RegExp, string][] = [
  [/^(double_blocks\.\d+)\.processor\.qkv_lora1$/, "$1.img_attn.qkv"],
  [/^(double_blocks\.\d+)\.processor\.qkv_lora2$/, "$1.txt_attn.qkv"],
  [/^(double_blocks\.\d+)\.processor\.proj_lora1$/, "$1.img_attn.proj"],
  [/^(double_blocks\.\d+)\.processor\.proj_lora2$/, "$1.txt_attn.proj"],
  [/^(single_blocks\.\d+)\.processor\.qkv_lora$/, "$1.qkv"],
  [/^(single_blocks\.\d+)\.processor\.proj_lora$/, "$1.linear2"],
];
/** diffusers before peft kept the adapters of attention in processors, too. */
const OLD_PROCESSOR = /\.processor\.(to_(?:q|k|v|out))_lora$/;
const OLD_ATTENTION = /(?<=\.)(to_(?:q|k|v|out))_lora$/;
const OLD_TEXT_NAMES: Readonly<Record<string, string>> = {
  to_q: "q_proj",
  to_k: "k_proj",
  to_v: "v_proj",
  to_out: "out_proj",
};

/** The name of a layer of the CLIP text encoder, which some files have below `text_model`. */
export const clipLoraName = (key: string): string => `${TEXT_ENCODER}${key.replace(/^text_model\./, "")}`;

export function createFindTarget(flux: FluxConfig, clip?: ClipConfig): FindTarget {
  const layers = fluxTargets(flux);
  const texts = clip === undefined ? new Map<string, Target>() : clipTargets(clip);
  return (module) => {
    if (TEXT_PREFIX.test(module)) return texts.get(comparable(oldTextName(module.replace(TEXT_PREFIX, ""))));
    const bare = oldName(withoutPrefix(module));
    const [pattern, original] = XLABS.find(([known]) => known.test(bare)) ?? [];
    return layers.get(comparable(pattern ? bare.replace(pattern, original!) : bare));
  };
}

function oldName(name: string): string {
  const plain = name.replace(OLD_PROCESSOR, ".$1").replace(OLD_ATTENTION, "$1");
  return plain === name ? name : plain.replace(/(?<=\.)to_out$/, "to_out.0");
}

const oldTextName = (name: string): string =>
  name.replace(OLD_ATTENTION, (_, projection: string) => OLD_TEXT_NAMES[projection]!);

function fluxTargets(config: FluxConfig): Map<string, Target> {
  const targets = layoutTargets(originalFluxLayout(config));
  // XLabs leaves the feed-forward layer out of the fused one.
  for (let index = 0; index < config.numSingleBlocks; index += 1) {
    const fused = targets.get(comparable(`single_blocks.${index}.linear1`)) as LinearTarget;
    const target = { ...fused, parts: fused.parts.slice(0, 3) };
    targets.set(comparable(`single_blocks.${index}.qkv`), target);
  }
  return targets;
}

function clipTargets({ width, mlpWidth, numLayers }: ClipConfig): Map<string, Target> {
  const projections = ["q_proj", "k_proj", "v_proj", "out_proj"].map((name) => `self_attn.${name}`);
  const sizes: readonly (readonly [name: string, rows: number, columns: number])[] = [
    ...projections.map((name) => [name, width, width] as const),
    ["mlp.fc1", mlpWidth, width],
    ["mlp.fc2", width, mlpWidth],
  ];
  const entries = Array.from({ length: numLayers }, (_, index) =>
    sizes.map(([name, rows, columns]): [string, Target] => {
      const layer = `encoder.layers.${index}.${name}`;
      return [
        comparable(layer),
        { columns, parts: [{ layer: clipLoraName(layer), rows }], isSwapped: false },
      ];
    }),
  );
  return new Map(entries.flat());
}
