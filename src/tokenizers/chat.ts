/** Prompts as a chat model reads them: put into its chat template, then cut into tokens. */
import type { Checkpoint } from "../weights/checkpoint.ts";
import { ChatTemplate } from "./chat-template.ts";
import { type EncodedText, Tokenizer } from "./tokenizer.ts";
import { TokenizerFolder } from "./folder.ts";
import { invalid } from "./check-definition.ts";

export class ChatTokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate;

  private constructor(tokenizer: Tokenizer, template: ChatTemplate) {
    this.#tokenizer = tokenizer;
    this.#template = template;
  }

  /** @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file */
  static async read(checkpoint: Checkpoint, component: string): Promise<ChatTokenizer> {
    const tokenizer = await Tokenizer.read(checkpoint, component, "qwen2");
    const folder = await TokenizerFolder.open(checkpoint, component);
    if (folder.side("padding_side") !== "right") {
      throw invalid(folder.config.file, "padding_side must be right", "left");
    }
    return new ChatTokenizer(tokenizer, await ChatTemplate.read(folder, tokenizer.roles));
  }

  /** The file that contains the vocabulary. */
  get file(): string {
    return this.#tokenizer.file;
  }

  /** The text that is cut into tokens for a prompt. */
  text(prompt: string): string {
    return this.#template.render(prompt);
  }

  /**
   * Encodes a prompt to exactly `length` ids, padded on the right. A text that does not fit loses its end, and with it
   * the end of the template.
   * @throws RetouchError CHECKPOINT_UNSUPPORTED or CHECKPOINT_INVALID if template or vocabulary fail on this text
   */
  encode(prompt: string, length: number): EncodedText {
    return this.#tokenizer.encodeAsIs(this.text(prompt), length);
  }
}
