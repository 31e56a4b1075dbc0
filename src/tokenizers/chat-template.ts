/**
 * A folder's chat template: found where transformers 5 looks for it (`PreTrainedTokenizerBase._from_pretrained`), and
 * evaluated for one message of a user, as diffusers' pipeline for FLUX.2 [klein] does.
 */
import { messageOf, RetouchError } from "../errors.ts";
import { invalid, isObject } from "./check-definition.ts";
import type { TokenizerFolder } from "./folder.ts";
import { renderTemplate } from "./jinja.ts";

const FILE = "chat_template.jinja";
const MORE_FILES = "additional_chat_templates";
const DEFAULT = "default";
/** Characters of a template; the published one has 4,000. */
const MAX_TEMPLATE = 50_000;
const MAX_REASON = 200;

export class ChatTemplate {
  /** The file that contains it. */
  readonly file: string;
  readonly #text: string;
  readonly #tokens: ReadonlyMap<string, string>;

  private constructor(file: string, text: string, tokens: ReadonlyMap<string, string>) {
    this.file = file;
    this.#text = text;
    this.#tokens = tokens;
  }

  /**
   * Reads a folder's template, and evaluates it once.
   * @param tokens the texts of the special tokens that have names, which a template can use
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or CHECKPOINT_UNSUPPORTED, naming the file
   */
  static async read(folder: TokenizerFolder, tokens: ReadonlyMap<string, string>): Promise<ChatTemplate> {
    const { file, text } = await findTemplate(folder);
    if (text.length > MAX_TEMPLATE) {
      throw invalid(file, `the chat template must have up to ${MAX_TEMPLATE} characters`, text.length);
    }
    const template = new ChatTemplate(file, text.replaceAll(/\r\n?/g, "\n"), tokens);
    template.render("");
    return template;
  }

  /**
   * The text that a network reads for a user's message, up to where its answer begins, with thinking switched off.
   * @throws RetouchError CHECKPOINT_UNSUPPORTED for a template that does what is not evaluated here
   */
  render(content: string): string {
    try {
      return renderTemplate(this.#text, {
        ...Object.fromEntries(this.#tokens),
        messages: [{ role: "user", content }],
        tools: null,
        documents: null,
        add_generation_prompt: true,
        enable_thinking: false,
      });
    } catch (cause) {
      throw new RetouchError(
        "CHECKPOINT_UNSUPPORTED",
        `The chat template in ${this.file} cannot be evaluated: ${messageOf(cause).slice(0, MAX_REASON)}.`,
        { cause },
      );
    }
  }
}

interface Found {
  file: string;
  text: string;
}

/** Files of templates come before the templates of the configuration, all of which they replace. */
async function findTemplate(folder: TokenizerFolder): Promise<Found> {
  const more = await folder.namesIn(MORE_FILES);
  const named = more.filter((name) => name.endsWith(".jinja")).map((name) => `${MORE_FILES}/${name}`);
  const files = [...(folder.has(FILE) ? [FILE] : []), ...named];
  if (files.length === 0) return fromConfig(folder);
  // A file of the name "default" beside the others replaces the one that has its own place.
  const name = [`${MORE_FILES}/${DEFAULT}.jinja`, FILE].find((each) => files.includes(each));
  if (name !== undefined)
    return { file: folder.path(name), text: (await folder.bytes(name)).toString("utf8") };
  throw new RetouchError(
    "CHECKPOINT_MISSING",
    `The folder ${folder.path("")} has chat templates, and none of them is the default.`,
  );
}

/** One template, or several that have names. */
function fromConfig({ config }: TokenizerFolder): Found {
  const { file } = config;
  const field = "chat_template";
  const value = config.get(field);
  if (typeof value === "string") return { file, text: value };
  const text = Array.isArray(value)
    ? value.findLast(isDefault)?.["template"]
    : isObject(value)
      ? value[DEFAULT]
      : undefined;
  if (typeof text === "string") return { file, text };
  throw invalid(file, `${field} must be a text, or a list with a ${DEFAULT} one`, value);
}

const isDefault = (entry: unknown): entry is Readonly<Record<string, unknown>> =>
  isObject(entry) && entry["name"] === DEFAULT;
