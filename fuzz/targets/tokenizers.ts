/** Tokenizers: the files of a component's folder, and the texts that are encoded with them. */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inRepository } from "../../tools/paths.ts";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { MAX_VOCABULARY } from "../../src/weights/limits.ts";
import { mutateBytes } from "../mutate/bytes.ts";
import { jsonBytes } from "../mutate/json.ts";
import { mutateText, textOf } from "../mutate/text.ts";
import { mutateProtobuf } from "../mutate/weights.ts";
import type { Random } from "../random.ts";
import { expect, type Target, target } from "../target.ts";
import { CHECKPOINT_CODES } from "./weights.ts";

const ODD = inRepository("test", "fixtures", "checkpoints", "odd");
const FOLDERS = { clip: "tokenizer", t5: "tokenizer_2" } as const;
type TokenizerFamily = keyof typeof FOLDERS;
const LENGTH = 32;
const TEXTS: readonly string[] = [
  "a bird, 7 hats",
  "Make it night: the h\u00fctte's LIGHTS \u{1f3e0} on",
  " \u00e0\u0300 <|endoftext|> </s> <extra_id_0> ",
];

function encode(tokenizer: Tokenizer, text: string): void {
  const { ids } = tokenizer.encode(text, LENGTH);
  expect(ids.length === LENGTH, `gave ${ids.length} ids where ${LENGTH} were asked for`);
  const odd = ids.find((id) => !Number.isInteger(id) || id < 0 || id > MAX_VOCABULARY);
  expect(odd === undefined, `gave the id ${odd}`);
}

/** @param without files that are not there, so that the others are read */
function tokenizerFile(
  name: string,
  family: TokenizerFamily,
  file: string,
  change: (bytes: Buffer, random: Random) => Buffer,
  without: readonly string[] = [],
): Target {
  const fields = {
    name,
    parser: `Tokenizer.read (${family}, ${file}), src/tokenizers`,
    codes: CHECKPOINT_CODES,
    maxMiB: 500,
  };
  return target<Buffer>(fields, async (folder) => {
    const place = path.join(folder, FOLDERS[family]);
    cpSync(path.join(ODD, FOLDERS[family]), place, { recursive: true });
    for (const each of without) rmSync(path.join(place, each));
    writeFileSync(path.join(folder, "model_index.json"), '{"_class_name":"FluxKontextPipeline"}');
    const original = readFileSync(path.join(place, file));
    const checkpoint = await Checkpoint.open(folder);
    return {
      generate: (random) => change(original, random),
      async feed(bytes) {
        writeFileSync(path.join(place, file), bytes);
        const tokenizer = await Tokenizer.read(checkpoint, FOLDERS[family], family);
        for (const text of TEXTS) encode(tokenizer, text);
      },
    };
  });
}

const asJson = (bytes: Buffer, random: Random): Buffer =>
  jsonBytes([JSON.parse(bytes.toString("utf8"))], random);
const asText = (bytes: Buffer, random: Random): Buffer =>
  random.chance(0.8) ? Buffer.from(mutateText(bytes.toString("utf8"), random)) : mutateBytes(bytes, random);
const DEFINITION = "tokenizer.json";

/** Every step of a definition is as likely as its whole vocabulary, which is most of its text. */
function asDefinition(bytes: Buffer, random: Random): Buffer {
  const definition = JSON.parse(bytes.toString("utf8")) as { model: { vocab: object; merges?: unknown[] } };
  if (random.chance(0.3)) return asJson(bytes, random);
  const { model, ...steps } = definition;
  const { vocab, ...settings } = model;
  const isStep = random.chance(0.5);
  // A word without an id is only found where the token for such words is gone as well.
  const words = random.chance(0.5) ? vocab : without(vocab, random);
  const text = jsonBytes([isStep ? steps : settings], random).toString("utf8");
  try {
    const changed = JSON.parse(text) as object;
    return Buffer.from(
      JSON.stringify(
        isStep
          ? { ...changed, model: { ...settings, vocab: words } }
          : { ...steps, model: { ...changed, vocab: words } },
      ),
    );
  } catch {
    return Buffer.from(text);
  }
}

/** A vocabulary with a part of its words. */
function without(vocab: object, random: Random): unknown {
  const share = random.pick([0.01, 0.1, 0.5]);
  if (Array.isArray(vocab)) return vocab.filter(() => !random.chance(share));
  return Object.fromEntries(Object.entries(vocab).filter(() => !random.chance(share)));
}

export const TARGETS: readonly Target[] = [
  tokenizerFile("clip-tokenizer", "clip", DEFINITION, asDefinition),
  tokenizerFile("t5-tokenizer", "t5", DEFINITION, asDefinition),
  tokenizerFile("clip-vocabulary", "clip", "vocab.json", asJson, [DEFINITION]),
  tokenizerFile("clip-merges", "clip", "merges.txt", asText, [DEFINITION]),
  tokenizerFile("sentencepiece", "t5", "spiece.model", (bytes, random) => mutateProtobuf(bytes, random), [
    DEFINITION,
  ]),
  tokenizerFile("clip-settings", "clip", "tokenizer_config.json", asJson),
  tokenizerFile("t5-settings", "t5", "tokenizer_config.json", asJson, [DEFINITION]),
  target<string>({ name: "prompt", parser: "Tokenizer.encode, src/tokenizers", codes: [] }, async () => {
    const checkpoint = await Checkpoint.open(inRepository("checkpoints", "tiny"));
    const clip = await Tokenizer.read(checkpoint, FOLDERS.clip, "clip");
    const t5 = await Tokenizer.read(checkpoint, FOLDERS.t5, "t5");
    return {
      generate: (random) => textOf(TEXTS, random).slice(0, 10_000),
      feed(text) {
        encode(clip, text);
        encode(t5, text);
      },
    };
  }),
];
