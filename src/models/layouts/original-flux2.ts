/**
 * The transformer of FLUX.2 in the layout of the original repository, which fuses query, key and value of a
 * double-stream block; the fused layers of single-stream blocks are fused in diffusers, too. This corresponds to
 * `convert_flux2_transformer_checkpoint_to_diffusers` of diffusers 0.42.1, but nothing is converted: the parts are byte
 * ranges.
 */
import { Config } from "../../weights/config.ts";
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import {
  type Flux2Config,
  mlpRatioOf,
  mlpWidthOf,
  readFlux2Config,
  widthOf,
} from "../transformers/flux2-config.ts";
import { headNormEntries, layerEntry, type Part, repeated, STREAMS, swapped } from "./layout-entries.ts";

/**
 * Reads the sizes from the file's shapes. What no shape shows (axes and theta of the rotary table, and epsilon) comes
 * from `folder`, the configuration in the diffusers layout, or from the published defaults.
 */
export function originalFlux2Config(file: TensorFile, folder: Config | undefined): Flux2Config {
  const numDoubleBlocks = file.countBelow("double_blocks");
  const norm = numDoubleBlocks > 0 ? "double_blocks.0.img_attn.norm" : "single_blocks.0.norm";
  return readFlux2Config(
    sizesOf(file, folder, {
      numDoubleBlocks,
      numSingleBlocks: file.countBelow("single_blocks"),
      norm: `${norm}.query_norm.${normSuffixOf(file)}`,
      input: "img_in.weight",
      text: "txt_in.weight",
      output: "final_layer.linear.weight",
      time: "time_in.in_layer.weight",
      guidance: "guidance_in.in_layer.weight",
      doubleMlp: "double_blocks.0.img_mlp.2.weight",
      singleOutput: "single_blocks.0.linear2.weight",
    }),
  );
}

/** The same for a file with diffusers' own keys. */
export function diffusersFlux2Config(file: TensorFile, folder: Config | undefined): Flux2Config {
  const numDoubleBlocks = file.countBelow("transformer_blocks");
  const block = numDoubleBlocks > 0 ? "transformer_blocks.0" : "single_transformer_blocks.0";
  return readFlux2Config(
    sizesOf(file, folder, {
      numDoubleBlocks,
      numSingleBlocks: file.countBelow("single_transformer_blocks"),
      norm: `${block}.attn.norm_q.weight`,
      input: "x_embedder.weight",
      text: "context_embedder.weight",
      output: "proj_out.weight",
      time: "time_guidance_embed.timestep_embedder.linear_1.weight",
      guidance: "time_guidance_embed.guidance_embedder.linear_1.weight",
      doubleMlp: "transformer_blocks.0.ff.linear_out.weight",
      singleOutput: "single_transformer_blocks.0.attn.to_out.weight",
    }),
  );
}

/** Which weights show the sizes, by their keys in the file. */
interface SizeKeys {
  numDoubleBlocks: number;
  numSingleBlocks: number;
  norm: string;
  input: string;
  text: string;
  output: string;
  time: string;
  guidance: string;
  /** The second feed-forward layer of a double-stream block. */
  doubleMlp: string;
  /** Of a single-stream block: attention and feed-forward layer side by side. */
  singleOutput: string;
}

function sizesOf(file: TensorFile, folder: Config | undefined, keys: SizeKeys): Config {
  const width = file.dimension(keys.input, 0);
  const headSize = file.dimension(keys.norm, 0);
  const mlpWidth =
    keys.numDoubleBlocks > 0
      ? file.dimension(keys.doubleMlp, 1)
      : file.dimension(keys.singleOutput, 1) - width;
  return new Config(folder?.file ?? file.file, {
    ...folder?.fields,
    in_channels: file.dimension(keys.input, 1),
    out_channels: file.dimension(keys.output, 0),
    patch_size: 1,
    num_layers: keys.numDoubleBlocks,
    num_single_layers: keys.numSingleBlocks,
    num_attention_heads: width / headSize,
    attention_head_dim: headSize,
    joint_attention_dim: file.dimension(keys.text, 1),
    timestep_guidance_channels: file.dimension(keys.time, 1),
    mlp_ratio: mlpRatioOf(width, mlpWidth),
    guidance_embeds: file.has(keys.guidance),
  });
}

/** The original calls a norm's weight scale; files that ComfyUI saves call it weight, as the reference also reads. */
function normSuffixOf(file: TensorFile): "scale" | "weight" {
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
  const [from, to] = [`double_blocks.${index}`, `transformer_blocks.${index}`];
  const [width, mlp] = [widthOf(config), mlpWidthOf(config)];
  const part = (name: string, rows: number): Part => [`${to}.${name}`, rows];
  return STREAMS.flatMap(({ original, projections, norms, output, feedForward }) => {
    const fused = projections.map((name) => part(name, width));
    const [query, key] = norms.map((name) => `${to}.${name}`) as [string, string];
    return [
      matrix(`${from}.${original}_attn.qkv`, width, fused),
      ...headNormEntries(config.headSize, `${from}.${original}_attn.norm`, [query, key], normSuffix),
      matrix(`${from}.${original}_attn.proj`, width, [part(output, width)]),
      matrix(`${from}.${original}_mlp.0`, width, [part(`${feedForward}.linear_in`, 2 * mlp)]),
      matrix(`${from}.${original}_mlp.2`, mlp, [part(`${feedForward}.linear_out`, width)]),
    ];
  });
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
