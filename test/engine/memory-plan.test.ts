import { describe, expect, it } from "vitest";
import { checkMemory } from "../../src/engine/memory-check.ts";
import { WEIGHTS_KINDS } from "../../src/engine/component.ts";
import { squareEdit as edit, usualEdit } from "../../src/engine/extent.ts";
import { type ComponentNeeds, isResident, planMemory } from "../../src/engine/memory-plan.ts";
import { fittingKinds } from "../../src/engine/weights-choice.ts";
import { planKontext } from "../../src/pipelines/flux1-kontext/components.ts";
import { PUBLISHED_CONFIGS, PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { planKlein } from "../../src/pipelines/flux2-klein/components.ts";
import { PUBLISHED_KLEIN_CONFIGS, PUBLISHED_KLEIN_PLAN } from "../../src/pipelines/flux2-klein/published.ts";
import { refusal } from "../support/refusal.ts";

const GB = 1e9;
const both = (kind: (typeof WEIGHTS_KINDS)[number]) => ({ transformer: kind, t5: kind });
const published = (kind: (typeof WEIGHTS_KINDS)[number], side = 1024, limitBytes = Infinity) =>
  planMemory(PUBLISHED_PLAN, kind, edit(side), limitBytes);
const component = (name: string, ...plan: Parameters<typeof published>): ComponentNeeds =>
  published(...plan).components[name]!;

describe("the memory plan of the published model", () => {
  it("has 8.5 thousand millions of weights in every step, 3.3 once an edit, and what they weigh", () => {
    const [transformer, modulation] = [component("transformer", "int8"), component("modulation", "int8")];
    const embedders = component("embedders", "int8");
    // The latents' embedder, 64 to 3,072, works on the references once and on the target in every step.
    const both = 65 * 3072;
    expect(transformer.parameters + modulation.parameters + embedders.parameters - both).toBe(11_901_408_320);
    // A byte each, and a 32-bit scale to 128 of them.
    expect(transformer.privateBytes / transformer.parameters).toBeCloseTo(1 + 4 / 128, 2);
    expect(component("transformer", "int4").privateBytes / transformer.parameters).toBeCloseTo(
      1 / 2 + 4 / 128,
      2,
    );
    // The noise levels' layers have 8 bits at least.
    expect(component("modulation", "int4")).toEqual(modulation);
  });

  it("takes less the fewer bits there are, and leaves 16 bits in their files", () => {
    const [fp32, fp16, bf16, int8, int4] = WEIGHTS_KINDS.map((kind) => published(kind));
    expect(fp32!.peakBytes).toBeGreaterThan(int8!.peakBytes);
    expect(int8!.peakBytes).toBeGreaterThan(int4!.peakBytes);
    expect(bf16).toEqual(fp16);
    const { privateBytes, mappedBytes, parameters } = bf16!.components["transformer"]!;
    expect(mappedBytes / parameters).toBeCloseTo(2, 2);
    expect(privateBytes).toBeLessThan(0.1 * GB);
  });

  it("is met by 16 GB at int8 and 10 GB at int4, one network at a time", () => {
    expect(published("int8", 512, 16 * GB).peakBytes).toBeLessThan(16 * GB);
    expect(published("int4", 512, 10 * GB).peakBytes).toBeLessThan(10 * GB);
    expect(isResident(published("int8", 1024, 24 * GB), 24 * GB)).toBe(false);
    expect(isResident(published("int8", 1024, 64 * GB), 64 * GB)).toBe(true);
  });

  it("lets the autoencoder take pictures whole where there is room, and else in the largest tiles that fit", () => {
    expect(published("int8", 1024, 24 * GB).tileSide).toBeUndefined();
    expect(published("int8", 512, 10 * GB).tileSide).toBeUndefined();
    expect(published("int4", 1024, 10 * GB).tileSide).toBe(512);
    expect(published("int4", 1024, 2 * GB).tileSide).toBe(256);
    const [whole, tiled] = [published("int8"), published("int8", 1024, 10 * GB)].map(
      ({ components }) => components["decoder"]!.workingBytes,
    );
    expect(tiled!).toBeLessThan(whole! / 3);
  });

  it.each([
    [2048, undefined],
    [1024, 512],
    [128, 256],
  ])("has tiles whose layers fit in the %d MiB that a device's tensors may take", (mebibytes, tileSide) => {
    const plan = planMemory(PUBLISHED_PLAN, "int8", edit(1024), 64 * GB, mebibytes * 2 ** 20);
    expect(plan.tileSide).toBe(tileSide);
    // The decoder's widest layer at full resolution has 256 channels.
    expect(256 * (tileSide ?? 1024) ** 2 * 4).toBeLessThanOrEqual(mebibytes * 2 ** 20);
  });

  it("grows with the picture and with the second pass of a negative prompt", () => {
    expect(component("transformer", "int8", 1024).workingBytes).toBeGreaterThan(
      2 * component("transformer", "int8", 512).workingBytes,
    );
    const both = planMemory(PUBLISHED_PLAN, "int8", { ...edit(512), isNegativeUsed: true }, Infinity);
    // A noise level has 344 vectors of 3,072 numbers, and so many numbers has each of 512 tokens of text and 1,024 of the
    // reference.
    expect(both.heldBytes - published("int8", 512).heldBytes).toBe((28 * 344 + 512 + 1024) * 3072 * 4);
  });

  it("refuses what cannot fit, with the numbers, and says what would need less", () => {
    expect(() => checkMemory(PUBLISHED_PLAN, both("fp32"), edit(1024), 24 * GB)).toThrow(
      refusal(
        "MEMORY_INSUFFICIENT",
        /^An edit at 1024x1024 needs about \d\d\.\d GB of memory with fp32 weights \(\d\.\d GB with int4\), and 24\.0 GB may be used\.$/,
      ),
    );
    expect(checkMemory(PUBLISHED_PLAN, both("int8"), edit(1024), 24 * GB)).toEqual(
      published("int8", 1024, 24 * GB),
    );
  });

  it("counts the pictures of large results, of which all but one wait for the others", () => {
    const result = { width: 8000, height: 8000 };
    const held = (changes: object): number =>
      planMemory(PUBLISHED_PLAN, "int8", { ...edit(512), ...changes }, Infinity).heldBytes -
      published("int8", 512).heldBytes;
    expect(held({ result: { width: 2000, height: 2000 }, numResults: 8 })).toBe(0);
    expect(held({ result })).toBe(18 * 60e6);
    expect(held({ result, numResults: 8 })).toBe((18 + 7 * 7) * 60e6);
    expect(held({ result, numResults: 8, isDeep: true })).toBe((55 + 7 * 13) * 60e6);
    const large = { ...edit(512), result, numResults: 8 };
    expect(() => checkMemory(PUBLISHED_PLAN, both("int8"), large, 8 * GB)).toThrow(
      refusal(
        "MEMORY_INSUFFICIENT",
        /, 4\.0 GB of it for pictures of 8000x8000 and 8 results, and 8\.0 GB may be used\.$/,
      ),
    );
  });

  it("counts the image and a mask at their own size, where the result is small, and both beside a large one", () => {
    const source = { width: 8000, height: 8000 };
    const held = (changes: object): number =>
      planMemory(PUBLISHED_PLAN, "int8", { ...edit(512), ...changes }, Infinity).heldBytes -
      published("int8", 512).heldBytes;
    expect(held({ source: { width: 2000, height: 2000 }, mask: "soft" })).toBe(0);
    expect(held({ source })).toBe(4 * 60e6);
    expect(held({ source, mask: "hard" })).toBe((4 + 6) * 60e6);
    expect(held({ source, mask: "soft" })).toBe((4 + 14) * 60e6);
    expect(held({ source, isDeep: true, mask: "soft" })).toBe((24 + 14) * 60e6);
    expect(held({ source, result: source })).toBe(18 * 60e6);
    expect(held({ source, result: source, mask: "hard" })).toBe((18 + 4) * 60e6);
    expect(held({ source, result: source, mask: "soft", numResults: 8 })).toBe((18 + 7 * 7 + 7) * 60e6);
  });

  it("takes an edit with a mask up to the last byte, and names the mask where that byte is missing", () => {
    const source = { width: 8000, height: 8000 };
    const masked = { ...edit(512), source, result: source, mask: "hard" } as const;
    const { mask: _, ...plain } = masked;
    // With tiles of one size, so that only the pictures differ.
    const { peakBytes } = planMemory(PUBLISHED_PLAN, both("int4"), masked, 0);
    expect(peakBytes).toBe(planMemory(PUBLISHED_PLAN, both("int4"), plain, 0).peakBytes + 4 * 60e6);
    expect(checkMemory(PUBLISHED_PLAN, both("int4"), masked, peakBytes).peakBytes).toBe(peakBytes);
    expect(() => checkMemory(PUBLISHED_PLAN, both("int4"), masked, peakBytes - 1)).toThrow(
      refusal(
        "MEMORY_INSUFFICIENT",
        /, 1\.3 GB of it for pictures of 8000x8000 with a mask, and \d+\.\d GB may be used\.$/,
      ),
    );
    checkMemory(PUBLISHED_PLAN, both("int4"), plain, peakBytes - 1);
  });

  it("has room for LoRAs, or says what they take", () => {
    const { peakBytes } = published("int8", 512, 16 * GB);
    const withLoras = { ...edit(512), loraBytes: 8 * GB };
    expect(planMemory(PUBLISHED_PLAN, "int8", withLoras, 24 * GB).peakBytes).toBe(peakBytes + 8 * GB);
    expect(() => checkMemory(PUBLISHED_PLAN, both("int8"), withLoras, 16 * GB)).toThrow(
      refusal(
        "MEMORY_INSUFFICIENT",
        /\(\d+\.\d GB with int4\), 8\.0 GB of it for LoRAs, and 16\.0 GB may be used\.$/,
      ),
    );
  });
});

describe("the memory plan of FLUX.2 [klein] 4B", () => {
  const klein = (kind: (typeof WEIGHTS_KINDS)[number], changes: object = {}, limitBytes = Infinity) =>
    planMemory(PUBLISHED_KLEIN_PLAN, kind, { ...edit(512), ...changes }, limitBytes);

  it("has the published number of weights", () => {
    const { transformer, modulation, embedders } = klein("int8").components;
    // The latents' embedder, 128 to 3,072, is in both.
    const both = 128 * 3072;
    const once = modulation!.parameters + embedders!.parameters;
    // Of 3.9 thousand millions, the modulation is a twentieth: all blocks share it.
    expect(transformer!.parameters + once - both).toBe(3_875_544_576);
  });

  it("is met by 6 GB at int8 and 4.5 GB at int4, one network at a time", () => {
    expect(klein("int8", {}, 6 * GB).peakBytes).toBeLessThan(6 * GB);
    expect(klein("int4", {}, 4.5 * GB).peakBytes).toBeLessThan(4.5 * GB);
  });

  it("grows with every image, and not without one", () => {
    const size = { width: 512, height: 512 };
    const working = [0, 1, 4].map(
      (count) =>
        klein("int8", { references: Array.from({ length: count }, () => size) }).components["transformer"]!
          .workingBytes,
    );
    expect(working[1]! / working[0]!).toBeCloseTo((512 + 2048) / (512 + 1024), 6);
    expect(working[2]! / working[0]!).toBeCloseTo((512 + 5 * 1024) / (512 + 1024), 6);
  });

  it("counts the keys and values that are kept", () => {
    const kept = planKlein({ ...PUBLISHED_KLEIN_CONFIGS, areReferencesKept: true });
    const plan = planMemory(kept, "int8", edit(512), Infinity);
    // Of 25 blocks and 1,024 tokens, 3,072 numbers each, in place of the same tokens once, embedded.
    expect(plan.heldBytes - klein("int8").heldBytes).toBe((2 * 25 - 1) * 1024 * 3072 * 4);
  });
});

/** A model whose autoencoder is most of it, like those of the fixtures. */
const SMALL_PLAN = planKontext({
  ...PUBLISHED_CONFIGS,
  flux: { ...PUBLISHED_CONFIGS.flux, numDoubleBlocks: 1, numSingleBlocks: 1, numHeads: 2 },
  t5: { ...PUBLISHED_CONFIGS.t5, numLayers: 1, mlpWidth: 64, vocabularySize: 100 },
});
const LIMITS = Array.from({ length: 160 }, (_, index) => 0.05 * GB * 1.06 ** index);

describe.each([
  ["the published model", PUBLISHED_PLAN],
  ["a small model", SMALL_PLAN],
  ["FLUX.2 [klein] 4B", PUBLISHED_KLEIN_PLAN],
  ["the same with its references kept", planKlein({ ...PUBLISHED_KLEIN_CONFIGS, areReferencesKept: true })],
])("more memory for %s", (_, model) => {
  const edits = [16, 300, 1024, 2048].flatMap((side) =>
    [0, 0.3 * GB, 8 * GB].flatMap((loraBytes) =>
      [false, true].map((isNegativeUsed) => ({
        target: { width: side, height: Math.ceil(side / 48) * 16 },
        references: [{ width: side, height: side }],
        numSteps: 28,
        loraBytes,
        isNegativeUsed,
      })),
    ),
  );

  it.each(WEIGHTS_KINDS)(
    "never turns an edit in %s into a refusal, nor its tiles into smaller ones",
    (kind) => {
      for (const extent of edits) {
        const plans = LIMITS.map((limit) => ({ limit, ...planMemory(model, kind, extent, limit) }));
        const least = Math.min(...plans.map(({ peakBytes }) => peakBytes));
        for (const { limit, peakBytes } of plans) expect(peakBytes <= limit).toBe(least <= limit);
        const sides = plans
          .filter(({ limit, peakBytes }) => peakBytes <= limit)
          .map(({ tileSide = Infinity }) => tileSide);
        expect(sides).toEqual(sides.toSorted((a, b) => a - b));
      }
    },
  );

  it("never turns a usual edit into a refusal where the kind is chosen by what fits", () => {
    const fits = LIMITS.map((limit) => {
      const kinds = fittingKinds(model, { limitBytes: limit });
      return (
        kinds !== undefined &&
        planMemory(model, kinds, usualEdit(model.native, model.usual), limit).peakBytes <= limit
      );
    });
    expect(fits).toEqual(fits.toSorted((a, b) => Number(a) - Number(b)));
    expect(fits).toContain(true);
  });
});
