/** `bench:klein` on narrow networks, but for stable-diffusion.cpp, which needs a compiler and ten minutes. */
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { checkDisk } from "../../bench/full-size/disk.ts";
import { networkBytes } from "../../bench/klein/checkpoint.ts";
import { flopsPerStep } from "../../bench/klein/inputs.ts";
import { syntheticNetwork } from "../../bench/klein/networks.ts";
import { MEMORY_AIMS, parseOptions, PARTS } from "../../bench/klein/options.ts";
import { PUBLISHED, sizesOf } from "../../bench/klein/published.ts";
import { goalsOf, type Parts, reportOf, tableOf } from "../../bench/klein/report.ts";
import type { Goal } from "../../tools/goals.ts";
import { inRepository } from "../../tools/paths.ts";
import { withoutPython } from "../../tools/python.ts";
import { temporaryFolder } from "../support/temporary.ts";

const AVX512 = { instructionSets: ["avx512f"] };
const SIZES = sizesOf(PUBLISHED);

async function run(...args: string[]): Promise<{ parts: Parts; goals: Goal[] }> {
  const script = [inRepository("scripts", "run-ts.mjs"), inRepository("bench", "klein.ts")];
  const small = ["--small", "--no-cpp", "--runs", "1", "--threads", "1"];
  const { stdout } = await promisify(execFile)(process.execPath, [...script, ...small, ...args]);
  return JSON.parse(stdout) as { parts: Parts; goals: Goal[] };
}

it("agrees with PyTorch block by block, adds to earlier results and cleans up", async ({ skip }) => {
  skip(withoutPython("reference") !== undefined, withoutPython("reference"));
  const folder = await temporaryFolder();
  const results = path.join(await temporaryFolder(), "results.json");
  await writeFile(
    results,
    JSON.stringify({ parts: { "cpp-int8": recordOf({ error: "It was left out." }) } }),
  );
  const document = await run("--only", "blocks,diffusers", "--folder", folder, "--results", results);
  expect(Object.keys(document.parts).toSorted()).toEqual(["blocks", "cpp-int8", "diffusers"]);
  expect(JSON.parse(await readFile(results, "utf8"))).toEqual(document);
  const { double, single, text } = reportOf(document.parts, "blocks")!;
  for (const { sides, output } of [double, single, text]) {
    expect(output.isFinite).toBe(true);
    expect(output.standardDeviation).toBeGreaterThan(0.1);
    expect(sides["Retouch, float32"]).toMatchObject({ seconds: expect.any(Number) as number });
    const [float32, int8, int4] = ["float32", "int8", "int4"].map((kind) => {
      const side = sides[`Retouch, ${kind}`]!;
      if ("error" in side) throw new Error(side.error);
      return side.agreement;
    });
    expect(float32!.maxError).toBeLessThan(1e-4);
    expect(int8!.decibels).toBeGreaterThan(30);
    // Few bits cost something: equal numbers would mean that something else was compared.
    expect(int8!.decibels).toBeLessThan(60);
    expect(int4!.decibels).toBeLessThan(int8!.decibels!);
  }
  expect(double.sides["stable-diffusion.cpp, q8_0"]).toEqual({ error: "It was left out." });
  expect(document.goals).toHaveLength(6);
  expect(document.goals.filter(({ isMet }) => isMet !== true)).toEqual([]);
  expect(reportOf(document.parts, "diffusers")!.seconds).toHaveLength(1);
  expect(await readdir(folder)).toEqual([]);
  expect(tableOf(document.parts)).toContain("| first text layer | ");
}, 300_000);

it("edits twice from converted weights, which a run with --keep finds again", async ({ skip }) => {
  skip(withoutPython("reference") !== undefined, withoutPython("reference"));
  const folder = await temporaryFolder();
  const edits = ["--only", "int8", "--folder", folder, "--keep"];
  const first = reportOf((await run(...edits)).parts, "int8")!;
  expect(first.convertSeconds).toBeGreaterThan(0);
  expect(Object.keys(first.loadSeconds)).toEqual(
    expect.arrayContaining(["transformer", "encoder", "decoder"]),
  );
  expect(first).toMatchObject({
    memoryLimit: MEMORY_AIMS.int8,
    again: { seconds: expect.any(Number) as number },
  });
  const written = await readdir(path.join(folder, "retouch-klein"));
  expect(written).toEqual(expect.arrayContaining(["cache-int8", "checkpoint", "int8.png"]));
  const { parts, goals } = await run(...edits);
  expect(reportOf(parts, "int8")).toMatchObject({ convertSeconds: null });
  expect(goals.map(({ goal }) => goal)).toContain("int8: peak memory, bytes");
}, 300_000);

it("has the published numbers of weights and operations", () => {
  const bytes = (network: "transformer" | "text_encoder" | "vae"): number =>
    syntheticNetwork(network, SIZES).floatBytes / 2;
  expect(bytes("transformer") / 1e9).toBeCloseTo(7.75, 2);
  expect(bytes("text_encoder") / 1e9).toBeCloseTo(8.04, 2);
  expect(bytes("vae") / 1e6).toBeCloseTo(168, 0);
  expect(flopsPerStep(SIZES.transformer, { latentSide: 32, textTokens: 512 }) / 1e12).toBeCloseTo(17.7, 1);
});

it("draws numbers that are exact in bfloat16, as large as the columns ask for", async () => {
  const weights = [...syntheticNetwork("transformer", SIZES).weights()];
  const output = weights.find(({ key }) => key === "single_transformer_blocks.0.attn.to_out.weight")!;
  const numbers = await output.rows(0, 256);
  expect(numbers).toHaveLength(256 * 12_288);
  expect(new Uint32Array(numbers.buffer).every((bits) => (bits & 0xffff) === 0)).toBe(true);
  const deviation = Math.sqrt(numbers.reduce((sum, value) => sum + value ** 2, 0) / numbers.length);
  expect(deviation * Math.sqrt(12_288)).toBeCloseTo(1, 1);
});

it("draws kernels and variances that an autoencoder can divide by", async () => {
  const weights = [...syntheticNetwork("vae", SIZES).weights()];
  const variance = weights.find(({ key }) => key === "bn.running_var")!;
  expect(Math.min(...(await variance.rows(0, 128)))).toBeGreaterThan(0.4);
  const kernels = weights.find(({ shape }) => shape.length === 4 && shape[1] === 512)!;
  expect(await kernels.rows(0, 1)).toHaveLength(kernels.shape[1]! * kernels.shape[2]! * kernels.shape[3]!);
});

it("refuses a disk that is too small, with both figures", async () => {
  const free = (): Promise<number> => Promise.resolve(5e9);
  await expect(checkDisk("/disk", networkBytes({ sizes: SIZES }), free)).rejects.toThrow(
    "/disk has 5.0 GB free and 17.0 GB are needed; --folder names another place.",
  );
  await checkDisk("/disk", 1e9, free);
});

describe("options", () => {
  it("run every part in one order, whatever order they are named in", () => {
    expect(parseOptions([])).toMatchObject({ parts: PARTS, numSteps: 4, fields: PUBLISHED });
    expect(parseOptions(["--only", "diffusers,blocks"])).toMatchObject({ parts: ["blocks", "diffusers"] });
  });

  it("refuse what they do not know", () => {
    expect(() => parseOptions(["--only", "blocks,int2"])).toThrow(
      `--only knows ${PARTS.join(", ")}, not int2.`,
    );
    expect(() => parseOptions(["--runs", "0"])).toThrow("--runs must be a whole number above 0, not 0.");
  });
});

const recordOf = <Report>(
  report: Report,
): { date: string; revision: null; loadAverage: 0; report: Report } => ({
  date: "2026-11-30T00:00:00.000Z",
  revision: null,
  loadAverage: 0,
  report,
});

const run8 = { loadSeconds: 1, peakBytes: 1 };
const EDIT = {
  convertSeconds: 60,
  loadSeconds: { transformer: 12, decoder: 21 },
  startSeconds: 1,
  seconds: 300,
  secondsPerStep: 60,
  gflops: 295,
  again: { seconds: 270, secondsPerStep: 60 },
  memoryLimit: MEMORY_AIMS.int8,
  peakBytes: 6.5e9,
};

describe("goals", () => {
  const parts: Parts = {
    int8: recordOf(EDIT),
    diffusers: recordOf({ ...run8, seconds: [95, 90] }),
    "cpp-int8": recordOf({ slow: { ...run8, seconds: [100] }, failed: { error: "No." } }),
  };

  it("hold an edit against the aims, and its step against the fastest other side", () => {
    const found = goalsOf(parts, AVX512);
    expect(Object.fromEntries(found.map(({ goal, value, isMet }) => [goal, [value, isMet]]))).toEqual({
      "int8: seconds of an edit": [300, true],
      "int8: peak memory, bytes": [6.5e9, false],
      "int8: seconds to load transformer": [12, true],
      "int8: seconds to load decoder": [21, false],
      "int8: seconds that a second edit saves": [30, true],
      "int8: speed of a step over the fastest other side": [1.5, true],
    });
  });

  it("leave seconds unmeasured on a processor without AVX-512, and memory not", () => {
    const found = goalsOf(parts, { instructionSets: ["avx2"] });
    const measured = found.filter(({ isMet }) => isMet !== null).map(({ goal }) => goal);
    expect(measured).toEqual(["int8: peak memory, bytes"]);
  });

  it("leave the speed unmeasured where no other side ran, or all of them failed", () => {
    const alone: Parts = { int8: recordOf(EDIT), diffusers: recordOf({ error: "No torch." }) };
    const speed = goalsOf(alone, AVX512).find(({ goal }) => goal.includes("speed"))!;
    expect(speed).toMatchObject({ value: null, isMet: null });
  });

  it("become tables with what there is", () => {
    const table = tableOf(parts);
    expect(table).toContain("| a step, s (GFLOP/s) | 60.0 (295) |  |");
    expect(table).toContain("| diffusers, bfloat16 | 90.0 |");
    expect(table).toContain("| failed | failed |");
    expect(tableOf({})).toBe("");
  });
});
