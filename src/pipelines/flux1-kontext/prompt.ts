/** The two text encoders of a checkpoint: an instruction becomes what the transformer is conditioned on. */
import { RetouchError } from "../../errors.ts";
import { type ClipConfig, clipEndPosition, clipTextEncoder, readClipConfig } from "../../models/text-encoders/clip.ts";
import { type T5Config, t5Encoder } from "../../models/text-encoders/t5.ts";
import type { RuntimeOptions, Tensor } from "../../runtime/session.ts";
import { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Checkpoint } from "../../weights/checkpoint.ts";
import type { WeightSet } from "../../weights/weight-set.ts";
import { Component } from "../../engine/component.ts";
import { readT5, type Stored } from "./components.ts";
import type { Residency } from "../../engine/residency.ts";

/** An encoded instruction. */
export interface Prompt {
  /** T5's output for every token, [Lt, C]. */
  promptEmbeds: Tensor;
  /** CLIP's output for the whole text, [1, C]. */
  pooledPromptEmbeds: Tensor;
  clipTokenIds: readonly number[];
  t5TokenIds: readonly number[];
  /** Whether the end of the text did not fit into T5's length, which carries the wording. */
  isCut: boolean;
}

/** The pipelines' limit for T5, whatever a tokenizer allows. */
const MAX_T5_TOKENS = 512;

/** Tokens that T5 encodes of every text. */
export const t5LengthOf = (tokenizer: Tokenizer): number => Math.min(tokenizer.maxLength, MAX_T5_TOKENS);

/** Of encoded prompts, how many are kept where T5 is not: the same instruction again then needs no loading. */
const MAX_REMEMBERED = 4;

/** The sizes of the two, and how many tokens of a text each reads. */
interface Configs {
  clip: ClipConfig;
  t5: T5Config;
  clipLength: number;
  t5Length: number;
}

interface Tokenizers {
  clip: Tokenizer;
  t5: Tokenizer;
}

/** What a checkpoint has of the two text encoders. */
export interface StoredEncoders {
  clip: Stored<ClipConfig, WeightSet>;
  t5: Stored<T5Config>;
  tokenizers: Tokenizers;
  configs: Configs;
}

/** Reads tokenizers, configurations and the headers of the weights. @throws RetouchError CHECKPOINT_* */
export async function readEncoders(checkpoint: Checkpoint): Promise<StoredEncoders> {
  const tokenizers = {
    clip: await Tokenizer.read(checkpoint, "tokenizer", "clip"),
    t5: await Tokenizer.read(checkpoint, "tokenizer_2", "t5"),
  };
  const config = readClipConfig(await checkpoint.config("text_encoder/config.json"));
  const clip = { config, weights: await checkpoint.weights("text_encoder") };
  const t5 = await readT5(checkpoint);
  const clipLength = Math.min(tokenizers.clip.maxLength, config.maxPositions);
  const configs = { clip: config, t5: t5.config, clipLength, t5Length: t5LengthOf(tokenizers.t5) };
  return { clip, t5, tokenizers, configs };
}

export class PromptEncoder {
  readonly configs: Configs;
  /** Tokens that T5 encodes; a shorter text is padded, without a mask, as the network was trained. */
  readonly textLength: number;
  /** Numbers of `promptEmbeds` a token, and of `pooledPromptEmbeds`. */
  readonly promptSize: number;
  readonly pooledSize: number;
  readonly clip: Component;
  readonly t5: Component;
  readonly #tokenizers: Tokenizers;
  /** By text, the latest last. */
  readonly #remembered = new Map<string, Prompt>();

  private constructor(
    configs: Configs,
    tokenizers: Tokenizers,
    { clip, t5 }: { clip: Component; t5: Component },
  ) {
    this.configs = configs;
    this.textLength = configs.t5Length;
    this.promptSize = configs.t5.width;
    this.pooledSize = configs.clip.width;
    this.#tokenizers = tokenizers;
    this.clip = clip;
    this.t5 = t5;
  }

  /** Holds the weights against the configurations; loads no network. @param t5Weights those of T5, prepared */
  static build(
    { clip: { weights: clipWeights }, tokenizers, configs }: StoredEncoders,
    t5Weights: WeightSet,
    runtime: RuntimeOptions,
  ): PromptEncoder {
    const clipOutputs = clipTextEncoder(configs.clip, clipWeights.scope(), { length: configs.clipLength });
    clipWeights.assertAllUsed();
    const clip = new Component("clip", clipOutputs, clipWeights, runtime);

    const t5Outputs = t5Encoder(configs.t5, t5Weights.scope(), { length: configs.t5Length });
    t5Weights.assertAllUsed();
    const t5 = new Component("t5", t5Outputs, t5Weights, runtime);
    return new PromptEncoder(configs, tokenizers, { clip, t5 });
  }

  async encode(text: string, residency: Residency): Promise<Prompt> {
    if (residency.isWhole) return this.#encode(text, residency);
    const prompt = this.#remembered.get(text) ?? (await this.#encode(text, residency));
    this.#remembered.delete(text);
    this.#remembered.set(text, prompt);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(oldest!);
    return prompt;
  }

  async #encode(text: string, residency: Residency): Promise<Prompt> {
    const { clipLength, t5Length, clip } = this.configs;
    const { clip: clipTokenizer, t5: t5Tokenizer } = this.#tokenizers;
    const clipText = clipTokenizer.encode(text, clipLength);
    const t5Text = t5Tokenizer.encode(text, t5Length);
    assertKnown(clipTokenizer, clipText.ids, clip.vocabularySize);
    assertKnown(t5Tokenizer, t5Text.ids, this.configs.t5.vocabularySize);
    const endPosition = clipEndPosition(clipText.ids, clip.endTokenId);
    const { pooledPromptEmbeds } = await residency.run(this.clip, {
      tokenIds: idTensor(clipText.ids),
      endPosition: idTensor([endPosition]),
    });
    const { promptEmbeds } = await residency.run(this.t5, { tokenIds: idTensor(t5Text.ids) });
    return {
      promptEmbeds: promptEmbeds!,
      pooledPromptEmbeds: pooledPromptEmbeds!,
      clipTokenIds: clipText.ids,
      t5TokenIds: t5Text.ids,
      isCut: t5Text.isCut,
    };
  }
}

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
