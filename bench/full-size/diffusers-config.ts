/** The arguments of diffusers' `FluxTransformer2DModel`, except for the numbers of its blocks. */
import type { FluxConfig } from "../../src/models/transformers/flux-config.ts";

export const diffusersConfig = (config: FluxConfig): object => ({
  in_channels: config.inChannels,
  num_attention_heads: config.numHeads,
  attention_head_dim: config.headSize,
  joint_attention_dim: config.promptSize,
  pooled_projection_dim: config.pooledSize,
  guidance_embeds: config.hasGuidance,
  axes_dims_rope: config.rotaryAxes,
});
