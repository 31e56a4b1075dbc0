/** Folders of many forms, and every field of every file: the ids are those of the reference's classes. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { readJson } from "../support/fixtures.ts";
import { type Contents, filesOf, tokenizerCheckpoint } from "../support/tokenizer-files.ts";
import { compareRows, rowOf } from "../../tools/token-rows.ts";

const fixture = readJson<{
  texts: string[];
  folders: { name: string; class: string; files: Record<string, number>; rows: string }[];
  contents: string[];
}>("tokenizers.json");

const readFiles = async (files: Contents, className: string): Promise<Tokenizer> =>
  Tokenizer.read(await tokenizerCheckpoint(files, className), "tokenizer", "clip");

describe("a folder of the form", () => {
  it.each(fixture.folders)("$name gives the reference's ids", async ({ class: className, files, rows }) => {
    const tokenizer = await readFiles(filesOf(files, fixture.contents), className);
    expect(compareRows(tokenizer, fixture.texts, rows.split(" "))).toEqual([]);
  });
});

interface Entry {
  base: string;
  file: string;
  field: string;
  value: unknown;
  rows: string;
}

const fields = readJson<{
  texts: string[];
  plain: Record<string, string>;
  changesNothing: string[];
  entries: Entry[];
  files: Record<string, Record<string, number>>;
  contents: string[];
}>("tokenizer-fields.json");

/**
 * Values that only we refuse. A list of definitions that are not there leaves a folder without a vocabulary, and the
 * reference makes one up of its special tokens.
 */
const REFUSED_HERE_ONLY = new Set(["tokenizer_config.json: fast_tokenizer_files"]);

const ABSENT = "(absent)";

function changedFiles({ base, file, field, value }: Entry): Contents {
  const files = filesOf(fields.files[base]!, fields.contents);
  const bytes = files[file]!;
  if (file === "spiece.model") {
    // Fields that follow a message replace its own.
    return { ...files, [file]: Buffer.concat([bytes, Buffer.from(value as string, "base64")]) };
  }
  const json = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
  const names = field.split(".");
  const last = names.pop()!;
  let place = json;
  for (const name of names) place = place[name] as Record<string, unknown>;
  if (value === ABSENT) delete place[last];
  else place[last] = value;
  return { ...files, [file]: Buffer.from(JSON.stringify(json)) };
}

const CLASSES = { clip: "CLIPTokenizer", t5: "T5TokenizerFast", qwen: "Qwen2TokenizerFast" };
const classOf = ({ base }: Entry): string => CLASSES[base.split("-")[0] as keyof typeof CLASSES];

async function rowsOf(entry: Entry): Promise<string> {
  const tokenizer = await readFiles(changedFiles(entry), classOf(entry)).catch(() => undefined);
  const rows = fields.texts.map((text) => (tokenizer === undefined ? "refused" : rowOf(tokenizer, text)));
  if (rows.every((row) => row === "refused")) return "refused";
  return createHash("sha256").update(rows.join(",")).digest("hex").slice(0, 8);
}

const byField = new Map<string, Entry[]>();
for (const entry of fields.entries) {
  const name = `${entry.file}: ${entry.field}`;
  byField.set(name, [...(byField.get(name) ?? []), entry]);
}

describe("the field", () => {
  it.each([...byField])("%s counts as it counts for the reference", async (name, entries) => {
    for (const entry of entries) {
      const found = await rowsOf(entry);
      if (found === "refused" && REFUSED_HERE_ONLY.has(name)) continue;
      const { base, value } = entry;
      expect({ base, value, rows: found }).toEqual({ base, value, rows: entry.rows });
    }
  });

  it.each(fields.changesNothing)("%s changes nothing", (name) => {
    for (const { base, rows } of byField.get(name)!) expect(rows).toBe(fields.plain[base]);
  });
});
