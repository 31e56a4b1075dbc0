/**
 * The transformer in the layout of the original repository (black-forest-labs/flux @ 802fb47, `src/flux/model.py` and
 * `modules/layers.py`), which fuses what diffusers keeps apart: query, key and value, and in a single-stream block also
 * the first feed-forward layer. This corresponds to `convert_flux_transformer_checkpoint_to_diffusers` of diffusers
 * 0.42.1, but nothing is converted: the parts are byte ranges.
 */
import type { LayoutEntry } from "../../weights/tensor-file.ts";
import type { FluxConfig } from "../transformers/flux-config.ts";
import { MLP_RATIO } from "../transformers/flux.ts";
import { TIME_CHANNELS } from "../transformers/flux-modulation.ts";
import {
  headNormEntries,
  layerEntry,
  type Part,
  repeated,
  type StreamNames,
  STREAMS,
  swapped,
} from "./layout-entries.ts";

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

function doubleStreamBlock(config: FluxConfig, index: number): LayoutEntry[] {
  return [...stream(config, index, STREAMS.image), ...stream(config, index, STREAMS.text)];
}

function stream({ numHeads, headSize }: FluxConfig, index: number, names: StreamNames): LayoutEntry[] {
  const { original, modulation, projections, norms, output, feedForward } = names;
  const [from, to] = [`double_blocks.${index}.${original}`, `transformer_blocks.${index}`];
  const width = numHeads * headSize;
  const mlp = MLP_RATIO * width;
  const part = (name: string, rows: number): Part => [`${to}.${name}`, rows];
  return [
    ...linear(`${from}_mod.lin`, width, [part(modulation, 6 * width)]),
    ...linear(
      `${from}_attn.qkv`,
      width,
      projections.map((name) => part(name, width)),
    ),
    ...headNormEntries(headSize, `${from}_attn.norm`, [`${to}.${norms[0]}`, `${to}.${norms[1]}`]),
    ...linear(`${from}_attn.proj`, width, [part(output, width)]),
    ...linear(`${from}_mlp.0`, width, [part(`${feedForward}.net.0.proj`, mlp)]),
    ...linear(`${from}_mlp.2`, mlp, [part(`${feedForward}.net.2`, width)]),
  ];
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
