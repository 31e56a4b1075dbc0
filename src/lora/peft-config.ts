/**
 * The configuration that peft keeps of a LoRA (peft 0.21.2, `LoraConfig`): in the file's metadata, where diffusers
 * writes it, or in `adapter_config.json` beside the file.
 */
import { isTargeted } from "./peft-targets.ts";
import { matchPatterns, suffixPattern } from "./patterns.ts";

/** What a configuration says of the modules, by their names. */
export interface PeftConfig {
  isDora: boolean;
  /** @throws Error with the sentence's end if a pattern cannot be used */
  rulesOf(names: readonly string[]): ReadonlyMap<string, ModuleRule>;
}

export interface ModuleRule {
  rank: number;
  /** The factor of the product of the two matrices. */
  factor: number;
  /** Whether the configuration's targets include the module. */
  isTargeted: boolean;
}

export type Fields = Readonly<Record<string, unknown>>;

const DEFAULT_RANK = 8;
const DEFAULT_ALPHA = 8;

/** Without effect on a trained LoRA: how it was trained, and how it is held in memory. */
export const HARMLESS_FIELDS = [
  "auto_mapping",
  "base_model_name_or_path",
  "bias",
  "corda_config",
  "ensure_weight_tying",
  "eva_config",
  "fan_in_fan_out",
  "inference_mode",
  "lora_bias",
  "lora_dropout",
  "lora_ga_config",
  "loftq_config",
  "megatron_config",
  "megatron_core",
  "modules_to_save",
  "peft_type",
  "peft_version",
  "qalora_group_size",
  "revision",
  "runtime_config",
  "task_type",
  "trainable_token_indices",
] as const;
/** Read here. */
export const READ_FIELDS = [
  "alpha_pattern",
  "exclude_modules",
  "init_lora_weights",
  "layers_pattern",
  "layers_to_transform",
  "lora_alpha",
  "r",
  "rank_pattern",
  "target_modules",
  "use_dora",
  "use_rslora",
] as const;
/** Variants that compute something else, or change the network itself. */
export const REFUSED_FIELDS = [
  "alora_invocation_tokens",
  "arrow_config",
  "kasa_config",
  "layer_replication",
  "monteclora_config",
  "target_parameters",
  "use_bdlora",
  "use_qalora",
  "velora_config",
] as const;

/** Starts that change the network's own weights, which the file does not hold. */
const CHANGING_STARTS = /^(?:pissa|olora|corda|loftq|lora_ga|mica|orthogonal)/i;

/** A fault of a configuration: what its file `has`, as the end of a sentence. */
export class ConfigFault extends Error {
  /** Whether the configuration is sound, and asks for something that is not done here. */
  readonly isUnsupported: boolean;

  constructor(message: string, isUnsupported = false) {
    super(message);
    this.isUnsupported = isUnsupported;
  }
}

/**
 * @param isWhole whether peft reads the file itself, and so decides by the configuration which modules there are
 * @throws ConfigFault
 */
export function readPeftConfig(fields: Fields, { isWhole = false } = {}): PeftConfig {
  assertPlain(fields);
  const rank = numberOf(fields, "r", DEFAULT_RANK);
  const alpha = numberOf(fields, "lora_alpha", DEFAULT_ALPHA);
  const ranks = patternsOf(fields, "rank_pattern");
  const alphas = patternsOf(fields, "alpha_pattern");
  const isRootScaled = flagOf(fields, "use_rslora");
  return {
    isDora: flagOf(fields, "use_dora"),
    rulesOf(names) {
      const find = (patterns: readonly [string, number][]): number[] =>
        matchPatterns(
          patterns.map(([pattern]) => suffixPattern(pattern)),
          names,
        );
      const [rankIndices, alphaIndices] = [find(ranks), find(alphas)];
      const targeted = isWhole ? isTargeted(fields, names) : undefined;
      return new Map(
        names.map((name, index) => {
          const ownRank = ranks[rankIndices[index]!]?.[1] ?? rank;
          const ownAlpha = alphas[alphaIndices[index]!]?.[1] ?? alpha;
          const factor = ownAlpha / (isRootScaled ? Math.sqrt(ownRank) : ownRank);
          return [name, { rank: ownRank, factor, isTargeted: targeted?.[index] ?? true }];
        }),
      );
    },
  };
}

function assertPlain(fields: Fields): void {
  const type = fields["peft_type"];
  if (typeof type === "string" && type !== "LORA") {
    throw new ConfigFault(`is a ${type} by its configuration; plain LoRAs and DoRAs can be used`, true);
  }
  for (const name of REFUSED_FIELDS) {
    const value = fields[name];
    const isSet = value !== undefined && value !== null && value !== false;
    if (isSet) throw new ConfigFault(`has ${name} in its configuration, which is not done here`, true);
  }
  const start = fields["init_lora_weights"];
  if (typeof start === "string" && CHANGING_STARTS.test(start)) {
    throw new ConfigFault(
      `was started by ${start}, which changes the network's own weights; peft's save_pretrained can convert it (path_initial_model_for_weight_conversion)`,
      true,
    );
  }
}

function numberOf(fields: Fields, name: string, fallback: number): number {
  const value = fields[name] ?? fallback;
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(name, "a number");
  return value;
}

function flagOf(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw wrong(name, "true or false");
  return value;
}

function patternsOf(fields: Fields, name: string): [string, number][] {
  const value = fields[name] ?? {};
  if (typeof value !== "object" || Array.isArray(value)) throw wrong(name, "an object of numbers");
  const entries = Object.entries(value as object);
  if (!entries.every(([, item]) => Number.isFinite(item))) throw wrong(name, "an object of numbers");
  return entries as [string, number][];
}

const wrong = (name: string, wanted: string): ConfigFault =>
  new ConfigFault(`has ${name} in its configuration that is not ${wanted}`);
