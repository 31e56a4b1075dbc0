/** The two text encoders: they turn an instruction into the transformer's conditioning. */
import type { ComponentRunner } from "../../engine/model.ts";
import { RetouchError } from "../../errors.ts";
import { TEXT_ENCODER } from "../../lora/targets.ts";
import type { Adapters } from "../../models/adapters.ts";
import { clipEndPosition } from "../../models/text-encoders/clip.ts";
import { positionBuckets } from "../../models/text-encoders/t5.ts";
import type { Tensor } from "../../runtime/session.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { Remembered, REMEMBERED_PROMPT_BYTES } from "../shared/remembered.ts";
import type { KontextCheckpoint } from "./checkpoint.ts";

/** An encoded instruction. */
export interface Prompt {
  /** T5's output for every token, [Lt, C]; a shorter text is padded, without a mask, as in the network's training. */
  promptEmbeds: Tensor;
  /** CLIP's output for the whole text, [1, C]. */
  pooledPromptEmbeds: Tensor;
  clipTokenIds: readonly number[];
  t5TokenIds: readonly number[];
  /** Whether the text was too long for T5, which carries the wording. */
  isCut: boolean;
}

/** What to encode. */
export interface PromptText {
  prompt: string;
  /** What T5 reads. @default the prompt */
  prompt2?: string | undefined;
  /** Tokens that T5 reads. @default the checkpoint's number */
  length?: number | undefined;
}

export class PromptEncoder {
  readonly #checkpoint: Pick<KontextCheckpoint, "configs" | "tokenizers">;
  readonly #components: ComponentRunner;
  readonly #remembered = new Remembered<Prompt>(
    REMEMBERED_PROMPT_BYTES,
    ({ promptEmbeds }) => promptEmbeds.data.byteLength,
  );
  /** Of what LoRAs added to the text encoder, in the order in which they came. */
  readonly #adapterNumbers = new WeakMap<Adapters, number>();
  #numAdapters = 0;

  constructor(checkpoint: Pick<KontextCheckpoint, "configs" | "tokenizers">, components: ComponentRunner) {
    this.#checkpoint = checkpoint;
    this.#components = components;
  }

  encode(text: PromptText, adapters?: Adapters): Promise<Prompt> {
    const own = adapters && [...adapters.keys()].some(isOfText) ? this.#numberOf(adapters) : 0;
    const key = JSON.stringify([text.prompt, text.prompt2, text.length, own]);
    return this.#remembered.get(key, () => this.#encode(text, adapters));
  }

  #numberOf(adapters: Adapters): number {
    const number = this.#adapterNumbers.get(adapters) ?? (this.#numAdapters += 1);
    this.#adapterNumbers.set(adapters, number);
    return number;
  }

  async #encode(
    { prompt, prompt2 = prompt, length }: PromptText,
    adapters: Adapters | undefined,
  ): Promise<Prompt> {
    const { tokenizers, configs } = this.#checkpoint;
    const clipText = tokenizers.clip.encode(prompt, configs.clipLength);
    const t5Text = tokenizers.t5.encode(prompt2, length ?? configs.t5Length);
    assertKnown(tokenizers.clip, clipText.ids, configs.clip.vocabularySize);
    assertKnown(tokenizers.t5, t5Text.ids, configs.t5.vocabularySize);
    const endPosition = clipEndPosition(clipText.ids, configs.clip.endTokenId);
    const clipInputs = { tokenIds: idTensor(clipText.ids), endPosition: idTensor([endPosition]) };
    const { pooledPromptEmbeds } = await this.#components.run("clip", clipInputs, adapters);
    const numTokens = t5Text.ids.length;
    const { promptEmbeds } = await this.#components.run("t5", {
      tokenIds: idTensor(t5Text.ids),
      positionBuckets: {
        data: positionBuckets(configs.t5, numTokens),
        shape: [1, numTokens, numTokens],
      },
    });
    return {
      promptEmbeds: promptEmbeds!,
      pooledPromptEmbeds: pooledPromptEmbeds!,
      clipTokenIds: clipText.ids,
      t5TokenIds: t5Text.ids,
      isCut: t5Text.isCut,
    };
  }
}

const isOfText = (layer: string): boolean => layer.startsWith(TEXT_ENCODER);

/** A tokenizer may have more ids than its network has rows, as long as no text needs them. */
function assertKnown({ file }: Tokenizer, ids: readonly number[], vocabularySize: number): void {
  const unknown = ids.find((id) => id >= vocabularySize);
  if (unknown === undefined) return;
  throw new RetouchError(
    "CHECKPOINT_INVALID",
    `The tokenizer file ${file} gives the id ${unknown}, and its network knows ${vocabularySize}.`,
  );
}

const idTensor = (ids: readonly number[]): Tensor => ({
  data: BigInt64Array.from(ids, (id) => BigInt(id)),
  shape: [ids.length],
});
