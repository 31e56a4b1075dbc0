/** LoRAs of FLUX.2 whose numbers follow from their keys, as `scripts/reference/flux2_loras.py` makes them up. */
import path from "node:path";
import { numbers } from "./made-up.ts";
import { float32, type TensorFields, writeSafetensors } from "./safetensors.ts";
import { temporaryFolder } from "./temporary.ts";

export interface MadeUpLora {
  shapes: Record<string, [number, number]>;
  alphas: Record<string, number>;
}

/** Writes the tensors to a file of that name. @returns its path */
export async function writeLora(
  tensors: Record<string, TensorFields>,
  name = "ink.safetensors",
): Promise<string> {
  const file = path.join(await temporaryFolder(), name);
  await writeSafetensors(file, tensors);
  return file;
}

/** A and B of every layer, and the alphas. */
export function madeUpLora({ shapes, alphas }: MadeUpLora): Record<string, TensorFields> {
  const matrices = Object.entries(shapes).map(([key, shape]) => [key, tensorOf(key, shape)] as const);
  const scalars = Object.entries(alphas).map(([key, alpha]) => [key, float32([alpha], [])] as const);
  return Object.fromEntries([...matrices, ...scalars]);
}

function tensorOf(key: string, shape: [number, number]): TensorFields {
  const isDown = /\.lora_(?:A|down)\.weight$/.test(key);
  const name = key.replace(/\.lora_(?:A|B|down|up)\.weight$/, isDown ? ".down" : ".up");
  const factor = isDown ? shape[1] ** -0.5 : 0.5;
  return float32(
    Array.from(numbers(name, shape[0] * shape[1]), (value) => value * factor),
    shape,
  );
}
