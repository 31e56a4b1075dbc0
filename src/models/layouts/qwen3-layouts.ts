/** Qwen3 in a GGUF file, with llama.cpp's keys. */
import type { LayoutEntry, TensorFile } from "../../weights/tensor-file.ts";
import type { Qwen3Sizes } from "../text-encoders/qwen3-config.ts";
import { repeated } from "./layout-entries.ts";

/** What turns states into words: absent where it is the token table. */
const OUTPUT = "output.weight";

/**
 * Every tensor of a GGUF file of the language model (ggml-org/llama.cpp, `gguf-py/gguf/constants.py`, `QWEN3`), in the
 * order of the network. Rows of queries and keys lie as in transformers: llama.cpp rotates the same pairs.
 */
export function llamaQwen3Layout(config: Qwen3Sizes, file: Pick<TensorFile, "has">): LayoutEntry[] {
  const { width, vocabularySize, numLayers } = config;
  const table = [vocabularySize, width];
  return [
    entry("token_embd.weight", "model.embed_tokens.weight", table),
    ...repeated(numLayers, (index) => layer(config, index)),
    entry("output_norm.weight", "model.norm.weight", [width]),
    ...(file.has(OUTPUT) ? [entry(OUTPUT, "lm_head.weight", table)] : []),
  ];
}

function layer(config: Qwen3Sizes, index: number): LayoutEntry[] {
  const { width, mlpWidth, numHeads, numKeyHeads, headSize, hasBias } = config;
  const [inner, keys] = [numHeads * headSize, numKeyHeads * headSize];
  const own = (from: string, to: string, shape: readonly number[]): LayoutEntry =>
    entry(`blk.${index}.${from}`, `model.layers.${index}.${to}`, shape);
  const weight = (from: string, to: string, shape: readonly number[]): LayoutEntry =>
    own(`${from}.weight`, `${to}.weight`, shape);
  const projection = (
    from: string,
    to: string,
    [rows, columns]: readonly [number, number],
  ): LayoutEntry[] => [
    weight(from, to, [rows, columns]),
    ...(hasBias ? [own(`${from}.bias`, `${to}.bias`, [rows])] : []),
  ];
  return [
    weight("attn_norm", "input_layernorm", [width]),
    ...projection("attn_q", "self_attn.q_proj", [inner, width]),
    weight("attn_q_norm", "self_attn.q_norm", [headSize]),
    ...projection("attn_k", "self_attn.k_proj", [keys, width]),
    weight("attn_k_norm", "self_attn.k_norm", [headSize]),
    ...projection("attn_v", "self_attn.v_proj", [keys, width]),
    ...projection("attn_output", "self_attn.o_proj", [width, inner]),
    weight("ffn_norm", "post_attention_layernorm", [width]),
    weight("ffn_gate", "mlp.gate_proj", [mlpWidth, width]),
    weight("ffn_up", "mlp.up_proj", [mlpWidth, width]),
    weight("ffn_down", "mlp.down_proj", [width, mlpWidth]),
  ];
}

const entry = (from: string, to: string, shape: readonly number[]): LayoutEntry => ({
  key: from,
  shape,
  parts: [{ key: to, shape }],
});
