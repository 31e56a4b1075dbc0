/**
 * A LoRA's configuration of peft, where it has one: diffusers writes it into the file's metadata, peft itself into
 * `adapter_config.json` beside the file.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { RetouchError } from "../errors.ts";
import { invalid, unsupported } from "./lora-file.ts";
import {
  ConfigFault,
  type Fields,
  HARMLESS_FIELDS,
  type PeftConfig,
  READ_FIELDS,
  readPeftConfig,
  REFUSED_FIELDS,
} from "./peft-config.ts";
import { type splitLayer, TEXT_ENCODER } from "./targets.ts";

type Network = ReturnType<typeof splitLayer>[0];

export type Configuration =
  /** From the metadata, with the names of diffusers; a network of which it says nothing has peft's defaults. */
  | { from: "metadata"; of: Readonly<Record<Network, PeftConfig>> }
  /** From beside the file, with the names of the network that was trained. */
  | { from: "folder"; config: PeftConfig };

const METADATA_KEY = "lora_adapter_metadata";
const BESIDE = "adapter_config.json";
/** What peft calls the file that this configuration belongs to. */
const PEFT_FILE = "adapter_model.safetensors";
const MAX_CONFIG_BYTES = 10_000_000;
const KNOWN: ReadonlySet<string> = new Set([...HARMLESS_FIELDS, ...READ_FIELDS, ...REFUSED_FIELDS]);

/** @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED */
export async function readConfiguration(
  file: string,
  metadata: ReadonlyMap<string, string>,
): Promise<Configuration | undefined> {
  const text = metadata.get(METADATA_KEY);
  const fields = text ? jsonOf(file, text, "metadata") : undefined;
  if (fields !== undefined) {
    const read = (network: Network): PeftConfig => {
      const own = Object.entries(fields).flatMap(([name, value]) =>
        name.startsWith(network) ? [[name.slice(network.length), value] as const] : [],
      );
      const unknown = own.find(([name]) => !KNOWN.has(name));
      if (unknown)
        throw invalid(file, `has the field ${unknown[0]} in its metadata, which peft does not know`);
      const named = Object.fromEntries(own);
      if (network !== TEXT_ENCODER) return configOf(file, named, false);
      // Of a text encoder, diffusers has the targets decide, and of a transformer the keys.
      return configOf(file, withBareTargets(named), named["target_modules"] !== undefined);
    };
    return {
      from: "metadata",
      of: { "transformer.": read("transformer."), "text_encoder.": read("text_encoder.") },
    };
  }
  const beside = await findBeside(file);
  if (beside === undefined) return undefined;
  const written = await readFile(beside, "utf8").catch(() => {
    throw invalid(file, `has an ${BESIDE} beside it that cannot be read`);
  });
  return { from: "folder", config: configOf(file, jsonOf(file, written, BESIDE) ?? {}, true) };
}

/** The configuration beside a file, if it belongs to it: the file has peft's name, or is the only one there. */
export async function findBeside(file: string): Promise<string | undefined> {
  const folder = path.dirname(file);
  const beside = path.join(folder, BESIDE);
  const found = await stat(beside).catch(() => undefined);
  if (!found?.isFile() || found.size > MAX_CONFIG_BYTES) return undefined;
  if (path.basename(file) === PEFT_FILE) return beside;
  const names = await readdir(folder).catch(() => []);
  const others = names.filter((name) => /\.safetensors$/i.test(name) && !name.startsWith("._"));
  return others.length === 1 ? beside : undefined;
}

/** Targets of before the text encoder's layers lost a prefix. */
function withBareTargets(fields: Fields): Fields {
  const targets = fields["target_modules"];
  if (!Array.isArray(targets)) return fields;
  return { ...fields, target_modules: targets.map((name) => String(name).replace(/^text_model\./, "")) };
}

function configOf(file: string, fields: Fields, isWhole: boolean): PeftConfig {
  try {
    return readPeftConfig(fields, { isWhole });
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    throw (error.isUnsupported ? unsupported : invalid)(file, error.message);
  }
}

function jsonOf(file: string, text: string, where: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null) return undefined;
    if (typeof value === "object" && !Array.isArray(value)) return value as Fields;
  } catch (error) {
    if (error instanceof RetouchError) throw error;
  }
  throw invalid(
    file,
    where === "metadata"
      ? "has metadata that are not a JSON object"
      : `has an ${where} beside it that is not a JSON object`,
  );
}
