/** Reads the fixtures: checkpoints, cases and their tensors. Their origin is in test/fixtures/README.md. */
import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const fixtures = path.join(root, "test", "fixtures");

export function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(fixtures, name), "utf8")) as T;
}

export interface FixtureTensor {
  shape: readonly number[];
  data: Float32Array | BigInt64Array | Uint8Array;
}

/** Every tensor of a fixture file, in memory. */
export async function readTensors(name: string): Promise<Map<string, FixtureTensor>> {
  const file = path.join(fixtures, name);
  const tensors = new Map<string, FixtureTensor>();
  const handle = await open(file);
  for (const [key, { dtype, shape, byteOffset, byteLength }] of await readSafetensorsHeader(file)) {
    const bytes = new Uint8Array(byteLength);
    await handle.read(bytes, 0, byteLength, byteOffset);
    const data =
      dtype === "float32"
        ? new Float32Array(bytes.buffer)
        : dtype === "int64"
          ? new BigInt64Array(bytes.buffer)
          : bytes;
    tensors.set(key, { shape, data });
  }
  await handle.close();
  return tensors;
}
