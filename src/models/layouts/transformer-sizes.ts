/**
 * Sizes of a transformer in a single file, read from the shapes of its weights. What no shape shows, such as the axes of
 * the rotary table, comes from the configuration in the checkpoint's folder, or is the class's default, which is as
 * published.
 */
import { Config } from "../../weights/config.ts";
import type { TensorFile } from "../../weights/tensor-file.ts";
import { type FluxConfig, readFluxConfig } from "../transformers/flux-config.ts";

/** What a layout calls the weights that show the sizes. */
interface Names {
  doubleBlocks: string;
  singleBlocks: string;
  /** The norm of queries inside a block of each kind. */
  doubleNorm: string;
  singleNorm: string;
  image: string;
  text: string;
  output: string;
  guidance: string;
}

/** Of the original repository. */
const ORIGINAL: Names = {
  doubleBlocks: "double_blocks",
  singleBlocks: "single_blocks",
  doubleNorm: "img_attn.norm.query_norm.scale",
  singleNorm: "norm.query_norm.scale",
  image: "img_in",
  text: "txt_in",
  output: "final_layer.linear",
  guidance: "guidance_in.in_layer",
};

const DIFFUSERS: Names = {
  doubleBlocks: "transformer_blocks",
  singleBlocks: "single_transformer_blocks",
  doubleNorm: "attn.norm_q.weight",
  singleNorm: "attn.norm_q.weight",
  image: "x_embedder",
  text: "context_embedder",
  output: "proj_out",
  guidance: "time_text_embed.guidance_embedder.linear_1",
};

/** The sizes of FLUX.1's transformer. @param folder the configuration in the checkpoint's folder, if there is one */
const sizesOf =
  (names: Names, pooledText: string) =>
  (file: TensorFile, folder: Config | undefined): FluxConfig =>
    readFluxConfig(
      new Config(folder?.file ?? file.file, {
        ...folder?.fields,
        ...fieldsOf(file, names),
        pooled_projection_dim: file.dimension(`${pooledText}.weight`, 1),
      }),
    );

export const originalFluxSizes = sizesOf(ORIGINAL, "vector_in.in_layer");
export const diffusersFluxSizes = sizesOf(DIFFUSERS, "time_text_embed.text_embedder.linear_1");

function fieldsOf(file: TensorFile, names: Names): Record<string, unknown> {
  const { doubleBlocks, singleBlocks, doubleNorm, singleNorm, image, text, output, guidance } = names;
  const numDoubleBlocks = file.countBelow(doubleBlocks);
  const norm = numDoubleBlocks > 0 ? `${doubleBlocks}.0.${doubleNorm}` : `${singleBlocks}.0.${singleNorm}`;
  const headSize = file.dimension(norm, 0);
  return {
    in_channels: file.dimension(`${image}.weight`, 1),
    out_channels: file.dimension(`${output}.weight`, 0),
    num_layers: numDoubleBlocks,
    num_single_layers: file.countBelow(singleBlocks),
    num_attention_heads: file.dimension(`${image}.weight`, 0) / headSize,
    attention_head_dim: headSize,
    joint_attention_dim: file.dimension(`${text}.weight`, 1),
    guidance_embeds: file.has(`${guidance}.weight`),
  };
}
