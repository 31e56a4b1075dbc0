/** How strongly the modules of a file act: from their alphas, and from peft's configuration. */
import { type Alpha, alphasOf, type StoredAlpha } from "./alphas.ts";
import type { Configuration } from "./configuration.ts";
import type { Dialect } from "./dialect.ts";
import { invalid, readScalar, type Source } from "./lora-file.ts";
import type { Module } from "./modules.ts";
import type { ModuleRule } from "./peft-config.ts";
import { splitLayer } from "./targets.ts";

export interface Strengths {
  /** What the configuration says of a layer; undefined if there is none. */
  ruleOf(module: Module, layer: string): ModuleRule | undefined;
  /** The layer's alpha, and whether it is one of the file's patterns; undefined if none counts. */
  alphaOf(module: Module, layer: string): (Alpha & { isPattern: boolean }) | undefined;
  /** Whether the configuration makes a DoRA of it; undefined if there is none. */
  isDora(layer: string): boolean | undefined;
  /** What the user should know. */
  remarks: readonly string[];
}

const UNKNOWN =
  "does not say how strong it is (it has no alpha, and no adapter_config.json is beside it); like diffusers, it is used with the factor 1";
const LEFT_OUT = "has alphas that are left out, because diffusers leaves them out in files of this naming";

/** @throws RetouchError LORA_INVALID or LORA_UNSUPPORTED */
export async function readStrengths(
  source: Source,
  modules: readonly Module[],
  { alphas, isAlphaless }: Dialect,
  configuration: Configuration | undefined,
): Promise<Strengths> {
  const { file } = source;
  const withAlpha = modules.filter(({ keys }) => keys.alpha !== undefined);
  const own = new Map<string, Alpha>();
  for (const { name, keys } of withAlpha) {
    const type = source.tensors.get(keys.alpha!)!.storedType;
    own.set(name, { value: await readScalar(source, keys.alpha!), type });
  }
  const shared = alphas === "patterns" ? sharedAlphas(source, modules, own) : undefined;
  if (shared && shared.size > 0 && configuration?.from === "metadata") {
    throw invalid(
      file,
      "has alphas and also a configuration in its metadata; diffusers refuses both at once",
    );
  }
  // Alphas in the file say more than a configuration beside it.
  const isBesideUsed = configuration?.from === "folder" && withAlpha.length === 0;
  const rules = usedRules(
    file,
    modules,
    isBesideUsed || configuration?.from === "metadata" ? configuration : undefined,
  );
  const remarks: string[] = [];
  if (alphas === "none" && withAlpha.length > 0) remarks.push(LEFT_OUT);
  const isKnown = (withAlpha.length > 0 && alphas !== "none") || rules !== undefined || isAlphaless;
  if (!isKnown && modules.length > 0) remarks.push(UNKNOWN);
  return {
    remarks,
    ruleOf: ({ name }, layer) => rules?.get(configuration!.from === "folder" ? bareName(name) : layer),
    alphaOf({ name }, layer) {
      if (alphas === "none") return undefined;
      const pattern = shared?.get(layer);
      const alpha = pattern ?? own.get(name);
      return alpha && { ...alpha, isPattern: pattern !== undefined };
    },
    isDora(layer) {
      if (rules === undefined) return undefined;
      return configuration!.from === "folder"
        ? configuration!.config.isDora
        : configuration!.of[splitLayer(layer)[0]].isDora;
    },
  };
}

/** peft's own name for a module, in the network that was trained. */
const bareName = (name: string): string => name.replace(/^base_model\.model\./, "");

const layersOf = (modules: readonly Module[]): string[] => [
  ...new Set(modules.flatMap(({ target }) => target.parts.map(({ layer }) => layer))),
];

/** By layer. */
function sharedAlphas(
  { file, tensors }: Source,
  modules: readonly Module[],
  own: ReadonlyMap<string, Alpha>,
): Map<string, Alpha> {
  const offsetOf = ([key]: StoredAlpha): number => tensors.get(key)!.byteOffset;
  const stored = modules
    .flatMap(({ name, keys }): StoredAlpha[] =>
      keys.alpha === undefined ? [] : [[keys.alpha, own.get(name)!]],
    )
    .toSorted((one, other) => offsetOf(one) - offsetOf(other));
  const shared = new Map<string, Alpha>();
  for (const network of ["transformer.", "text_encoder."] as const) {
    const ofDiffusers = modules.filter(({ name }) => name.startsWith(network));
    const layers = layersOf(ofDiffusers);
    const names = layers.map((layer) => splitLayer(layer)[1]);
    const alphas = named(file, () => alphasOf(network, stored, names));
    for (const [index, layer] of layers.entries()) {
      const alpha = alphas?.get(names[index]!);
      if (alpha !== undefined) shared.set(layer, alpha);
    }
  }
  return shared;
}

/** By layer, or by module's name for a configuration beside the file. */
function usedRules(
  file: string,
  modules: readonly Module[],
  configuration: Configuration | undefined,
): ReadonlyMap<string, ModuleRule> | undefined {
  if (configuration === undefined) return undefined;
  if (configuration.from === "folder") {
    const names = [...new Set(modules.map(({ name }) => bareName(name)))];
    return named(file, () => configuration.config.rulesOf(names));
  }
  const rules = new Map<string, ModuleRule>();
  for (const network of ["transformer.", "text_encoder."] as const) {
    const layers = layersOf(modules).filter((layer) => splitLayer(layer)[0] === network);
    const names = layers.map((layer) => splitLayer(layer)[1]);
    const own = named(file, () => configuration.of[network].rulesOf(names));
    for (const [index, layer] of layers.entries()) rules.set(layer, own.get(names[index]!)!);
  }
  return rules;
}

/** Gives faults of patterns the file's name. */
function named<Result>(file: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw invalid(file, `${(error as Error).message}, in its configuration`);
  }
}
