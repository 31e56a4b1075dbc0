/** The two text encoders: they turn an instruction into the transformer's conditioning. */
import { type Encodings, NOTHING_KEPT } from "../../engine/encodings.ts";
import type { ComponentRunner } from "../../engine/model.ts";
import { RetouchError } from "../../errors.ts";
import { TEXT_ENCODER } from "../../lora/targets.ts";
import type { Adapters } from "../../models/adapters.ts";
import { clipEndPosition } from "../../models/text-encoders/clip.ts";
import { positionBuckets } from "../../models/text-encoders/t5.ts";
import type { Tensor } from "../../runtime/session.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
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
  /** Of what LoRAs added to the text encoder, in the order in which they came. */
  readonly #adapterNumbers = new WeakMap<Adapters, number>();
  #numAdapters = 0;

  constructor(checkpoint: Pick<KontextCheckpoint, "configs" | "tokenizers">, components: ComponentRunner) {
    this.#checkpoint = checkpoint;
    this.#components = components;
  }

  /** Runs each encoder unless `encodings` has what it makes of these tokens. */
  async encode(
    { prompt, prompt2 = prompt, length }: PromptText,
    {
      adapters,
      encodings = NOTHING_KEPT,
    }: { adapters?: Adapters | undefined; encodings?: Encodings | undefined } = {},
  ): Promise<Prompt> {
    const { tokenizers, configs } = this.#checkpoint;
    const clipText = tokenizers.clip.encode(prompt, configs.clipLength);
    const t5Text = tokenizers.t5.encode(prompt2, length ?? configs.t5Length);
    assertKnown(tokenizers.clip, clipText.ids, configs.clip.vocabularySize);
    assertKnown(tokenizers.t5, t5Text.ids, configs.t5.vocabularySize);
    const clipKey = { encoder: "clip", read: [clipText.ids, this.#numberOf(adapters)] };
    const t5Key = { encoder: "t5", read: [t5Text.ids] };
    return {
      pooledPromptEmbeds: await encodings.get(clipKey, () => this.#runClip(clipText.ids, adapters)),
      promptEmbeds: await encodings.get(t5Key, () => this.#runT5(t5Text.ids)),
      clipTokenIds: clipText.ids,
      t5TokenIds: t5Text.ids,
      isCut: t5Text.isCut,
    };
  }

  /** 0 for adapters that leave the text encoder as it is. */
  #numberOf(adapters: Adapters | undefined): number {
    if (adapters === undefined || ![...adapters.keys()].some(isOfText)) return 0;
    const number = this.#adapterNumbers.get(adapters) ?? (this.#numAdapters += 1);
    this.#adapterNumbers.set(adapters, number);
    return number;
  }

  async #runClip(ids: readonly number[], adapters: Adapters | undefined): Promise<Tensor> {
    const endPosition = clipEndPosition(ids, this.#checkpoint.configs.clip.endTokenId);
    const inputs = { tokenIds: idTensor(ids), endPosition: idTensor([endPosition]) };
    const { pooledPromptEmbeds } = await this.#components.run("clip", inputs, adapters);
    return pooledPromptEmbeds!;
  }

  async #runT5(ids: readonly number[]): Promise<Tensor> {
    const { promptEmbeds } = await this.#components.run("t5", {
      tokenIds: idTensor(ids),
      positionBuckets: {
        data: positionBuckets(this.#checkpoint.configs.t5, ids.length),
        shape: [1, ids.length, ids.length],
      },
    });
    return promptEmbeds!;
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
