/** The two text encoders of a checkpoint: an instruction becomes what the transformer is conditioned on. */
import { clipEndPosition, clipTextEncoder, readClipConfig } from "../models/clip.ts";
import { readT5Config, t5Encoder } from "../models/t5.ts";
import { loadSession } from "../runtime/load.ts";
import type { RuntimeOptions, Session, Tensor } from "../runtime/session.ts";
import { Tokenizer } from "../tokenizers/tokenizer.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";

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

export class PromptEncoder {
  /** Tokens that T5 encodes; a shorter text is padded, without a mask, as the network was trained. */
  readonly textLength: number;
  /** Numbers of `promptEmbeds` a token, and of `pooledPromptEmbeds`. */
  readonly promptSize: number;
  readonly pooledSize: number;
  readonly #encode: (text: string) => Promise<Prompt>;
  readonly #sessions: readonly Session[];

  private constructor(
    sizes: { textLength: number; promptSize: number; pooledSize: number },
    encode: (text: string) => Promise<Prompt>,
    sessions: readonly Session[],
  ) {
    this.textLength = sizes.textLength;
    this.promptSize = sizes.promptSize;
    this.pooledSize = sizes.pooledSize;
    this.#encode = encode;
    this.#sessions = sessions;
  }

  static async load(checkpoint: Checkpoint, runtime: RuntimeOptions): Promise<PromptEncoder> {
    const clipTokenizer = await Tokenizer.read(checkpoint, "tokenizer", "clip");
    const t5Tokenizer = await Tokenizer.read(checkpoint, "tokenizer_2", "t5");

    const clipConfig = readClipConfig(await checkpoint.config("text_encoder/config.json"));
    const clipLength = Math.min(clipTokenizer.maxLength, clipConfig.maxPositions);
    const clipWeights = await checkpoint.weights("text_encoder");
    const clipOutputs = clipTextEncoder(clipConfig, clipWeights.scope(), { length: clipLength });
    clipWeights.assertAllUsed();
    const clip = await loadSession(clipOutputs, clipWeights, runtime);

    const t5Config = readT5Config(await checkpoint.config("text_encoder_2/config.json"));
    const t5Length = t5LengthOf(t5Tokenizer);
    const t5Weights = await checkpoint.weights("text_encoder_2");
    const t5Outputs = t5Encoder(t5Config, t5Weights.scope(), { length: t5Length });
    t5Weights.assertAllUsed();
    const t5 = await loadSession(t5Outputs, t5Weights, runtime);

    const encode = async (text: string): Promise<Prompt> => {
      const clipText = clipTokenizer.encode(text, clipLength);
      const t5Text = t5Tokenizer.encode(text, t5Length);
      const endPosition = clipEndPosition(clipText.ids, clipConfig.endTokenId);
      const { pooledPromptEmbeds } = await clip.run({
        tokenIds: idTensor(clipText.ids),
        endPosition: idTensor([endPosition]),
      });
      const { promptEmbeds } = await t5.run({ tokenIds: idTensor(t5Text.ids) });
      return {
        promptEmbeds: promptEmbeds!,
        pooledPromptEmbeds: pooledPromptEmbeds!,
        clipTokenIds: clipText.ids,
        t5TokenIds: t5Text.ids,
        isCut: t5Text.isCut,
      };
    };
    const sizes = { textLength: t5Length, promptSize: t5Config.width, pooledSize: clipConfig.width };
    return new PromptEncoder(sizes, encode, [clip, t5]);
  }

  encode(text: string): Promise<Prompt> {
    return this.#encode(text);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.dispose()));
  }
}

const idTensor = (ids: readonly number[]): Tensor => ({
  data: BigInt64Array.from(ids, (id) => BigInt(id)),
  shape: [ids.length],
});
