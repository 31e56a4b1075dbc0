/** What a checkpoint is, whatever its folder is called. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";

/** Beside the networks lie pages and pictures, which change no edit. */
const NO_PART = /\.(?:md|png|jpe?g)$/i;

/** SHA-256 of the names and bytes of a checkpoint's files. */
export async function checkpointDigest(folder: string): Promise<string> {
  const hash = createHash("sha256");
  const names = await readdir(folder, { recursive: true });
  for (const name of names.toSorted()) {
    const file = path.join(folder, name);
    const found = await stat(file);
    if (!found.isFile() || NO_PART.test(name)) continue;
    hash.update(`${name.split(path.sep).join("/")} ${found.size}\n`);
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}
