/** The networks of all models in weight files, by the prefixes and the names that their keys have there. */
import type { FileNetwork, Wanted } from "../../weights/network-keys.ts";

export type NetworkName = "transformer" | "vae" | "t5" | "clip" | "qwen3";

/** A model that has a transformer and an autoencoder of its own. */
export type ModelName = "FLUX.1" | "FLUX.2";

/** The vectors of FLUX.2's blocks come from three layers beside them; no network of FLUX.1 has such. */
const SHARED_MODULATION = "(?:double_stream_modulation_(?:img|txt)|single_stream_modulation)";
const ORIGINAL_LEVEL = /^(?:encoder\.down|decoder\.up)\.\d+\./;
const OWN_LEVEL = /^(?:encoder\.down_blocks|decoder\.up_blocks)\.\d+\./;
/** Of FLUX.2's autoencoder. */
const BATCH_STATISTICS = /^bn\.running_(?:mean|var)$/;

/** Weights of a text encoder's file that its output does not need. */
const UNUSED =
  /^(?:logit_scale|text_projection(?:\.weight)?|lm_head\.weight|decoder\..+|(?:.+\.)?position_ids)$/;

const NETWORKS: Readonly<Record<NetworkName, FileNetwork>> = {
  transformer: {
    text: "a transformer",
    folder: "transformer",
    prefixes: ["model.diffusion_model.", "diffusion_model."],
    layouts: [
      {
        name: "FLUX.2's original transformer",
        model: "FLUX.2",
        signs: [new RegExp(`^${SHARED_MODULATION}\\.lin\\.`)],
      },
      {
        name: "FLUX.2's transformer of diffusers",
        model: "FLUX.2",
        signs: [new RegExp(`^${SHARED_MODULATION}\\.linear\\.`)],
        isOwn: true,
      },
      {
        name: "the original transformer",
        model: "FLUX.1",
        signs: [/^(?:double_blocks|single_blocks)\.\d+\./],
      },
      {
        name: "diffusers' transformer",
        model: "FLUX.1",
        signs: [/^(?:single_)?transformer_blocks\.\d+\.(?:attn|norm)/],
        isOwn: true,
      },
    ],
  },
  vae: {
    text: "an autoencoder",
    folder: "vae",
    prefixes: ["first_stage_model.", "vae."],
    layouts: [
      {
        name: "FLUX.2's original autoencoder",
        model: "FLUX.2",
        signs: [BATCH_STATISTICS, ORIGINAL_LEVEL],
      },
      {
        name: "FLUX.2's autoencoder of diffusers",
        model: "FLUX.2",
        signs: [BATCH_STATISTICS, OWN_LEVEL],
        isOwn: true,
      },
      { name: "the original autoencoder", model: "FLUX.1", signs: [ORIGINAL_LEVEL] },
      { name: "diffusers' autoencoder", model: "FLUX.1", signs: [OWN_LEVEL], isOwn: true },
    ],
    // A count of what the statistics were taken of.
    unused: /^bn\.num_batches_tracked$/,
  },
  t5: {
    text: "a T5 encoder",
    folder: "text_encoder_2",
    prefixes: ["text_encoders.t5xxl.transformer.", "text_encoders.t5xxl."],
    layouts: [
      { name: "transformers' T5", signs: [/^encoder\.block\.\d+\.layer\.\d+\./], isOwn: true },
      { name: "llama.cpp's T5", signs: [/^enc\.blk\.\d+\./] },
    ],
    unused: UNUSED,
  },
  clip: {
    text: "a CLIP text encoder",
    folder: "text_encoder",
    prefixes: ["text_encoders.clip_l.transformer.", "text_encoders.clip_l."],
    layouts: [
      {
        name: "CLIP",
        signs: [/^(?:text_model\.)?encoder\.layers\.\d+\.(?:self_attn|mlp)\./],
        isOwn: true,
      },
    ],
    unused: UNUSED,
  },
  qwen3: {
    text: "a Qwen3 language model",
    folder: "text_encoder",
    prefixes: ["qwen3_4b", "qwen3_8b"].flatMap((name) => [
      `text_encoders.${name}.transformer.`,
      `text_encoders.${name}.`,
    ]),
    // Other language models have the same names, but not the norms of queries.
    layouts: [
      {
        name: "transformers' Qwen3",
        signs: [/^(?:model\.)?layers\.\d+\.self_attn\.q_norm\.weight$/],
        isOwn: true,
      },
      { name: "llama.cpp's Qwen3", signs: [/^blk\.\d+\.attn_q_norm\.weight$/] },
    ],
    unused: UNUSED,
  },
};

/** A network, and its model if other models' have other names. */
type NamedNetwork = [name: "transformer" | "vae", model: ModelName] | [name: "t5" | "clip" | "qwen3"];

/** For opening a file that may hold any of them. */
export const wantedOf = (...[name, model]: NamedNetwork): Wanted => ({
  network: NETWORKS[name],
  model,
  known: Object.values(NETWORKS),
});
