/**
 * Files by their description, as `scripts/reference/drawn/stored.py` explains them: its every rule again, so that both
 * write the same numbers.
 */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { drawnGguf } from "./drawn-gguf.ts";
import { hashes, tensorOf, type TensorRule } from "./drawn-numbers.ts";
import { writeSafetensors } from "./safetensors.ts";

export type DrawnContent =
  | { text: string }
  | { bytes: string }
  | { salt: string; tensors: Record<string, TensorRule>; metadata?: Record<string, string> }
  | { salt: string; tensors: Record<string, TensorRule>; gguf: string };

export async function writeDrawnFile(file: string, content: DrawnContent): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  if ("text" in content) return writeFile(file, content.text);
  if ("bytes" in content) return writeFile(file, Buffer.from(content.bytes, "base64"));
  if ("gguf" in content) return writeFile(file, drawnGguf(content.salt, content.tensors));
  const { salt, tensors, metadata } = content;
  const fields = Object.entries(tensors).map(([key, rule]) => [key, tensorOf(salt, key, rule)] as const);
  return writeSafetensors(file, Object.fromEntries(fields), metadata);
}

/** An image of three channels: slopes with a noise of one byte in eight. */
export function drawnPicture(width: number, height: number, salt: string): Uint8Array {
  const noise = hashes(`${salt}/picture`, width * height * 3);
  return Uint8Array.from(noise, (value, at) => {
    const [row, column, channel] = [Math.floor(at / 3 / width), Math.floor(at / 3) % width, at % 3];
    const slope = (row * (3 + channel) + column * (5 - channel)) * 4;
    return (value % 8 === 0 ? value >>> 8 : slope) % 256;
  });
}
