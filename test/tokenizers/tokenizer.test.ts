import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { readJson, root } from "../support/fixtures.ts";

interface TokenFixture {
  texts: string[];
  checkpoints: Record<
    string,
    Record<"clip" | "t5", { length: number; rows: { ids: number[]; cut: boolean }[] }>
  >;
}
const fixture = readJson<TokenFixture>("tokens.json");
const folderOf = (name: string): string =>
  path.join(root, name === "tiny" ? "checkpoints/tiny" : `test/fixtures/checkpoints/${name}`);

async function expectSameIds(
  folder: string,
  family: "clip" | "t5",
  expected: TokenFixture["checkpoints"][string],
) {
  const component = family === "clip" ? "tokenizer" : "tokenizer_2";
  const tokenizer = await Tokenizer.read(await Checkpoint.open(folder), component, family);
  const { length, rows } = expected[family];
  fixture.texts.forEach((text, index) => {
    const encoded = tokenizer.encode(text, length);
    expect({ text, ids: encoded.ids, cut: encoded.isCut }).toEqual({ text, ...rows[index] });
  });
}

describe.each(Object.entries(fixture.checkpoints))("the tokenizers of %s", (name, expected) => {
  it.each(["clip", "t5"] as const)("give the reference's ids for %s", async (family) => {
    await expectSameIds(folderOf(name), family, expected);
  });
});

describe("a folder without tokenizer.json", () => {
  it.each(["clip", "t5"] as const)("is read from its vocabulary files for %s", async (family) => {
    const folder = await mkdtemp(path.join(tmpdir(), "retouch-tokenizer-"));
    await cp(folderOf("odd"), folder, { recursive: true });
    await rm(path.join(folder, "tokenizer", "tokenizer.json"));
    await rm(path.join(folder, "tokenizer_2", "tokenizer.json"));
    await expectSameIds(folder, family, fixture.checkpoints["odd"]!);
    await rm(folder, { recursive: true });
  });
});
