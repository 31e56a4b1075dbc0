/** The scale that peft's configuration gives a LoRA; diffusers writes it into the file's metadata as JSON. */

/** The factor for a layer's adapter of a given rank; undefined if the configuration does not set one. */
export type ScaleOf = (layer: string, rank: number) => number | undefined;

const KEY = "lora_adapter_metadata";
/** The configurations of several networks share one object, each field prefixed with its network's name. */
const PREFIX = "transformer.";

export interface PeftConfig {
  scaleOf: ScaleOf;
  /** Number of layers, or groups of them, with an alpha of their own. */
  numPatterns: number;
  isDora: boolean;
}

/** @returns undefined if the metadata is not a JSON object */
export function readPeftConfig(metadata: ReadonlyMap<string, string>): PeftConfig | undefined {
  const fields = jsonObject(metadata.get(KEY) ?? "{}");
  if (fields === undefined) return undefined;
  const field = (name: string): unknown => fields[`${PREFIX}${name}`];
  const alpha = field("lora_alpha");
  const patterns = Object.entries((field("alpha_pattern") ?? {}) as Record<string, unknown>);
  const isRootScaled = field("use_rslora") === true;
  return {
    isDora: field("use_dora") === true,
    numPatterns: patterns.length,
    scaleOf(layer, rank) {
      const [, own] = patterns.find(([name]) => `.${layer}`.endsWith(`.${name}`)) ?? [];
      const value = own ?? alpha;
      // JSON has no Infinity, but 1e999 is read as one.
      return Number.isFinite(value) ? (value as number) / (isRootScaled ? Math.sqrt(rank) : rank) : undefined;
    },
  };
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
