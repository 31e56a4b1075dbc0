/**
 * The transformer in the layout of the original repository (black-forest-labs/flux @ 802fb47, `src/flux/model.py` and
 * `modules/layers.py`), which fuses what diffusers keeps apart: query, key and value, and in a single-stream block also
 * the first feed-forward layer. This corresponds to `convert_flux_transformer_checkpoint_to_diffusers` of diffusers
 * 0.42.1, but nothing is converted: the parts are byte ranges.
 */
import { Config } from "../../weights/config.ts";
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import { type FluxConfig, readFluxConfig } from "../transformers/flux-config.ts";
import { MLP_RATIO } from "../transformers/flux.ts";
import { TIME_CHANNELS } from "../transformers/flux-modulation.ts";
import { headNormEntries, layerEntry, type Part, repeated, STREAMS, swapped } from "./layout-entries.ts";

/**
 * Reads the sizes from the file's shapes. The axes of the rotary table, which no shape shows, come from `folder`, the
 * configuration in the diffusers layout, or from the published defaults.
 */
export function originalFluxConfig(file: TensorFile, folder: Config | undefined): FluxConfig {
  const numDoubleBlocks = file.countBelow("double_blocks");
  const norm = numDoubleBlocks > 0 ? "double_blocks.0.img_attn.norm" : "single_blocks.0.norm";
  const headSize = file.dimension(`${norm}.query_norm.scale`, 0);
  return readFluxConfig(
    new Config(folder?.file ?? file.file, {
      ...folder?.fields,
      in_channels: file.dimension("img_in.weight", 1),
      out_channels: file.dimension("final_layer.linear.weight", 0),
      num_layers: numDoubleBlocks,
      num_single_layers: file.countBelow("single_blocks"),
      num_attention_heads: file.dimension("img_in.weight", 0) / headSize,
      attention_head_dim: headSize,
      joint_attention_dim: file.dimension("txt_in.weight", 1),
      pooled_projection_dim: file.dimension("vector_in.in_layer.weight", 1),
      guidance_embeds: file.has("guidance_in.in_layer.weight"),
    }),
  );
}

/** Every tensor of the file, in the order of the network. */
export function originalFluxLayout(config: FluxConfig): LayoutEntry[] {
  const width = config.numHeads * config.headSize;
  return [
    ...linear("img_in", config.inChannels, [["x_embedder", width]]),
    ...linear("txt_in", config.promptSize, [["context_embedder", width]]),
    ...embedder("time_in", "timestep_embedder", TIME_CHANNELS, width),
    ...(config.hasGuidance ? embedder("guidance_in", "guidance_embedder", TIME_CHANNELS, width) : []),
    ...embedder("vector_in", "text_embedder", config.pooledSize, width),
    ...repeated(config.numDoubleBlocks, (index) => doubleStreamBlock(config, index)),
    ...repeated(config.numSingleBlocks, (index) => singleStreamBlock(config, index)),
    // In the last norm, the original has shift before scale, and diffusers has scale before shift.
    ...linear("final_layer.adaLN_modulation.1", width, [["norm_out.linear", 2 * width]]).map(swapped),
    ...linear("final_layer.linear", width, [["proj_out", config.outChannels]]),
  ];
}

/** Weight and bias of a linear layer whose rows belong to one or more layers of the network. */
const linear = (key: string, columns: number, parts: readonly Part[]): LayoutEntry[] => [
  layerEntry(key, "weight", parts, [columns]),
  layerEntry(key, "bias", parts, []),
];

function embedder(from: string, to: string, columns: number, width: number): LayoutEntry[] {
  return [
    ...linear(`${from}.in_layer`, columns, [[`time_text_embed.${to}.linear_1`, width]]),
    ...linear(`${from}.out_layer`, width, [[`time_text_embed.${to}.linear_2`, width]]),
  ];
}

function doubleStreamBlock({ numHeads, headSize }: FluxConfig, index: number): LayoutEntry[] {
  const [from, to] = [`double_blocks.${index}`, `transformer_blocks.${index}`];
  const width = numHeads * headSize;
  const mlp = MLP_RATIO * width;
  const part = (name: string, rows: number): Part => [`${to}.${name}`, rows];
  return STREAMS.flatMap(({ original, modulation, projections, norms, output, feedForward }) => [
    ...linear(`${from}.${original}_mod.lin`, width, [part(modulation, 6 * width)]),
    ...linear(
      `${from}.${original}_attn.qkv`,
      width,
      projections.map((name) => part(name, width)),
    ),
    ...headNormEntries(headSize, `${from}.${original}_attn.norm`, [`${to}.${norms[0]}`, `${to}.${norms[1]}`]),
    ...linear(`${from}.${original}_attn.proj`, width, [part(output, width)]),
    ...linear(`${from}.${original}_mlp.0`, width, [part(`${feedForward}.net.0.proj`, mlp)]),
    ...linear(`${from}.${original}_mlp.2`, mlp, [part(`${feedForward}.net.2`, width)]),
  ]);
}

function singleStreamBlock(config: FluxConfig, index: number): LayoutEntry[] {
  const [from, to] = [`single_blocks.${index}`, `single_transformer_blocks.${index}`];
  const width = config.numHeads * config.headSize;
  const mlp = MLP_RATIO * width;
  const fused: Part[] = [
    [`${to}.attn.to_q`, width],
    [`${to}.attn.to_k`, width],
    [`${to}.attn.to_v`, width],
    [`${to}.proj_mlp`, mlp],
  ];
  return [
    ...linear(`${from}.modulation.lin`, width, [[`${to}.norm.linear`, 3 * width]]),
    ...linear(`${from}.linear1`, width, fused),
    ...headNormEntries(config.headSize, `${from}.norm`, [`${to}.attn.norm_q`, `${to}.attn.norm_k`]),
    ...linear(`${from}.linear2`, width + mlp, [[`${to}.proj_out`, width]]),
  ];
}
