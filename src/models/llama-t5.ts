/**
 * The T5 encoder as llama.cpp names its tensors (ggml-org/llama.cpp, `gguf-py/gguf/constants.py`, `T5ENCODER`), which
 * the GGUF files of the encoder alone have.
 */
import type { LayoutEntry } from "../weights/tensor-file.ts";
import type { T5Config } from "./t5.ts";

/** Every tensor of the file, in the order of the network. */
export function llamaT5Layout(config: T5Config): LayoutEntry[] {
  const { width, vocabularySize, numBuckets, numHeads, numLayers } = config;
  return [
    weight("token_embd", "shared", [vocabularySize, width]),
    // The first layer's table serves all.
    weight("enc.blk.0.attn_rel_b", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", [
      numBuckets,
      numHeads,
    ]),
    ...Array.from({ length: numLayers }, (_, index) => layer(config, index)).flat(),
    weight("enc.output_norm", "encoder.final_layer_norm", [width]),
  ];
}

function layer({ width, numHeads, headSize, mlpWidth, isGated }: T5Config, index: number): LayoutEntry[] {
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
