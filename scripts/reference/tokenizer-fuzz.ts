/**
 * Compares token ids with those of the reference's classes, over tokenizer folders and texts that a seed draws.
 *
 * Usage: npm run test:tokenizers -- [--seed 1] [--texts 5000] [--mixed 40]
 *        npm run test:tokenizers -- --chat [--seed 1] [--texts 2000]     with chat templates
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { inRepository } from "../../tools/paths.ts";
import { compareChatRows, compareRows } from "../../tools/token-rows.ts";
import { ChatTokenizer } from "../../src/tokenizers/chat.ts";
import { Tokenizer } from "../../src/tokenizers/tokenizer.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";

interface Drawn {
  texts: string[];
  folders: { name: string; component: string }[];
}

const SHOWN_TEXTS = 3;
const output = await mkdtemp(path.join(tmpdir(), "retouch-tokenizers-"));
const isChat = process.argv.includes("--chat");
const script = inRepository("scripts", "reference", isChat ? "chat_fuzz.py" : "tokenizer_fuzz.py");
const options = process.argv.slice(2).filter((option) => option !== "--chat");
const python = [inRepository("scripts", "python.mjs"), script, "--output", output, ...options];
if (spawnSync(process.execPath, python, { stdio: ["ignore", "inherit", "inherit"] }).status !== 0) process.exit(1);
const readJson = async (...names: string[]): Promise<unknown> =>
  JSON.parse(await readFile(path.join(output, ...names), "utf8"));
const { texts, folders } = (await readJson("texts.json")) as Drawn;
const counts = { equal: 0, "refused by both": 0, different: 0, "refused here only": 0, "refused there only": 0, "left to chance": 0 };
for (const [number, { name, component }] of folders.entries()) {
  const rows = (await readJson(String(number), "rows.json")) as string[] | "random" | null;
  if (rows === "random") {
    counts["left to chance"] += 1;
    continue;
  }
  const checkpoint = await Checkpoint.open(path.join(output, String(number)));
  const read: Promise<Tokenizer | ChatTokenizer> = isChat
    ? ChatTokenizer.read(checkpoint, component)
    : Tokenizer.read(checkpoint, component, "clip");
  const tokenizer = await read.catch((cause: unknown) => String(cause));
  if (typeof tokenizer === "string") {
    if (rows === null) counts["refused by both"] += 1;
    else counts["refused here only"] += 1;
    console.log(`${name}: ${rows === null ? "refused by both" : "REFUSED HERE ONLY"}: ${tokenizer}`);
    continue;
  }
  if (rows === null) {
    counts["refused there only"] += 1;
    console.log(`${name}: REFUSED THERE ONLY`);
    continue;
  }
  const different =
    tokenizer instanceof Tokenizer
      ? compareRows(tokenizer, texts, rows)
      : compareChatRows(tokenizer, texts, rows);
  counts[different.length === 0 ? "equal" : "different"] += 1;
  if (different.length === 0) continue;
  console.log(`${name} (${number}): ${different.length} TEXTS DIFFER, as ${JSON.stringify(different.slice(0, SHOWN_TEXTS))}`);
}
console.log(`${folders.length} folders, ${texts.length} texts each: ${JSON.stringify(counts)}`);
if (process.env["KEEP"] === undefined) await rm(output, { recursive: true });
else console.log(output);
process.exitCode = counts.different + counts["refused here only"] > 0 ? 1 : 0;
