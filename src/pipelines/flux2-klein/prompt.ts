/** The text encoder: it turns an instruction into the transformer's conditioning. */
import { type Encodings, NOTHING_KEPT } from "../../engine/encodings.ts";
import type { ComponentRunner } from "../../engine/model.ts";
import { RetouchError } from "../../errors.ts";
import { qwen3Inputs } from "../../models/text-encoders/qwen3.ts";
import type { Tensor } from "../../runtime/session.ts";
import type { KleinCheckpoint } from "./checkpoint.ts";

/** An encoded instruction. */
export interface Prompt {
  /** The text encoder's output for every token, [Lt, C]; a shorter text is padded, and the padding counts as text. */
  promptEmbeds: Tensor;
  tokenIds: readonly number[];
  /** Whether the text was longer than what is read. */
  isCut: boolean;
}

export class PromptEncoder {
  readonly #checkpoint: Pick<KleinCheckpoint, "configs" | "tokenizer">;
  readonly #components: ComponentRunner;

  constructor(checkpoint: Pick<KleinCheckpoint, "configs" | "tokenizer">, components: ComponentRunner) {
    this.#checkpoint = checkpoint;
    this.#components = components;
  }

  /**
   * Runs the encoder unless `encodings` has what it makes of these tokens.
   * @param length tokens that are read @default the most
   */
  async encode(
    text: string,
    length: number = this.#checkpoint.configs.textLength,
    encodings: Encodings = NOTHING_KEPT,
  ): Promise<Prompt> {
    const { tokenizer, configs } = this.#checkpoint;
    const { ids, numTokens, isCut } = tokenizer.encode(text, length);
    const unknown = ids.find((id) => id >= configs.qwen3.vocabularySize);
    if (unknown !== undefined) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The tokenizer file ${tokenizer.file} gives the id ${unknown}, and its network knows ${configs.qwen3.vocabularySize}.`,
      );
    }
    const key = { encoder: "qwen3", read: [ids, numTokens] };
    const promptEmbeds = await encodings.get(key, async () => {
      const inputs = qwen3Inputs(configs.qwen3, ids, numTokens);
      return (await this.#components.run("qwen3", inputs)).promptEmbeds!;
    });
    return { promptEmbeds, tokenIds: ids, isCut };
  }
}
