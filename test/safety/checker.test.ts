/** The checker against what nsfwjs itself said about the same pictures (scripts/safety/write-fixtures.ts), and its promises. */
import { cp, readFile, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import type { Picture } from "../../src/images/picture.ts";
import { Session } from "../../src/runtime/session.ts";
import { sha256 } from "../../src/sha256.ts";
import { createSafetyChecker, DEFAULT_SAFETY_THRESHOLD } from "../../src/safety/checker.ts";
import { readJson, root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { changeSafetensors, float32 } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { comparedPictures } from "../../tools/safety-pictures.ts";

/** 3.8e-5 is the most that was seen. The same network in float64 is within 2e-6 of the checker: the rest is TensorFlow.js's. */
const TOLERANCE = 1e-4;

const reference = readJson<{ scores: Record<string, Record<string, number>> }>("safety.json").scores;
const pictures = await comparedPictures(root);
const shipped = path.join(root, "checkpoints", "safety");
const checker = createSafetyChecker({ threads: 1 });
afterAll(() => checker.close());
afterEach(() => {
  vi.restoreAllMocks();
});

const skin = pictures.get("skin 96x96")!;

/** A copy of the shipped network that the test may damage. */
async function copyOfNetwork(): Promise<{ folder: string; config: string; weights: string }> {
  const folder = path.join(await temporaryFolder(), "safety");
  await cp(shipped, folder, { recursive: true });
  return {
    folder,
    config: path.join(folder, "config.json"),
    weights: path.join(folder, "model.safetensors"),
  };
}

describe("the scores", () => {
  it("are compared on the pictures that nsfwjs has seen", () => {
    expect([...pictures.keys()]).toEqual(Object.keys(reference));
  });

  it.each(Object.keys(reference))("of %s are those of nsfwjs", async (name) => {
    const { scores } = await checker.check(pictures.get(name)!);
    expect(Object.keys(scores)).toEqual(Object.keys(reference[name]!));
    for (const [className, score] of Object.entries(scores)) {
      expect(Math.abs(score - reference[name]![className]!), className).toBeLessThan(TOLERANCE);
    }
  });

  it("add up to the one that counts: pornography, photographed or drawn, and not what only shows skin", async () => {
    const { score, scores } = await checker.check(skin);
    expect(score).toBe(scores["Porn"]! + scores["Hentai"]!);
    expect(Object.values(scores).reduce((sum, value) => sum + value)).toBeCloseTo(1);
  });
});

describe("the threshold", () => {
  const flaggedFrom = async (threshold: number, picture: Picture = skin): Promise<boolean> => {
    const strict = createSafetyChecker({ threads: 1, threshold });
    const report = await strict.check(picture);
    await strict.close();
    expect(report.threshold).toBe(threshold);
    return report.isFlagged;
  };

  it("is the score from which a picture is flagged", async () => {
    const { score } = await checker.check(skin);
    expect(await flaggedFrom(score)).toBe(true);
    expect(await flaggedFrom(score + 1e-9)).toBe(false);
    expect(await flaggedFrom(0)).toBe(true);
    expect(await flaggedFrom(1)).toBe(false);
  });

  it("flags neither the compared pictures nor the README's where nothing else is said", async () => {
    const shown = await decodePicture(await readFile(path.join(root, "docs/images/bluebird-in-space.png")));
    for (const picture of [...pictures.values(), shown]) {
      expect(await checker.check(picture)).toMatchObject({
        threshold: DEFAULT_SAFETY_THRESHOLD,
        isFlagged: false,
      });
    }
  });

  it.each([-0.1, 1.1, Number.NaN, "0.5" as unknown as number, null as unknown as number])(
    "may not be %s",
    (threshold) => {
      expect(() => createSafetyChecker({ threshold })).toThrow(
        refusal("INVALID_PARAMETER", `safety.threshold must be a number from 0 to 1, not ${threshold}.`),
      );
    },
  );
});

describe("the identity", () => {
  it("is that of the network's file", async () => {
    const { config, weights, folder } = await copyOfNetwork();
    const own = createSafetyChecker({ checkpoint: folder });
    expect(await own.identity()).toEqual({
      name: "MobileNetV2",
      sha256: sha256(await readFile(weights)),
    });
    expect(await checker.identity()).toEqual(await own.identity());
    await writeFile(config, "{");
    const damaged = createSafetyChecker({ checkpoint: folder });
    await expect(damaged.identity()).rejects.toMatchObject({ code: "CHECKPOINT_INVALID" });
  });
});

describe("a threshold of a picture's own", () => {
  it("counts for that picture alone, and must be in range", async () => {
    expect(await checker.check(skin, 0)).toMatchObject({ threshold: 0, isFlagged: true });
    expect(await checker.check(skin)).toMatchObject({
      threshold: DEFAULT_SAFETY_THRESHOLD,
      isFlagged: false,
    });
    await expect(checker.check(skin, 1.1)).rejects.toEqual(
      refusal("INVALID_PARAMETER", "safety.threshold must be a number from 0 to 1, not 1.1."),
    );
  });
});

describe("the network", () => {
  it("is loaded by the first check and no other", async () => {
    const load = vi.spyOn(Session, "load");
    const lazy = createSafetyChecker({ threads: 1 });
    await Promise.resolve();
    expect(load).not.toHaveBeenCalled();
    await Promise.all([lazy.check(skin), lazy.prepare()]);
    await lazy.check(skin);
    expect(load).toHaveBeenCalledTimes(1);
    await lazy.close();
  });

  it("is not asked for by a checker that is only closed", async () => {
    const load = vi.spyOn(Session, "load");
    await createSafetyChecker().close();
    expect(load).not.toHaveBeenCalled();
  });

  it("may be another one, and is tried again where it could not be loaded", async () => {
    const { folder, config } = await copyOfNetwork();
    const text = await readFile(config);
    await writeFile(config, "{");
    const own = createSafetyChecker({ checkpoint: folder, threads: 1 });
    await expect(own.prepare()).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", `The checkpoint file ${config} is not JSON.`),
    );
    await writeFile(config, text);
    expect(await own.check(skin)).toEqual(await checker.check(skin));
    await own.close();
  });
});

describe("a broken checkpoint", () => {
  it.each<[string, (files: { config: string; weights: string }) => Promise<void>, string, RegExp]>([
    [
      "whose weights end early",
      ({ weights }) => truncate(weights, 1_000_000),
      "CHECKPOINT_INVALID",
      /^The weights file \S+ is damaged: .* and the file has 1000000\.$/,
    ],
    [
      "without a weight",
      ({ weights }) => changeSafetensors(weights, (tensors) => delete tensors["expanded_conv_3.expand.bias"]),
      "CHECKPOINT_INVALID",
      /^In \S+, the weight expanded_conv_3\.expand\.bias must be float32 \[192\] and is missing\.$/,
    ],
    [
      "without a class that counts",
      async ({ config }) => {
        const text = await readFile(config, "utf8");
        await writeFile(config, text.replace("Hentai", "Manga"));
      },
      "CHECKPOINT_INVALID",
      /^In \S+config\.json, classes must hold Hentai\.$/,
    ],
    [
      "whose weights are no numbers",
      ({ weights }) =>
        changeSafetensors(weights, (tensors) => (tensors["dense.scale"] = float32([Number.NaN]))),
      "RUNTIME_FAILED",
      /^The safety checker gave no numbers: its weights are damaged\.$/,
    ],
  ])("%s ends the check with a sentence, and flags nothing", async (_, damage, code, sentence) => {
    const { folder, ...files } = await copyOfNetwork();
    await damage(files);
    const broken = createSafetyChecker({ checkpoint: folder, threads: 1 });
    await expect(broken.check(skin)).rejects.toEqual(refusal(code as "RUNTIME_FAILED", sentence));
    await broken.close();
  });

  it("that is missing is named", async () => {
    const folder = path.join(await temporaryFolder(), "nowhere");
    const lost = createSafetyChecker({ checkpoint: folder });
    await expect(lost.prepare()).rejects.toEqual(
      refusal(
        "CHECKPOINT_MISSING",
        `The checkpoint file ${path.join(folder, "config.json")} cannot be read.`,
      ),
    );
    await lost.close();
  });
});
