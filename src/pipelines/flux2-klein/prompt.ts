/** The text encoder: it turns an instruction into the transformer's conditioning. */
import type { ComponentRunner } from "../../engine/model.ts";
import { RetouchError } from "../../errors.ts";
import { qwen3Inputs } from "../../models/text-encoders/qwen3.ts";
import type { Tensor } from "../../runtime/session.ts";
import { Remembered, REMEMBERED_PROMPT_BYTES } from "../shared/remembered.ts";
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
  readonly #remembered = new Remembered<Prompt>(
    REMEMBERED_PROMPT_BYTES,
    ({ promptEmbeds }) => promptEmbeds.data.byteLength,
  );

  constructor(checkpoint: Pick<KleinCheckpoint, "configs" | "tokenizer">, components: ComponentRunner) {
    this.#checkpoint = checkpoint;
    this.#components = components;
  }

  /** @param length tokens that are read @default the most */
  encode(text: string, length: number = this.#checkpoint.configs.textLength): Promise<Prompt> {
    return this.#remembered.get(JSON.stringify([text, length]), () => this.#encode(text, length));
  }

  async #encode(text: string, length: number): Promise<Prompt> {
    const { tokenizer, configs } = this.#checkpoint;
    const { ids, numTokens, isCut } = tokenizer.encode(text, length);
    const unknown = ids.find((id) => id >= configs.qwen3.vocabularySize);
    if (unknown !== undefined) {
      throw new RetouchError(
        "CHECKPOINT_INVALID",
        `The tokenizer file ${tokenizer.file} gives the id ${unknown}, and its network knows ${configs.qwen3.vocabularySize}.`,
      );
    }
    const { promptEmbeds } = await this.#components.run("qwen3", qwen3Inputs(configs.qwen3, ids, numTokens));
    return { promptEmbeds: promptEmbeds!, tokenIds: ids, isCut };
  }
}
