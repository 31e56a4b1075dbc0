/**
 * The transformer of FLUX.2 in the layout of the original repository, which fuses query, key and value of a
 * double-stream block; the fused layers of single-stream blocks are fused in diffusers, too. This corresponds to
 * `convert_flux2_transformer_checkpoint_to_diffusers` of diffusers 0.42.1, but nothing is converted: the parts are byte
 * ranges.
 */
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import { type Flux2Config, mlpWidthOf, widthOf } from "../transformers/flux2-config.ts";
import {
  headNormEntries,
  layerEntry,
  type Part,
  repeated,
  type StreamNames,
  STREAMS,
  swapped,
} from "./layout-entries.ts";

/** The original calls a norm's weight scale; files that ComfyUI saves call it weight, as the reference also reads. */
export function normSuffixOf(file: Pick<TensorFile, "has">): "scale" | "weight" {
  const norms = ["double_blocks.0.img_attn.norm", "single_blocks.0.norm"];
  return norms.some((norm) => file.has(`${norm}.query_norm.weight`)) ? "weight" : "scale";
}

/** Every tensor of the file, in the order of the network. @param file where its names have more than one spelling */
export function originalFlux2Layout(config: Flux2Config, file?: TensorFile): LayoutEntry[] {
  const width = widthOf(config);
  const norms = file === undefined ? "scale" : normSuffixOf(file);
  const modulation = (name: string, numVectors: number): LayoutEntry =>
    matrix(`${name}.lin`, width, [[`${name}.linear`, numVectors * width]]);
  return [
    matrix("img_in", config.inChannels, [["x_embedder", width]]),
    matrix("txt_in", config.promptSize, [["context_embedder", width]]),
    ...embedder(config, "time_in", "timestep_embedder"),
    ...(config.hasGuidance ? embedder(config, "guidance_in", "guidance_embedder") : []),
    modulation("double_stream_modulation_img", 6),
    modulation("double_stream_modulation_txt", 6),
    modulation("single_stream_modulation", 3),
    ...repeated(config.numDoubleBlocks, (index) => doubleStreamBlock(config, index, norms)),
    ...repeated(config.numSingleBlocks, (index) => singleStreamBlock(config, index, norms)),
    // In the last norm, the original has shift before scale, and diffusers has scale before shift.
    swapped(matrix("final_layer.adaLN_modulation.1", width, [["norm_out.linear", 2 * width]])),
    matrix("final_layer.linear", width, [["proj_out", config.outChannels]]),
  ];
}

const matrix = (key: string, columns: number, parts: readonly Part[]): LayoutEntry =>
  layerEntry(key, "weight", parts, [columns]);

function embedder(config: Flux2Config, from: string, to: string): LayoutEntry[] {
  const width = widthOf(config);
  return [
    matrix(`${from}.in_layer`, config.timeChannels, [[`time_guidance_embed.${to}.linear_1`, width]]),
    matrix(`${from}.out_layer`, width, [[`time_guidance_embed.${to}.linear_2`, width]]),
  ];
}

function doubleStreamBlock(config: Flux2Config, index: number, normSuffix: string): LayoutEntry[] {
  const layoutOf = (names: StreamNames): LayoutEntry[] => stream(config, index, names, normSuffix);
  return [...layoutOf(STREAMS.image), ...layoutOf(STREAMS.text)];
}

function stream(config: Flux2Config, index: number, names: StreamNames, normSuffix: string): LayoutEntry[] {
  const { original, projections, norms, output, feedForward } = names;
  const [from, to] = [`double_blocks.${index}.${original}`, `transformer_blocks.${index}`];
  const [width, mlp] = [widthOf(config), mlpWidthOf(config)];
  const part = (name: string, rows: number): Part => [`${to}.${name}`, rows];
  const fused = projections.map((name) => part(name, width));
  const normNames = [`${to}.${norms[0]}`, `${to}.${norms[1]}`] as const;
  return [
    matrix(`${from}_attn.qkv`, width, fused),
    ...headNormEntries(config.headSize, `${from}_attn.norm`, normNames, normSuffix),
    matrix(`${from}_attn.proj`, width, [part(output, width)]),
    matrix(`${from}_mlp.0`, width, [part(`${feedForward}.linear_in`, 2 * mlp)]),
    matrix(`${from}_mlp.2`, mlp, [part(`${feedForward}.linear_out`, width)]),
  ];
}

function singleStreamBlock(config: Flux2Config, index: number, normSuffix: string): LayoutEntry[] {
  const [from, to] = [`single_blocks.${index}`, `single_transformer_blocks.${index}.attn`];
  const [width, mlp] = [widthOf(config), mlpWidthOf(config)];
  return [
    matrix(`${from}.linear1`, width, [[`${to}.to_qkv_mlp_proj`, 3 * width + 2 * mlp]]),
    ...headNormEntries(config.headSize, `${from}.norm`, [`${to}.norm_q`, `${to}.norm_k`], normSuffix),
    matrix(`${from}.linear2`, width + mlp, [[`${to}.to_out`, width]]),
  ];
}
