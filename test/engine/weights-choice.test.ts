import { describe, expect, it } from "vitest";
import type { WeightsKind } from "../../src/engine/component.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { chooseKinds, kindsText, type WeightsChoice } from "../../src/engine/weights-choice.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import type { WeightSource } from "../../src/weights/weight-source.ts";
import { refusal } from "../support/refusal.ts";

const GB = 1e9;
const files = new WeightSet("transformer", new Map());
/** A GGUF file whose weights have so many bits each. */
const ggufOf = (bits: number): WeightSource => ({
  name: "flux.gguf",
  files: [],
  byteLength: (256 * bits) / 8,
  weights: () => [{ key: "a", shape: [2, 128], rows: () => Promise.reject(new Error("not read")) }],
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
  it.each<[number, number, WeightsKind]>([
    [8.5, 128, "int8"],
    [6.6, 128, "int8"],
    [5.5, 24, "int8"],
    [4.9, 128, "int4"],
    [4.5, 24, "int4"],
    [8.5, 10, "int4"],
    [16, 128, "int8"],
  ])("of %d bits a weight becomes, in %d GB, %s", (bits, gigabytes, kind) => {
    expect(choose("auto", gigabytes * GB, ggufOf(bits)).transformer).toBe(kind);
  });

  it("is one thing and T5 another", () => {
    const kinds = choose("auto", 128 * GB, ggufOf(4.5));
    expect(kinds).toEqual({ transformer: "int4", t5: "fp32" });
    expect(kindsText(kinds)).toBe("transformer int4, t5 fp32");
  });

  it("cannot be float32", () => {
    expect(() => choose("fp32", 128 * GB, ggufOf(4.5))).toThrow(
      refusal(
        "INVALID_PARAMETER",
        "weights must be auto, fp16, bf16, int8 or int4 for the GGUF file flux.gguf, not fp32.",
      ),
    );
  });
});
