/** A configuration that says how the weights were quantised. */
import { describe, expect, it } from "vitest";
import { Config } from "../../src/weights/config.ts";
import { assertReadableQuantisation } from "../../src/weights/quantization-config.ts";
import { refusal } from "../support/refusal.ts";

const check = (value: unknown): void =>
  assertReadableQuantisation(new Config("transformer/config.json", { quantization_config: value }));

describe("a quantisation", () => {
  it.each<[string, unknown]>([
    ["bitsandbytes as nf4", { load_in_4bit: true, bnb_4bit_quant_type: "nf4", quant_method: "bitsandbytes" }],
    ["bitsandbytes as nf4", { load_in_4bit: true, bnb_4bit_quant_type: "nf4" }],
    ["bitsandbytes as fp4", { load_in_4bit: true, quant_method: "bitsandbytes" }],
    ["bitsandbytes in 4 bits", { load_in_4bit: true, bnb_4bit_quant_type: "other" }],
    ["bitsandbytes in 8 bits", { load_in_8bit: true, quant_method: "bitsandbytes" }],
    ["bitsandbytes in 8 bits", { load_in_8bit: true }],
    ['"torchao"', { quant_method: "torchao", quant_type: "int8wo" }],
    ['"fp8"', { quant_method: "fp8", weight_block_size: [128, 128] }],
  ])("is refused by its method: %s", (method, value) => {
    expect(() => check(value)).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In transformer/config.json, quantization_config says that the weights are quantised by ${method}, which cannot be read; take the weights in 16 or 32 bits, or a GGUF file.`,
      ),
    );
  });

  it.each([
    [{}, "an object"],
    ["nf4", '"nf4"'],
    [{ quant_method: 4 }, "an object"],
  ])("is refused where it names no method: %j", (value, shown) => {
    expect(() => check(value)).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In transformer/config.json, quantization_config must be an object that names its quant_method and is ${shown}.`,
      ),
    );
  });

  it.each([undefined, null, { quant_method: "bfl" }])("is nothing to refuse: %j", (value) => {
    expect(() => check(value)).not.toThrow();
  });
});
