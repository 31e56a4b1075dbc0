/**
 * One hash of the content of a network's weight files. Reading gigabytes takes a while, so the hash is remembered in
 * the cache folder for as long as a file's size, time and inode number stay the same.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomically } from "../files/write-atomically.ts";
import type { WeightSource } from "../weights/weight-source.ts";

export interface HashOptions {
  /** Where hashes are remembered. */
  folder: string;
  /** Called with the bytes that have been read so far. */
  onProgress?: ((progress: { done: number; of: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** In a Hugging Face cache, a large file is named after its SHA-256, which was verified when it was downloaded. */
const HUB_BLOB = /[/\\]blobs[/\\]([0-9a-f]{64})$/;
const READ_BYTES = 1 << 20;

/** SHA-256, in hexadecimal, of the list of weights and of the bytes of all their files. */
export async function hashOfSource(source: WeightSource, options: HashOptions): Promise<string> {
  const hash = createHash("sha256");
  for (const { key, shape } of source.weights()) hash.update(JSON.stringify([key, shape]));
  const files = await Promise.all(source.files.map(examined));
  const of = files.reduce((sum, { size }) => sum + size, 0);
  let read = 0;
  for (const file of files) {
    hash.update(
      await hashOfFile(file, options, (count) => {
        read += count;
        options.onProgress?.({ done: read, of });
      }),
    );
  }
  return hash.digest("hex");
}

/** A file, with the facts that change when its content does. */
interface Examined {
  path: string;
  size: number;
  mtimeMs: number;
  inode: number;
}

async function examined(file: string): Promise<Examined> {
  const real = await realpath(file);
  const { size, mtimeMs, ino: inode } = await stat(real);
  return { path: real, size, mtimeMs, inode };
}

async function hashOfFile(
  file: Examined,
  { folder, signal }: HashOptions,
  onRead: (count: number) => void,
): Promise<string> {
  const named = HUB_BLOB.exec(file.path)?.[1];
  if (named !== undefined) return named;
  const name = createHash("sha256").update(file.path).digest("hex").slice(0, 32);
  const memory = path.join(folder, `${name}.json`);
  const remembered = await recall(memory, file);
  if (remembered !== undefined) return remembered;
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(file.path, { highWaterMark: READ_BYTES, signal })) {
    hash.update(bytes as Buffer);
    onRead((bytes as Buffer).length);
  }
  const sha256 = hash.digest("hex");
  await writeFileAtomically(memory, Buffer.from(JSON.stringify({ ...file, sha256 })));
  return sha256;
}

async function recall(memory: string, file: Examined): Promise<string | undefined> {
  const text = await readFile(memory, "utf8").catch(() => "null");
  let known: Partial<Record<string, unknown>> | null;
  try {
    known = JSON.parse(text) as typeof known;
  } catch {
    return undefined;
  }
  const isSame = Object.entries(file).every(([name, value]) => known?.[name] === value);
  return isSame && typeof known?.["sha256"] === "string" ? known["sha256"] : undefined;
}
