/** Tokenizer folders as fixtures have them: the names of their files, and a number for the content of each. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { temporaryFolder } from "./temporary.ts";

export type Contents = Record<string, Buffer>;

/** What a file holds: base64 behind a mark, or text. */
const bytesOf = (content: string): Buffer =>
  content.startsWith("base64:") ? Buffer.from(content.slice(7), "base64") : Buffer.from(content);

export const filesOf = (files: Record<string, number>, contents: readonly string[]): Contents =>
  Object.fromEntries(Object.entries(files).map(([name, index]) => [name, bytesOf(contents[index]!)]));

/** A checkpoint with nothing but these files in its folder `tokenizer`. @param className what its index says it is */
export async function tokenizerCheckpoint(files: Contents, className: string): Promise<Checkpoint> {
  const folder = await temporaryFolder();
  for (const [name, bytes] of Object.entries(files)) {
    const file = path.join(folder, "tokenizer", name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
  const index = { _class_name: "FluxKontextPipeline", tokenizer: ["transformers", className] };
  await writeFile(path.join(folder, "model_index.json"), JSON.stringify(index));
  return Checkpoint.open(folder);
}
