/** The T5 encoder in files of its own: with transformers' keys, or with llama.cpp's. */
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import type { T5Sizes } from "../text-encoders/t5-config.ts";

/** The names of the token table; a file may hold either or both. */
const TABLES = ["shared.weight", "encoder.embed_tokens.weight"];

/** Every tensor of a `.safetensors` file of the encoder, such as ComfyUI users have, with transformers' keys. */
export function singleT5Layout(config: T5Sizes, file: TensorFile): LayoutEntry[] {
  const weights = llamaT5Layout(config).flatMap(({ parts }) => parts);
  const present = TABLES.filter((name) => file.has(name));
  return weights.flatMap(({ key, shape }) => {
    const names = key === TABLES[0] && present.length > 0 ? present : [key];
    return names.map((name) => ({ key: name, shape, parts: [{ key: name, shape }] }));
  });
}

/**
 * Every tensor of a GGUF file that holds only the encoder (ggml-org/llama.cpp, `gguf-py/gguf/constants.py`,
 * `T5ENCODER`), in the order of the network.
 */
export function llamaT5Layout(config: T5Sizes): LayoutEntry[] {
  const { width, vocabularySize, numBuckets, numHeads, numLayers } = config;
  return [
    weight("token_embd", "shared", [vocabularySize, width]),
    // All layers share the first layer's table.
    weight("enc.blk.0.attn_rel_b", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", [
      numBuckets,
      numHeads,
    ]),
    ...Array.from({ length: numLayers }, (_, index) => layer(config, index)).flat(),
    weight("enc.output_norm", "encoder.final_layer_norm", [width]),
  ];
}

function layer({ width, numHeads, headSize, mlpWidth, isGated }: T5Sizes, index: number): LayoutEntry[] {
  const from = `enc.blk.${index}`;
  const [attention, mlp] = [`encoder.block.${index}.layer.0`, `encoder.block.${index}.layer.1`];
  const [inner, dense] = [numHeads * headSize, `${mlp}.DenseReluDense`];
  const up = [mlpWidth, width];
  return [
    weight(`${from}.attn_norm`, `${attention}.layer_norm`, [width]),
    ...["q", "k", "v"].map((name) =>
      weight(`${from}.attn_${name}`, `${attention}.SelfAttention.${name}`, [inner, width]),
    ),
    weight(`${from}.attn_o`, `${attention}.SelfAttention.o`, [width, inner]),
    weight(`${from}.ffn_norm`, `${mlp}.layer_norm`, [width]),
    ...(isGated ? [weight(`${from}.ffn_gate`, `${dense}.wi_0`, up)] : []),
    weight(`${from}.ffn_up`, isGated ? `${dense}.wi_1` : `${dense}.wi`, up),
    weight(`${from}.ffn_down`, `${dense}.wo`, [width, mlpWidth]),
  ];
}

function weight(from: string, to: string, shape: readonly number[]): LayoutEntry {
  return { key: `${from}.weight`, shape, parts: [{ key: `${to}.weight`, shape }] };
}
