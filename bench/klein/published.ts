/**
 * The configurations of FLUX.2 [klein] 4B: the sizes that its publisher gives, in the fields that the classes of diffusers
 * 0.42.1 and transformers 5.23.0 read. Weights made from them are random.
 */
import { type Flux2Config, readFlux2Config } from "../../src/models/transformers/flux2-config.ts";
import {
  type Flux2AutoencoderConfig,
  readFlux2AutoencoderConfig,
} from "../../src/models/autoencoders/flux2-autoencoder-config.ts";
import { type Qwen3Config, readQwen3Config } from "../../src/models/text-encoders/qwen3-config.ts";
import { Config } from "../../src/weights/config.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The configuration files of a checkpoint's networks. */
export interface KleinFields {
  transformer: Fields;
  text_encoder: Fields;
  vae: Fields;
}

export interface KleinSizes {
  transformer: Flux2Config;
  textEncoder: Qwen3Config;
  autoencoder: Flux2AutoencoderConfig;
}

export const PUBLISHED: KleinFields = {
  transformer: {
    _class_name: "Flux2Transformer2DModel",
    in_channels: 128,
    num_layers: 5,
    num_single_layers: 20,
    num_attention_heads: 24,
    attention_head_dim: 128,
    joint_attention_dim: 7680,
    mlp_ratio: 3,
    axes_dims_rope: [32, 32, 32, 32],
    rope_theta: 2000,
    timestep_guidance_channels: 256,
    guidance_embeds: false,
  },
  /** Qwen3-4B. */
  text_encoder: {
    architectures: ["Qwen3ForCausalLM"],
    model_type: "qwen3",
    hidden_size: 2560,
    intermediate_size: 9728,
    num_hidden_layers: 36,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    vocab_size: 151_936,
    rope_theta: 1_000_000,
    rms_norm_eps: 1e-6,
    hidden_act: "silu",
    attention_bias: false,
    tie_word_embeddings: true,
  },
  vae: {
    _class_name: "AutoencoderKLFlux2",
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array<string>(4).fill("DownEncoderBlock2D"),
    up_block_types: Array<string>(4).fill("UpDecoderBlock2D"),
    layers_per_block: 2,
    latent_channels: 32,
    norm_num_groups: 32,
    act_fn: "silu",
    patch_size: [2, 2],
    sample_size: 1024,
    batch_norm_eps: 1e-4,
    use_quant_conv: true,
    use_post_quant_conv: true,
  },
};

/** stable-diffusion.cpp takes channels, heads and axes for granted, so that only width and depth are smaller. */
export const SMALL: KleinFields = {
  transformer: {
    ...PUBLISHED.transformer,
    num_layers: 1,
    num_single_layers: 2,
    num_attention_heads: 2,
    joint_attention_dim: 192,
  },
  text_encoder: {
    ...PUBLISHED.text_encoder,
    hidden_size: 64,
    intermediate_size: 256,
    num_hidden_layers: 28,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 32,
    vocab_size: 512,
  },
  vae: { ...PUBLISHED.vae, block_out_channels: [32, 32, 32, 32], layers_per_block: 1 },
};

export const sizesOf = (fields: KleinFields): KleinSizes => ({
  transformer: readFlux2Config(new Config("transformer/config.json", fields.transformer)),
  textEncoder: readQwen3Config(new Config("text_encoder/config.json", fields.text_encoder)),
  autoencoder: readFlux2AutoencoderConfig(new Config("vae/config.json", fields.vae)),
});
