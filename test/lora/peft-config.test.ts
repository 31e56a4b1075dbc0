import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfiguration } from "../../src/lora/configuration.ts";
import { matchPatterns, suffixPattern } from "../../src/lora/patterns.ts";
import { HARMLESS_FIELDS, READ_FIELDS, readPeftConfig, REFUSED_FIELDS } from "../../src/lora/peft-config.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const NAMES = [
  "proj_out",
  "single_transformer_blocks.0.proj_out",
  "transformer_blocks.1.attn.to_q",
  "transformer_blocks.11.attn.to_q",
];

describe("a pattern of ranks or alphas", () => {
  it.each<[string, readonly number[]]>([
    ["proj_out", [0, 1]],
    ["^proj_out", [0]],
    ["transformer_blocks.1.attn.to_q", [2]],
    ["attn.to_[qk]", [2, 3]],
    [String.raw`transformer_blocks\.\d\.attn\.to_q`, [2]],
    ["to_q|proj_out", [0, 1, 2, 3]],
    ["o_q", []],
    ["proj", []],
  ])("%s fits as in peft", (pattern, fitting) => {
    const found = matchPatterns([suffixPattern(pattern)], NAMES).map((index) => index === 0);
    expect(found).toEqual(NAMES.map((_, index) => fitting.includes(index)));
  });

  it.each(["(a+)+b", "([a"])("that takes for ever or is none is refused: %s", (pattern) => {
    expect(() => matchPatterns([suffixPattern(pattern)], [`${"a".repeat(60)}c`])).toThrow(
      "has patterns that are no regular expressions, or take too long",
    );
  });
});

describe("a configuration of peft", () => {
  it("gives each module the first pattern that fits", () => {
    const config = readPeftConfig({
      r: 4,
      lora_alpha: 8,
      rank_pattern: { "^proj_out": 2 },
      alpha_pattern: { proj_out: 6, "single_transformer_blocks.0.proj_out": 1 },
    });
    const rules = config.rulesOf(NAMES);
    expect(NAMES.map((name) => [rules.get(name)!.rank, rules.get(name)!.factor])).toEqual([
      [2, 3],
      [4, 1.5],
      [4, 2],
      [4, 2],
    ]);
  });

  it.each<[object, readonly number[]]>([
    [{ target_modules: ["proj_out"] }, [0, 1]],
    [{ target_modules: ["to_q", "proj_out"], exclude_modules: ["to_q"] }, [0, 1]],
    [{ target_modules: String.raw`.*\.to_q` }, [2, 3]],
    [{ target_modules: ["to_q"], layers_to_transform: 1, layers_pattern: "transformer_blocks" }, [2]],
    [{ target_modules: "all-linear", exclude_modules: "proj.*" }, [1, 2, 3]],
  ])("decides by its targets beside the file: %j", (fields, targeted) => {
    const rules = readPeftConfig(fields as Record<string, unknown>, { isWhole: true }).rulesOf(NAMES);
    expect(NAMES.filter((name) => rules.get(name)!.isTargeted)).toEqual(
      targeted.map((index) => NAMES[index]),
    );
  });

  it.each<[object, RegExp]>([
    [{ r: "8" }, /^has r in its configuration that is not a number$/],
    [{ alpha_pattern: { to_q: "4" } }, /^has alpha_pattern in its configuration that is not an object/],
    [{ peft_type: "LOKR" }, /^is a LOKR by its configuration/],
    [{ use_qalora: true }, /^has use_qalora in its configuration, which is not done here$/],
    [{ init_lora_weights: "pissa_niter_4" }, /^was started by pissa_niter_4, which changes/],
  ])("is refused with %j", (fields, what) => {
    expect(() => readPeftConfig(fields as Record<string, unknown>)).toThrow(what);
  });

  it("has every field of the reference's class in one of three lists, once", () => {
    const all = [...HARMLESS_FIELDS, ...READ_FIELDS, ...REFUSED_FIELDS];
    expect(all.toSorted()).toEqual(PEFT_FIELDS.toSorted());
  });
});

describe("the configuration beside a file", () => {
  async function folder(...names: string[]): Promise<string> {
    const at = path.join(await temporaryFolder(), "peft");
    await mkdir(at);
    await writeFile(path.join(at, "adapter_config.json"), JSON.stringify({ r: 2, lora_alpha: 8 }));
    for (const name of names) await writeFile(path.join(at, name), "");
    return at;
  }
  const read = async (at: string, name: string) => readConfiguration(path.join(at, name), new Map());

  it("belongs to peft's file, or to the only one", async () => {
    const two = await folder("adapter_model.safetensors", "other.safetensors");
    expect(await read(two, "adapter_model.safetensors")).toMatchObject({ from: "folder" });
    expect(await read(two, "other.safetensors")).toBeUndefined();
    expect(await read(await folder("ink.safetensors", "._ink.safetensors"), "ink.safetensors")).toBeDefined();
  });

  it("is refused by the file's name where it is none", async () => {
    const at = await folder("ink.safetensors");
    await writeFile(path.join(at, "adapter_config.json"), "[");
    await expect(read(at, "ink.safetensors")).rejects.toEqual(
      refusal("LORA_INVALID", / has an adapter_config\.json beside it that is not a JSON object\.$/),
    );
  });
});

/** `dataclasses.fields(LoraConfig)` of peft 0.21.2. */
const PEFT_FIELDS = [
  "task_type",
  "peft_type",
  "auto_mapping",
  "peft_version",
  "base_model_name_or_path",
  "revision",
  "inference_mode",
  "r",
  "target_modules",
  "exclude_modules",
  "lora_alpha",
  "lora_dropout",
  "fan_in_fan_out",
  "bias",
  "use_rslora",
  "modules_to_save",
  "init_lora_weights",
  "layers_to_transform",
  "layers_pattern",
  "rank_pattern",
  "alpha_pattern",
  "megatron_config",
  "megatron_core",
  "trainable_token_indices",
  "loftq_config",
  "eva_config",
  "corda_config",
  "lora_ga_config",
  "use_dora",
  "velora_config",
  "alora_invocation_tokens",
  "use_qalora",
  "qalora_group_size",
  "monteclora_config",
  "layer_replication",
  "runtime_config",
  "lora_bias",
  "target_parameters",
  "use_bdlora",
  "arrow_config",
  "kasa_config",
  "ensure_weight_tying",
];
