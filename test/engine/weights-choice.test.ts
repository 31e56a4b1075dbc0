import { describe, expect, it } from "vitest";
import type { WeightsKind } from "../../src/engine/component.ts";
import { usualEdit } from "../../src/engine/extent.ts";
import { type NetworkKinds, planMemory } from "../../src/engine/memory-plan.ts";
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
const choose = (
  choice: WeightsChoice,
  limitBytes: number,
  transformer: WeightSet | WeightSource = files,
  loraRooms: readonly number[] = [],
) =>
  chooseKinds(
    choice,
    { ...PUBLISHED_PLAN, stored: { transformer, t5: files, clip: files, vae: files } },
    { limitBytes, loraRooms },
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

describe("LoRAs that an engine may be asked for", () => {
  const { native } = PUBLISHED_PLAN;
  const kindsWith = (limitBytes: number, loraRooms: readonly number[]): NetworkKinds =>
    choose("auto", limitBytes, files, loraRooms);
  const isRefused = (kinds: NetworkKinds, loraBytes: number, limitBytes: number): boolean =>
    planMemory(PUBLISHED_PLAN, kinds, { ...usualEdit(native), loraBytes }, limitBytes).peakBytes > limitBytes;

  it.each([24, 64, 10])("never make an edit impossible that another kind would do: in %d GB", (gigabytes) => {
    const limitBytes = gigabytes * GB;
    const without = kindsWith(limitBytes, []);
    let numFewer = 0;
    for (let room = 0; room < limitBytes; room += GB / 4) {
      const kinds = kindsWith(limitBytes, [room]);
      const isPossible = !isRefused({ transformer: "int4", t5: "int4" }, room, limitBytes);
      expect(isRefused(kinds, room, limitBytes), `${room / GB} GB`).toBe(!isPossible);
      // What cannot be had changes nothing.
      if (!isPossible) expect(kinds).toEqual(without);
      numFewer += Number(kindsText(kinds) !== kindsText(without));
    }
    // In 10 GB, int4 was the only choice.
    expect(numFewer > 0).toBe(gigabytes > 10);
  });

  it("leave float32 where it can stay loaded without them, and fits with them in turns", () => {
    expect(kindsWith(128 * GB, [40 * GB])).toEqual({ transformer: "fp32", t5: "fp32" });
    expect(kindsWith(128 * GB, [100 * GB])).toEqual({ transformer: "int8", t5: "int8" });
  });

  it("get the largest room that there can be", () => {
    expect(kindsWith(24 * GB, [100 * GB, GB])).toEqual(kindsWith(24 * GB, [GB]));
    expect(kindsText(kindsWith(24 * GB, [14 * GB, GB]))).toBe("int4");
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
