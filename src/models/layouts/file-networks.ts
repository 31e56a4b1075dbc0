/** The networks of FLUX.1 in weight files, by the prefixes and the names that their keys have there. */
import type { FileNetwork, Wanted } from "../../weights/network-keys.ts";

export type NetworkName = "transformer" | "vae" | "t5" | "clip";

/** Weights of a text encoder's file that its output does not need. */
const UNUSED =
  /^(?:logit_scale|text_projection(?:\.weight)?|lm_head\.weight|decoder\..+|(?:.+\.)?position_ids)$/;

const NETWORKS: Readonly<Record<NetworkName, FileNetwork>> = {
  transformer: {
    text: "a transformer",
    folder: "transformer",
    prefixes: ["model.diffusion_model.", "diffusion_model."],
    layouts: [
      { name: "the original transformer", sign: /^(?:double_blocks|single_blocks)\.\d+\./ },
      { name: "diffusers' transformer", sign: /^(?:single_)?transformer_blocks\.\d+\.(?:attn|norm)/ },
    ],
  },
  vae: {
    text: "an autoencoder",
    folder: "vae",
    prefixes: ["first_stage_model.", "vae."],
    layouts: [
      { name: "the original autoencoder", sign: /^(?:encoder\.down|decoder\.up)\.\d+\./ },
      { name: "diffusers' autoencoder", sign: /^(?:encoder\.down_blocks|decoder\.up_blocks)\.\d+\./ },
    ],
  },
  t5: {
    text: "a T5 encoder",
    folder: "text_encoder_2",
    prefixes: ["text_encoders.t5xxl.transformer.", "text_encoders.t5xxl."],
    layouts: [
      { name: "transformers' T5", sign: /^encoder\.block\.\d+\.layer\.\d+\./ },
      { name: "llama.cpp's T5", sign: /^enc\.blk\.\d+\./ },
    ],
    unused: UNUSED,
  },
  clip: {
    text: "a CLIP text encoder",
    folder: "text_encoder",
    prefixes: ["text_encoders.clip_l.transformer.", "text_encoders.clip_l."],
    layouts: [{ name: "CLIP", sign: /^(?:text_model\.)?encoder\.layers\.\d+\.(?:self_attn|mlp)\./ }],
    unused: UNUSED,
  },
};

/** For opening a file that may hold any of them. */
export const wantedOf = (name: NetworkName): Wanted => ({
  network: NETWORKS[name],
  known: Object.values(NETWORKS),
});
