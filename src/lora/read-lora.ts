/**
 * Reads a LoRA's `.safetensors` file, whichever naming its trainer used: diffusers and peft, sd-scripts (kohya),
 * ComfyUI, the original repository, XLabs. It covers the same conversions as `loaders/lora_conversion_utils.py` of
 * diffusers 0.42.1, with one table of names and rows, for a network of any size.
 */
import { open } from "node:fs/promises";
import { elements } from "../weights/tensor-file.ts";
import type { FindBase } from "./base-weights.ts";
import { readConfiguration } from "./configuration.ts";
import { dialectOf } from "./dialect.ts";
import { otherMethodOf } from "./keys.ts";
import { invalid, type Lora, type LoraLayer, readHeader, readTensor, unsupported } from "./lora-file.ts";
import { findModules } from "./modules.ts";
import { isNumberType } from "./numbers.ts";
import { readModule } from "./read-module.ts";
import { readStrengths } from "./strength.ts";
import type { FindTarget } from "./targets.ts";

const FLOAT = 4;
/** The most names that a sentence lists. */
const MAX_SHOWN = 3;

/** Bytes that the file's numbers take in memory as float32. @throws RetouchError LORA_INVALID */
export async function loraBytes(file: string): Promise<number> {
  const { tensors } = await readHeader(file);
  // Tensors of other types are refused, whatever shape they claim.
  const numbers = [...tensors.values()].filter(isNumberType);
  return numbers.reduce((sum, { shape }) => sum + elements(shape) * FLOAT, 0);
}

/**
 * @param findBase finds the network's own weights, for DoRA
 * @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED, naming the file and the key
 */
export async function readLora(
  file: string,
  findTarget: FindTarget,
  findBase: FindBase = () => undefined,
): Promise<Lora> {
  const { tensors, metadata } = await readHeader(file);
  for (const key of tensors.keys()) {
    const method = otherMethodOf(key);
    if (method) throw unsupported(file, otherMethod(method, key));
  }
  const stored = [...tensors].toSorted(([, one], [, other]) => one.byteOffset - other.byteOffset);
  const keys = stored.map(([key]) => key);
  const dialect = dialectOf(keys);
  const { modules, passedOver, norms, unusedKeys, repeated } = findModules(keys, dialect, findTarget);
  if (modules.length === 0 && norms.length === 0) {
    const example = unusedKeys[0] ? `, such as ${unusedKeys[0]}` : "";
    throw invalid(file, `has ${unusedKeys.length} keys${example}, none of them for this network`);
  }

  const configuration = await readConfiguration(file, metadata);
  const handle = await open(file);
  try {
    const source = { file, handle, tensors };
    const strengths = await readStrengths(source, modules, dialect, configuration);
    const context = { source, dialect, strengths, findBase };
    const layers = new Map<string, LoraLayer>();
    const remarks = [...strengths.remarks];
    const twice = new Set(repeated);
    const untargeted: string[] = [];
    for (const module of modules) {
      const read = await readModule(context, module);
      if (read === undefined) {
        untargeted.push(module.name);
        continue;
      }
      for (const [layer, adapter] of read) {
        if (layers.has(layer)) twice.add(layer);
        layers.set(layer, adapter);
      }
    }
    if (passedOver.length > 0) {
      remarks.push(
        `is in two namings, of which diffusers takes one; without effect are ${shown(passedOver)}`,
      );
    }
    if (twice.size > 0) remarks.push(twiceRemark([...twice]));
    if (untargeted.length > 0) {
      remarks.push(
        `has modules that are not among the targets of its configuration; they have no effect: ${shown(untargeted)}`,
      );
    }
    const replaced = new Map<string, Float32Array>();
    for (const { key, target } of norms) {
      replaced.set(target.norm, await readTensor(source, key, [target.size]));
    }
    if (replaced.size > 0) {
      remarks.push(`replaces the weights of ${replaced.size} norms, which its scale does not change`);
    }
    return { layers, norms: replaced, unusedKeys, remarks };
  } finally {
    await handle.close();
  }
}

/** What a file of another method says: what it is, and how it becomes one that can be used. */
function otherMethod(method: string, key: string): string {
  const what = `is a ${method} (${key})`;
  if (method === "LoHa" || method === "LoKr") {
    return `${what}; convert it to a plain LoRA first, for example with peft's save_as_lora, or merge it into the checkpoint with LyCORIS`;
  }
  return `${what}; plain LoRAs and DoRAs can be used`;
}

const twiceRemark = (names: readonly string[]): string =>
  `has layers under two spellings, of which the one that diffusers takes is used: ${shown(names)}`;

function shown(names: readonly string[]): string {
  const more = names.length > MAX_SHOWN ? ` and ${names.length - MAX_SHOWN} more` : "";
  return `${names.slice(0, MAX_SHOWN).join(", ")}${more}`;
}
