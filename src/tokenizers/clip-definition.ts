/** CLIP's byte-pair tokenizer from `vocab.json` and `merges.txt`, in the form of a `tokenizer.json`. */
import path from "node:path";
import { RetouchError } from "../errors.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { MAX_VOCABULARY } from "../weights/limits.ts";
import { readSmallFile } from "../weights/small-file.ts";
import { checkVocabulary } from "./check-definition.ts";

/** How CLIP splits text before merging: contractions, runs of letters, single digits, runs of anything else. */
const WORD_PATTERN =
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
/** Two symbols that merge into one. */
const MERGE = /^\S+ \S+\s*$/;
const START_TOKEN = "<|startoftext|>";
const END_TOKEN = "<|endoftext|>";

/** @throws RetouchError CHECKPOINT_MISSING or CHECKPOINT_INVALID. */
export async function clipDefinition(checkpoint: Checkpoint, component: string): Promise<object> {
  const vocabulary = await checkpoint.config(`${component}/vocab.json`);
  const mergesFile = path.join(checkpoint.folder, component, "merges.txt");
  const mergesText = (await readSmallFile(mergesFile)).toString("utf8");
  const merges = mergesText.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#version"));
  const malformed = merges.findIndex((line) => !MERGE.test(line));
  if (malformed >= 0) {
    throw new RetouchError(
      "CHECKPOINT_INVALID",
      `The checkpoint file ${mergesFile} must have two symbols on each line, and its pair ${malformed + 1} is none.`,
    );
  }
  checkVocabulary(vocabulary.file, "its vocabulary", vocabulary.fields);
  const idOf = (token: string): number => vocabulary.wholeNumber(token, MAX_VOCABULARY);
  const [startId, endId] = [idOf(START_TOKEN), idOf(END_TOKEN)];
  const special = (content: string, id: number): object => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: "1.0",
    added_tokens: [special(START_TOKEN, startId), special(END_TOKEN, endId)],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: WORD_PATTERN }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: [END_TOKEN, endId],
      cls: [START_TOKEN, startId],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: END_TOKEN,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabulary.fields,
      merges,
    },
  };
}
