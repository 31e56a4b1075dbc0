/** Converted weights between runs: made once for what the files hold, wherever they lie, and never trusted when damaged. */
import { cp, mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { cachedWeights, type ConversionProgress } from "../../src/quantize/cache.ts";
import { preparedWeights } from "../../src/quantize/prepare.ts";
import { storedSource } from "../../src/quantize/stored-source.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { wave } from "../support/onnx.ts";
import { refusal } from "../support/refusal.ts";
import { float16, float32, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

let folder: string;
let cache: string;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  cache = path.join(folder, "cache");
  file = path.join(folder, "model.safetensors");
  await writeSafetensors(file, { "up.weight": float32(wave(4 * 128), [4, 128]) });
});

const weightsIn = async (at: string): Promise<WeightSet> =>
  new WeightSet("net", await readSafetensorsHeader(at));
const convert = async (at = file, signal?: AbortSignal) => {
  const phases: ConversionProgress["phase"][] = [];
  const found = await cachedWeights("net", storedSource(await weightsIn(at)), "int8", {
    folder: cache,
    onProgress: ({ phase }) => phases.push(phase),
    signal,
  });
  return { ...found, phases: new Set(phases) };
};
const READ_AND_WRITTEN = new Set(["reading", "writing"]);
const NOTHING = new Set();

describe("converted weights", () => {
  it("are made once, and found again without reading what they were made of", async () => {
    const first = await convert();
    expect([first.isNew, first.phases]).toEqual([true, READ_AND_WRITTEN]);
    expect(path.dirname(first.file)).toBe(path.join(cache, "weights"));
    const second = await convert();
    expect([second.isNew, second.phases, second.file]).toEqual([false, NOTHING, first.file]);
    expect(second.errors).toEqual(first.errors);
    expect(first.errors).toEqual([{ key: "up.weight", relativeError: expect.closeTo(0.005, 2) }]);
  });

  it("are found from a copy elsewhere, which is read once", async () => {
    const first = await convert();
    const copy = path.join(folder, "copy.safetensors");
    await cp(file, copy);
    const found = await convert(copy);
    expect([found.isNew, found.phases, found.file]).toEqual([false, new Set(["reading"]), first.file]);
  });

  it("are made anew where the file holds something else, though path and size are the same", async () => {
    const first = await convert();
    await writeSafetensors(file, { "up.weight": float32(wave(4 * 128, 7), [4, 128]) });
    await utimes(file, new Date(), new Date(Date.now() + 5000));
    const second = await convert();
    expect(second.isNew).toBe(true);
    expect(second.file).not.toBe(first.file);
  });

  it.each<[string, (made: string) => Promise<unknown>]>([
    ["is cut short", async (made) => truncate(made, (await stat(made)).size - 1)],
    ["is another's", (made) => cp(file, made)],
    [
      "is of another version",
      async (made) => changeText(made, '"retouch_weights":"1"', '"retouch_weights":"9"'),
    ],
  ])("are made anew where their file %s", async (_, damage) => {
    const { file: made } = await convert();
    const whole = await readFile(made);
    await damage(made);
    const again = await convert();
    expect([again.isNew, again.file]).toEqual([true, made]);
    expect((await readFile(made)).equals(whole)).toBe(true);
  });

  it("are made by one of two who ask at the same time", async () => {
    const both = await Promise.all([convert(), convert()]);
    expect(both.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(await readdir(path.join(cache, "weights"))).toEqual([path.basename(both[0].file)]);
  });

  it("take a hub's word for what its file holds: its name is its hash", async () => {
    const blobs = path.join(folder, "models--org--name", "blobs");
    await mkdir(blobs, { recursive: true });
    const blob = path.join(blobs, "ab".repeat(32));
    await cp(file, blob);
    expect((await convert(blob)).phases).toEqual(new Set(["writing"]));
  });

  it("are not begun after an interruption", async () => {
    await expect(convert(file, AbortSignal.abort())).rejects.toEqual(
      refusal("ABORTED", "The conversion of the weights was interrupted."),
    );
    expect(await readdir(cache).catch(() => [])).not.toContain("weights");
  });
});

async function changeText(at: string, from: string, to: string): Promise<void> {
  const text = (await readFile(at)).toString("latin1");
  expect(text).toContain(from);
  await writeFile(at, Buffer.from(text.replace(from, to), "latin1"));
}

describe("weights to be loaded", () => {
  it("stay where they are as 16 bits where the file has just these", async () => {
    await writeSafetensors(file, { "up.weight": float16(wave(4 * 128), [4, 128]) });
    const stored = await weightsIn(file);
    const half = await preparedWeights("net", stored, "fp16", { folder: cache });
    expect([half.isKeptHalf, half.baseFolder]).toEqual([true, folder]);
    const other = await preparedWeights("net", stored, "bf16", { folder: cache });
    expect([other.isKeptHalf, other.baseFolder]).toEqual([true, path.join(cache, "weights")]);
    expect(await preparedWeights("net", stored, "fp32", { folder: cache })).toBe(stored);
  });
});
