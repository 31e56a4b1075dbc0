/** Sizes of networks in single files that have diffusers' own keys, read from the shapes. */
import { Config } from "../../weights/config.ts";
import type { TensorFile } from "../../weights/tensor-file.ts";
import { type AutoencoderConfig, readAutoencoderConfig } from "../autoencoders/autoencoder-config.ts";
import { type FluxConfig, readFluxConfig } from "../transformers/flux-config.ts";
import { PUBLISHED_AUTOENCODER } from "./original-autoencoder.ts";

/** As `originalFluxConfig`. */
export function diffusersFluxConfig(file: TensorFile, folder: Config | undefined): FluxConfig {
  const numDoubleBlocks = file.countBelow("transformer_blocks");
  const block = numDoubleBlocks > 0 ? "transformer_blocks.0" : "single_transformer_blocks.0";
  const headSize = file.dimension(`${block}.attn.norm_q.weight`, 0);
  return readFluxConfig(
    new Config(folder?.file ?? file.file, {
      ...folder?.fields,
      in_channels: file.dimension("x_embedder.weight", 1),
      out_channels: file.dimension("proj_out.weight", 0),
      num_layers: numDoubleBlocks,
      num_single_layers: file.countBelow("single_transformer_blocks"),
      num_attention_heads: file.dimension("x_embedder.weight", 0) / headSize,
      attention_head_dim: headSize,
      joint_attention_dim: file.dimension("context_embedder.weight", 1),
      pooled_projection_dim: file.dimension("time_text_embed.text_embedder.linear_1.weight", 1),
      guidance_embeds: file.has("time_text_embed.guidance_embedder.linear_1.weight"),
    }),
  );
}

/** As `originalAutoencoderConfig`. */
export function diffusersAutoencoderConfig(file: TensorFile, folder: Config | undefined): AutoencoderConfig {
  const levels = Array.from({ length: file.countBelow("encoder.down_blocks") }, (_, level) => level);
  return readAutoencoderConfig(
    new Config(folder?.file ?? file.file, {
      ...(folder?.fields ?? PUBLISHED_AUTOENCODER),
      in_channels: file.dimension("encoder.conv_in.weight", 1),
      latent_channels: file.dimension("decoder.conv_in.weight", 1),
      block_out_channels: levels.map((level) =>
        file.dimension(`encoder.down_blocks.${level}.resnets.0.conv1.weight`, 0),
      ),
      down_block_types: levels.map(() => "DownEncoderBlock2D"),
      up_block_types: levels.map(() => "UpDecoderBlock2D"),
      layers_per_block: file.countBelow("encoder.down_blocks.0.resnets"),
      mid_block_add_attention: file.countBelow("encoder.mid_block.attentions") > 0,
      use_quant_conv: file.has("quant_conv.weight"),
      use_post_quant_conv: file.has("post_quant_conv.weight"),
    }),
  );
}
