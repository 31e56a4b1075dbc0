/**
 * Sizes of a transformer in a single file, read from the shapes of its weights. What no shape shows, such as the axes of
 * the rotary table, comes from the configuration in the checkpoint's folder, or is the class's default, which is as
 * published.
 */
import { Config } from "../../weights/config.ts";
import type { TensorFile } from "../../weights/tensor-file.ts";
import { type FluxConfig, readFluxConfig } from "../transformers/flux-config.ts";
import { type Flux2Config, mlpRatioOf, readFlux2Config } from "../transformers/flux2-config.ts";
import { normSuffixOf } from "./original-flux2.ts";

/** What a layout calls the parts that show the sizes. */
interface Names {
  doubleBlocks: string;
  singleBlocks: string;
  image: string;
  text: string;
  output: string;
  guidance: string;
}

/** Of the original repositories. */
const ORIGINAL: Names = {
  doubleBlocks: "double_blocks",
  singleBlocks: "single_blocks",
  image: "img_in",
  text: "txt_in",
  output: "final_layer.linear",
  guidance: "guidance_in.in_layer",
};

const DIFFUSERS: Names = {
  doubleBlocks: "transformer_blocks",
  singleBlocks: "single_transformer_blocks",
  image: "x_embedder",
  text: "context_embedder",
  output: "proj_out",
  guidance: "time_text_embed.guidance_embedder.linear_1",
};

/** What else shows sizes of FLUX.2's. */
interface Flux2Names extends Names {
  time: string;
  /** The second feed-forward layer of a double-stream block. */
  doubleMlp: string;
  /** Of a single-stream block: attention and feed-forward layer side by side. */
  singleOutput: string;
}

const ORIGINAL_FLUX2: Flux2Names = {
  ...ORIGINAL,
  time: "time_in.in_layer",
  doubleMlp: "img_mlp.2",
  singleOutput: "linear2",
};

const DIFFUSERS_FLUX2: Flux2Names = {
  ...DIFFUSERS,
  guidance: "time_guidance_embed.guidance_embedder.linear_1",
  time: "time_guidance_embed.timestep_embedder.linear_1",
  doubleMlp: "ff.linear_out",
  singleOutput: "attn.to_out",
};

/** The sizes of FLUX.1's transformer. @param folder the configuration in the checkpoint's folder, if there is one */
export const originalFluxSizes = (file: TensorFile, folder: Config | undefined): FluxConfig =>
  readFluxConfig(
    configOf(file, folder, {
      ...fieldsOf(file, ORIGINAL, originalNorm(file, "scale")),
      pooled_projection_dim: file.dimension("vector_in.in_layer.weight", 1),
    }),
  );

/** The same for a file with diffusers' own keys. */
export const diffusersFluxSizes = (file: TensorFile, folder: Config | undefined): FluxConfig =>
  readFluxConfig(
    configOf(file, folder, {
      ...fieldsOf(file, DIFFUSERS, diffusersNorm(file)),
      pooled_projection_dim: file.dimension("time_text_embed.text_embedder.linear_1.weight", 1),
    }),
  );

/** The sizes of FLUX.2's. */
export const originalFlux2Sizes = (file: TensorFile, folder: Config | undefined): Flux2Config =>
  readFlux2Config(
    configOf(file, folder, flux2FieldsOf(file, ORIGINAL_FLUX2, originalNorm(file, normSuffixOf(file)))),
  );

export const diffusersFlux2Sizes = (file: TensorFile, folder: Config | undefined): Flux2Config =>
  readFlux2Config(configOf(file, folder, flux2FieldsOf(file, DIFFUSERS_FLUX2, diffusersNorm(file))));

/** Its messages name the folder's configuration where there is one. */
const configOf = (
  file: TensorFile,
  folder: Config | undefined,
  fields: Readonly<Record<string, unknown>>,
): Config => new Config(folder?.file ?? file.file, { ...folder?.fields, ...fields });

/** The norm of queries in the first block. */
const originalNorm = (file: TensorFile, suffix: string): string =>
  file.countBelow(ORIGINAL.doubleBlocks) > 0
    ? `double_blocks.0.img_attn.norm.query_norm.${suffix}`
    : `single_blocks.0.norm.query_norm.${suffix}`;

const diffusersNorm = (file: TensorFile): string =>
  file.countBelow(DIFFUSERS.doubleBlocks) > 0
    ? "transformer_blocks.0.attn.norm_q.weight"
    : "single_transformer_blocks.0.attn.norm_q.weight";

function fieldsOf(file: TensorFile, names: Names, norm: string): Record<string, unknown> {
  const { doubleBlocks, singleBlocks, image, text, output, guidance } = names;
  const headSize = file.dimension(norm, 0);
  return {
    in_channels: file.dimension(`${image}.weight`, 1),
    out_channels: file.dimension(`${output}.weight`, 0),
    num_layers: file.countBelow(doubleBlocks),
    num_single_layers: file.countBelow(singleBlocks),
    num_attention_heads: file.dimension(`${image}.weight`, 0) / headSize,
    attention_head_dim: headSize,
    joint_attention_dim: file.dimension(`${text}.weight`, 1),
    guidance_embeds: file.has(`${guidance}.weight`),
  };
}

function flux2FieldsOf(file: TensorFile, names: Flux2Names, norm: string): Record<string, unknown> {
  const { doubleBlocks, singleBlocks, image, time, doubleMlp, singleOutput } = names;
  const width = file.dimension(`${image}.weight`, 0);
  const mlpWidth =
    file.countBelow(doubleBlocks) > 0
      ? file.dimension(`${doubleBlocks}.0.${doubleMlp}.weight`, 1)
      : file.dimension(`${singleBlocks}.0.${singleOutput}.weight`, 1) - width;
  return {
    ...fieldsOf(file, names, norm),
    // The class has as many output as input channels for a patch of one.
    patch_size: 1,
    timestep_guidance_channels: file.dimension(`${time}.weight`, 1),
    mlp_ratio: mlpRatioOf(width, mlpWidth),
  };
}
