import { describe, expect, it } from "vitest";
import type { WeightsKind } from "../../src/engine/component.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { chooseKinds, kindsText, type WeightsChoice } from "../../src/engine/weights-choice.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import type { WeightSource } from "../../src/weights/weight-source.ts";

const GB = 1e9;
const files = new WeightSet("transformer", new Map());
/** A GGUF file whose numbers are nearest to those of 16 bits. */
const ggufOf = (half: "fp16" | "bf16"): WeightSource => ({
  name: "flux.gguf",
  files: [],
  byteLength: 0,
  half,
  weights: () => [],
});
const choose = (choice: WeightsChoice, limitBytes: number, transformer: WeightSet | WeightSource = files) =>
  chooseKinds(
    choice,
    { ...PUBLISHED_PLAN, stored: { transformer, t5: files, clip: files, vae: files } },
    limitBytes,
  );

describe("the weights of the published model", () => {
  it.each<[number, WeightsKind]>([
    [128, "fp32"],
    [64, "int8"],
    [24, "int8"],
    [10, "int4"],
  ])("in %d GB are, unless somebody says, %s", (gigabytes, kind) => {
    expect(choose("auto", gigabytes * GB)).toEqual({ transformer: kind, t5: kind });
  });

  it("are not converted where nothing fits", () => {
    expect(choose("auto", 4 * GB)).toEqual({ transformer: "fp32", t5: "fp32" });
  });

  it("are what somebody says, whether it fits or not", () => {
    expect(choose("bf16", 1 * GB)).toEqual({ transformer: "bf16", t5: "bf16" });
  });
});

describe("a GGUF file", () => {
  it.each<["fp16" | "bf16", number, WeightsKind]>([
    ["fp16", 128, "fp32"],
    ["fp16", 64, "fp16"],
    ["fp16", 24, "fp16"],
    ["bf16", 24, "bf16"],
    ["fp16", 10, "fp16"],
    ["fp16", 1, "fp16"],
  ])("near %s becomes, in %d GB and unless somebody says, %s", (half, gigabytes, kind) => {
    expect(choose("auto", gigabytes * GB, ggufOf(half)).transformer).toBe(kind);
  });

  it("is one thing and T5 another", () => {
    const kinds = choose("auto", 16 * GB, ggufOf("fp16"));
    expect(kinds).toEqual({ transformer: "fp16", t5: "int8" });
    expect(kindsText(kinds)).toBe("transformer fp16, t5 int8");
  });

  it.each<WeightsKind>(["fp32", "bf16", "int8", "int4"])("is %s if somebody says so", (kind) => {
    expect(choose(kind, 128 * GB, ggufOf("fp16"))).toEqual({ transformer: kind, t5: kind });
  });
});
