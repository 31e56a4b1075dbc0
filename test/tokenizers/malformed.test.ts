import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkVocabulary } from "../../src/tokenizers/check-definition.ts";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const TINY = path.join(root, "checkpoints", "tiny");
const FOLDERS = { clip: "tokenizer", t5: "tokenizer_2" } as const;
type TokenizerFamily = keyof typeof FOLDERS;
type Fields = Record<string, unknown>;
type Change = (fields: Fields) => unknown;

/** The tokenizer of the shipped checkpoint, with some of its files, of which one is changed. */
async function folderWith(
  family: TokenizerFamily,
  names: readonly string[],
  name: string,
  change: (content: Buffer) => Buffer | string,
): Promise<{ folder: string; file: string }> {
  const folder = await temporaryFolder();
  const place = path.join(folder, FOLDERS[family]);
  await mkdir(place);
  await writeFile(path.join(folder, "model_index.json"), '{ "_class_name": "FluxKontextPipeline" }');
  for (const each of ["tokenizer_config.json", ...names]) {
    const content = await readFile(path.join(TINY, FOLDERS[family], each));
    await writeFile(path.join(place, each), each === name ? change(content) : content);
  }
  return { folder, file: path.join(place, name) };
}

const readIn = async (folder: string, family: TokenizerFamily): Promise<Tokenizer> =>
  Tokenizer.read(await Checkpoint.open(folder), FOLDERS[family], family);

const changed =
  (change: Change) =>
  (content: Buffer): string => {
    const fields = JSON.parse(content.toString("utf8")) as Fields;
    return JSON.stringify(change(fields) ?? fields);
  };
const modelOf = (fields: Fields): Fields => fields["model"] as Fields;

/** Reads, and encodes: what is found late has to be found in a sentence as well. */
async function expectRefused(folder: string, family: TokenizerFamily, sentence: string | RegExp) {
  const encoded = readIn(folder, family).then((tokenizer) => tokenizer.encode("a bird", 16));
  await expect(encoded).rejects.toEqual(refusal("CHECKPOINT_INVALID", sentence));
}

describe("a tokenizer.json", () => {
  it.each<[string, TokenizerFamily, Change, string]>([
    ["without a model", "t5", (f) => void delete f["model"], "model must be an object and is missing."],
    ["whose model is a list", "t5", (f) => void (f["model"] = []), "model must be an object and is []."],
    [
      "of no known type",
      "t5",
      (f) => void (modelOf(f)["type"] = "Magic"),
      'model.type must be one of BPE, Unigram, WordPiece, WordLevel and is "Magic".',
    ],
    [
      "without a vocabulary",
      "t5",
      (f) => void delete modelOf(f)["vocab"],
      "model.vocab must be an object or a list and is missing.",
    ],
    [
      "with a vocabulary of nothing",
      "clip",
      (f) => void (modelOf(f)["vocab"] = {}),
      "model.vocab must have from 1 to 1000000 entries and is 0.",
    ],
    [
      "with a text for an id",
      "clip",
      (f) => void (modelOf(f)["vocab"] = { a: "1" }),
      'model.vocab must give ids from 0 to 1000000, and one and is "1".',
    ],
    [
      "with an id of a billion",
      "clip",
      (f) => void (modelOf(f)["vocab"] = { a: 1e9 }),
      "model.vocab must give ids from 0 to 1000000, and one and is 1000000000.",
    ],
    [
      "with a text for a score",
      "t5",
      (f) => void (modelOf(f)["vocab"] = [["a", "1"]]),
      'model.vocab[0] must be a text and its score and is ["a","1"].',
    ],
    [
      "with an endless score",
      "t5",
      (f) => void (modelOf(f)["vocab"] = [["a", 1], 7]),
      "model.vocab[1] must be a text and its score and is 7.",
    ],
    [
      "with an unknown id beyond the vocabulary",
      "t5",
      (f) => void (modelOf(f)["unk_id"] = 999_999),
      "model.unk_id must be an id of the vocabulary and is 999999.",
    ],
    [
      "with merges that are no list",
      "clip",
      (f) => void (modelOf(f)["merges"] = 5),
      "model.merges must be a list and is 5.",
    ],
    [
      "with a merge of one",
      "clip",
      (f) => void (modelOf(f)["merges"] = ["a b", "ab"]),
      'model.merges[1] must be two symbols and is "ab".',
    ],
    [
      "with a merge of three",
      "clip",
      (f) =>
        void (modelOf(f)["merges"] = [
          ["a", "b"],
          ["a", "b", "c"],
        ]),
      'model.merges[1] must be two symbols and is ["a","b","c"].',
    ],
    [
      "whose added tokens are no list",
      "t5",
      (f) => void (f["added_tokens"] = {}),
      "added_tokens must be a list and is an object.",
    ],
    [
      "with an added token without an id",
      "t5",
      (f) => void (f["added_tokens"] = [{ content: "x" }]),
      "added_tokens[0] must have an id up to 1000000 and a text and is an object.",
    ],
    [
      "with an added token of a huge id",
      "t5",
      (f) => void (f["added_tokens"] = [{ id: 4e9, content: "x" }]),
      "added_tokens[0] must have an id up to 1000000 and a text and is an object.",
    ],
    [
      "whose normaliser is a text",
      "t5",
      (f) => void (f["normalizer"] = "NFC"),
      'normalizer must be an object and is "NFC".',
    ],
    [
      "whose steps are no list",
      "t5",
      (f) => void (f["normalizer"] = { type: "Sequence", normalizers: 5 }),
      "normalizer.normalizers must be a list and is 5.",
    ],
    [
      "whose character map is a number",
      "t5",
      (f) => void (f["normalizer"] = { type: "Precompiled", precompiled_charsmap: 5 }),
      "normalizer.precompiled_charsmap must be a text and is 5.",
    ],
  ])("%s is refused by its name (%s)", async (_, family, change, sentence) => {
    const { folder, file } = await folderWith(family, ["tokenizer.json"], "tokenizer.json", changed(change));
    await expectRefused(folder, family, `In ${file}, ${sentence}`);
  });

  it.each<[string, TokenizerFamily, Change, string]>([
    [
      "whose vocabulary is of the other kind",
      "t5",
      (f) => void (modelOf(f)["vocab"] = { a: 0 }),
      "model.vocab must be a list of pieces and scores and is an object.",
    ],
    [
      "without added tokens",
      "t5",
      (f) => void delete f["added_tokens"],
      "added_tokens must be a list and is missing.",
    ],
    [
      "with a merge of symbols that are not in the vocabulary",
      "clip",
      (f) => void (modelOf(f)["merges"] = [["qqqq", "a"]]),
      'the merges need the symbol "qqqq", which the vocabulary lacks.',
    ],
  ])("%s is refused by its name", async (_, family, change, sentence) => {
    const { folder, file } = await folderWith(family, ["tokenizer.json"], "tokenizer.json", changed(change));
    await expectRefused(folder, family, `In ${file}, ${sentence}`);
  });

  it.each<[string, Change]>([
    ["with a step of no known type", (f) => void (f["pre_tokenizer"] = { type: "Magic" })],
    [
      "that cuts into pieces of nothing",
      (f) => void (f["pre_tokenizer"] = { type: "FixedLength", length: 0 }),
    ],
    [
      "whose template is no list",
      (f) => void (f["post_processor"] = { type: "TemplateProcessing", single: 5 }),
    ],
    [
      "whose pattern takes for ever",
      (f) => void (f["pre_tokenizer"] = { type: "Split", pattern: { Regex: "(a+)+$" } }),
    ],
  ])("%s is read, and that part of it is not used", async (_, change) => {
    const { folder } = await folderWith("t5", ["tokenizer.json"], "tokenizer.json", changed(change));
    const plain = await Tokenizer.read(await Checkpoint.open(TINY), FOLDERS.t5, "t5");
    expect((await readIn(folder, "t5")).encode("a bird", 8)).toEqual(plain.encode("a bird", 8));
  });

  it("with a cut character map is refused by its name", async () => {
    const normalizer = {
      type: "Precompiled",
      precompiled_charsmap: Buffer.from([8, 0, 0, 0, 1]).toString("base64"),
    };
    const change = changed((fields) => ({ ...fields, normalizer }));
    const { folder, file } = await folderWith("t5", ["tokenizer.json"], "tokenizer.json", change);
    await expectRefused(folder, "t5", `The tokenizer file ${file} has a damaged character map.`);
  });
});

describe("a tokenizer_config.json", () => {
  it.each<[string, Fields, string]>([
    [
      "with a negative length",
      { model_max_length: -5 },
      "model_max_length must be a whole number from 1 to 1000000000 and is -5.",
    ],
    [
      "with no length",
      { model_max_length: 0 },
      "model_max_length must be a whole number from 1 to 1000000000 and is 0.",
    ],
    [
      "with half a token",
      { model_max_length: 16.5 },
      "model_max_length must be a whole number from 1 to 1000000000 and is 16.5.",
    ],
    [
      "with a text for a length",
      { model_max_length: "77" },
      'model_max_length must be a whole number from 1 to 1000000000 and is "77".',
    ],
    ["with a number for a token", { eos_token: 5 }, "eos_token must be a text, or an added token and is 5."],
    [
      "with a token without content",
      { pad_token: {} },
      "pad_token must be a text, or an added token and is an object.",
    ],
    ["without a token to pad with", { pad_token: null }, "pad_token must be a token and is null."],
    ["with a side that is none", { padding_side: "up" }, 'padding_side must be left or right and is "up".'],
    [
      "with a flag that is none",
      { split_special_tokens: "no" },
      'split_special_tokens must be true or false and is "no".',
    ],
    [
      "with a part that no file can hold",
      { tokenizer_object: { a: 1 } },
      "tokenizer_object cannot come from a file and is an object.",
    ],
  ])("%s is refused by its name", async (_, fields, sentence) => {
    const change = changed((all) => ({ ...all, ...fields }));
    const { folder, file } = await folderWith("t5", ["tokenizer.json"], "tokenizer_config.json", change);
    await expectRefused(folder, "t5", `In ${file}, ${sentence}`);
  });

  it("with special tokens that are no list is refused by its name", async () => {
    const change = changed((all) => ({ ...all, additional_special_tokens: 5 }));
    const { folder, file } = await folderWith("t5", ["tokenizer.json"], "tokenizer_config.json", change);
    await expectRefused(folder, "t5", `In ${file}, extra_special_tokens must be a list of tokens and is 5.`);
  });

  it("with a token that is nowhere adds it", async () => {
    const change = changed((all) => ({ ...all, pad_token: "<gone>" }));
    const { folder } = await folderWith("t5", ["tokenizer.json"], "tokenizer_config.json", change);
    const plain = await Tokenizer.read(await Checkpoint.open(TINY), FOLDERS.t5, "t5");
    const ids = (await readIn(folder, "t5")).encode("a bird", 8).ids;
    expect(ids.at(-1)).toBe(2000);
    expect(ids.slice(0, 3)).toEqual(plain.encode("a bird", 8).ids.slice(0, 3));
  });

  it.each([1e9, 1e300, 10_001, "100"])("with %j placeholders is refused, and makes none", async (count) => {
    const change = changed((all) => ({ ...all, extra_ids: count }));
    const { folder, file } = await folderWith("t5", ["spiece.model"], "tokenizer_config.json", change);
    const sentence = `In ${file}, extra_ids must be a whole number from 0 to 10000 and is ${JSON.stringify(count)}.`;
    await expectRefused(folder, "t5", sentence.replace("1e+300", String(1e300)));
  });

  it("with as many placeholders as there may be is read, and no length is none", async () => {
    const change = changed((all) => ({ ...all, extra_ids: 10_000, model_max_length: 1e30 }));
    const { folder } = await folderWith("t5", ["spiece.model"], "tokenizer_config.json", change);
    const tokenizer = await readIn(folder, "t5");
    expect(tokenizer.maxLength).toBe(Infinity);
    expect(tokenizer.encode("a bird", 4).ids).toHaveLength(4);
  });
});

describe("the files of a vocabulary", () => {
  const CLIP = ["vocab.json", "merges.txt"];

  it.each<[string, (vocabulary: Fields) => unknown, string]>([
    [
      "with half an id",
      (v) => ({ ...v, cat: 5.5 }),
      "its vocabulary must give ids from 0 to 1000000, and one and is 5.5.",
    ],
  ])("vocab.json %s is refused by its name", async (_, change, sentence) => {
    const { folder, file } = await folderWith("clip", CLIP, "vocab.json", changed(change));
    await expectRefused(folder, "clip", `In ${file}, ${sentence}`);
  });

  it.each([
    ["one symbol on a line", "a b\nab\n", 2],
    ["three symbols on a line", "#version: 0.2\na b c\n", 2],
    ["an empty line", "a b\n\na b\n", 2],
    ["bytes that are no text", "\0\x01\x02", 1],
  ])("merges.txt with %s is refused by its name", async (_, text, line) => {
    const { folder, file } = await folderWith("clip", CLIP, "merges.txt", () => text);
    await expectRefused(
      folder,
      "clip",
      `The checkpoint file ${file} must have two symbols on each line, and its line ${line} has not.`,
    );
  });

  /** A piece of one letter, and a field of it. */
  const piece = (...bytes: number[]): Buffer =>
    Buffer.from([0x0a, bytes.length + 3, 0x0a, 1, 0x61, ...bytes]);
  it.each<[string, (model: Buffer) => Buffer, string]>([
    ["that is cut", (model) => model.subarray(0, -3), "it ends inside a field"],
    ["that is text", () => Buffer.from("no pieces at all"), "it ends inside a field"],
    [
      "with a score of two bytes",
      (model) => Buffer.concat([model, piece(0x12, 2, 0, 0)]),
      "a piece has a score that is no number",
    ],
    [
      "with a score that is a count",
      (model) => Buffer.concat([model, piece(0x10, 5)]),
      "a piece has a score that is no number",
    ],
    [
      "with an endless score",
      (model) => Buffer.concat([model, piece(0x15, 0, 0, 0x80, 0x7f)]),
      "a piece has a score that is no number",
    ],
    [
      "with too many pieces",
      (model) => Buffer.concat([model, Buffer.alloc(2e6 + 2, "\x0a\0")]),
      "it has more than 1000000 pieces",
    ],
  ])("spiece.model %s is refused by its name", async (_, change, detail) => {
    const { folder, file } = await folderWith("t5", ["spiece.model"], "spiece.model", change);
    await expectRefused(folder, "t5", `The checkpoint file ${file} is damaged: ${detail}.`);
  });

  it("spiece.model that is empty is refused by its name", async () => {
    const { folder, file } = await folderWith("t5", ["spiece.model"], "spiece.model", () => Buffer.alloc(0));
    await expectRefused(folder, "t5", `In ${file}, its vocabulary must have more than 2 pieces and is 0.`);
  });

  it.each<[TokenizerFamily, string[], string]>([
    ["clip", [], "tokenizer.json nor vocab.json and merges.txt"],
    ["clip", ["vocab.json"], "tokenizer.json nor merges.txt"],
    ["t5", [], "tokenizer.json nor spiece.model"],
  ])("of %s with only %j are refused", async (family, names, missing) => {
    const { folder } = await folderWith(family, names, "", String);
    const sentence = `The folder ${path.join(folder, FOLDERS[family])} has neither ${missing}.`;
    await expect(readIn(folder, family)).rejects.toEqual(refusal("CHECKPOINT_MISSING", sentence));
  });

  it("of another class are refused", async () => {
    const { folder } = await folderWith("clip", CLIP, "", String);
    const index = path.join(folder, "model_index.json");
    await writeFile(index, '{ "_class_name": "x", "tokenizer": ["transformers", "BertTokenizer"] }');
    await expect(readIn(folder, "clip")).rejects.toEqual(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In ${index}, tokenizer is a "BertTokenizer"; a CLIPTokenizer, a T5Tokenizer or a Qwen2Tokenizer is wanted.`,
      ),
    );
  });

  it.each<[TokenizerFamily, string[], string]>([
    ["clip", ["tokenizer.json"], "tokenizer.json"],
    ["clip", ["tokenizer.json"], "tokenizer_config.json"],
    ["clip", CLIP, "vocab.json"],
  ])("of %s with %j are refused where %s is not a JSON object", async (family, names, name) => {
    for (const [text, what] of [
      ["{", "is not JSON"],
      ["", "is not JSON"],
      ["[]", "must hold a JSON object"],
      ["null", "must hold a JSON object"],
    ] as const) {
      const { folder, file } = await folderWith(family, names, name, () => text);
      await expectRefused(folder, family, `The checkpoint file ${file} ${what}.`);
    }
  });

  it.each<[TokenizerFamily, string[], string]>([
    ["t5", ["tokenizer.json"], "tokenizer.json"],
    ["t5", ["spiece.model"], "spiece.model"],
    ["clip", CLIP, "vocab.json"],
    ["clip", CLIP, "merges.txt"],
  ])("of %s with %j are refused where %s is huge", async (family, names, name) => {
    const { folder, file } = await folderWith(family, names, name, (content) => content);
    await truncate(file, 2 ** 40);
    await expectRefused(
      folder,
      family,
      `The checkpoint file ${file} has ${2 ** 40} bytes; at most 100000000 are read.`,
    );
  });

  it("have at most a million entries", () => {
    const ids = Object.fromEntries(Array.from({ length: 1_000_001 }, (_, id) => [`t${id}`, id]));
    expect(() => checkVocabulary("vocab.json", "its vocabulary", ids)).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        "In vocab.json, its vocabulary must have from 1 to 1000000 entries and is 1000001.",
      ),
    );
    delete ids["t1000000"];
    expect(() => checkVocabulary("vocab.json", "its vocabulary", ids)).not.toThrow();
  });
});
