/** The GPU's benchmark: all of it on a narrow network and the processor, and what it does before there is a GPU. */
import { execFile } from "node:child_process";
import { chmod, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { watchGpuMemory } from "../../bench/gpu/gpu-memory.ts";
import { parseOptions, STAGES } from "../../bench/gpu/options.ts";
import { type Report, reportOf } from "../../bench/gpu/report.ts";
import { inRepository } from "../../tools/paths.ts";
import { withoutPython } from "../../tools/python.ts";
import { temporaryFolder } from "../support/temporary.ts";

it("runs whole on a processor, agrees with PyTorch and cleans up", async ({ skip }) => {
  skip(withoutPython("reference") !== undefined, withoutPython("reference"));
  const folder = await temporaryFolder();
  const args = ["--small", "--device", "cpu", "--runs", "1", "--threads", "1"];
  const command = [inRepository("scripts", "run-ts.mjs"), inRepository("bench", "gpu.ts"), ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    env: { ...process.env, TMPDIR: folder },
  });
  const { parity, sides, speedup } = JSON.parse(stdout) as Report;
  expect(sides.map(({ name }) => name)).toEqual([
    "Retouch, float32",
    "Retouch, float16",
    "PyTorch (diffusers), bfloat16",
  ]);
  const decibels = sides.map((side) => ("error" in side ? side.error : side.agreement!.decibels));
  expect(decibels[0]).toBeGreaterThan(80);
  expect(decibels[1]).toBeGreaterThan(50);
  expect(decibels[2]).toBeGreaterThan(25);
  expect(speedup).toBeGreaterThan(0);
  expect(parity).toHaveLength(1);
  expect(parity![0]!.velocity.decibels).toBeGreaterThan(50);
  expect(parity![0]!.psnr).toBeGreaterThan(45);
  // What is left there is PyTorch's and the runtime's own.
  expect((await readdir(folder)).filter((name) => name.startsWith("retouch-gpu"))).toEqual([]);
}, 600_000);

describe("its options", () => {
  const places = [
    "--folder",
    "f",
    "--repository",
    "r",
    "--checkpoint",
    "c",
    "--picture",
    "p",
    "--python",
    "y",
    "--step-process",
    "s",
  ];

  it("are those of the documented request on a GPU, in both types of half precision", () => {
    const options = parseOptions(places);
    expect(options.stages).toEqual(STAGES);
    expect(options.types).toMatchObject({ torch: "cuda", steps: ["bfloat16", "float16"] });
    expect(options.size).toEqual({ latentSide: 1024 / 8, textTokens: 512 });
    expect(options.config).toMatchObject({ numDoubleBlocks: 19, numSingleBlocks: 38, numHeads: 24 });
  });

  it.each([
    [["--device", "cpu"], "The published sizes are for CUDA: add --small."],
    [["--device", "webgpu"], "The published sizes are for CUDA: add --small."],
    [["--device", "tpu"], "--device must be cuda, webgpu or cpu, not tpu."],
    [["--device", "toString"], "--device must be cuda, webgpu or cpu, not toString."],
    [["--runs", "0"], "--runs must be a whole number from 1 on, not 0."],
    [["all"], "The stages are parity, weights, pytorch, step, report, not all."],
  ])("are refused: %j", (args, sentence) => {
    expect(() => parseOptions([...places, ...args])).toThrow(sentence);
  });
});

it("reports steps as time, rate and share of the peak, and the best beside PyTorch", () => {
  const timed = { gpuBytes: 40e9, agreement: null };
  const report = reportOf(
    {
      device: "cuda",
      gpu: "a GPU",
      peakTflops: 800,
      peakSide: 8192,
      flopsPerStep: 160e12,
      sides: [
        { name: "Retouch, bfloat16", seconds: [0.5, 0.4, 0.3], ...timed },
        { name: "Retouch, float16", error: "It broke." },
        { name: "PyTorch (diffusers), bfloat16", seconds: [0.8], ...timed },
      ],
    },
    null,
  );
  expect(report.sides[0]).toMatchObject({
    secondsPerStep: { median: 0.4, min: 0.3, max: 0.5 },
    secondsPerEdit: 11.2,
    tflops: 400,
    peakShare: 0.5,
    gpuBytes: 40e9,
  });
  expect(report.sides[1]).toEqual({ name: "Retouch, float16", error: "It broke." });
  expect(report.peak.what).toContain("8192*8192");
  expect(report.speedup).toBe(2);
});

describe("the memory of a GPU", () => {
  it("is the most that the driver's tool told", async () => {
    const tool = path.join(await temporaryFolder(), "smi");
    await writeFile(tool, "#!/bin/sh\nprintf '12\\n4000\\n[N/A]\\n300\\n'\nexec sleep 60\n");
    await chmod(tool, 0o755);
    const watch = watchGpuMemory(tool);
    await expect.poll(() => watch.largest).toBe(4000 * 2 ** 20);
    expect(await watch.end()).toBe(4000 * 2 ** 20);
  });

  it("is not known where there is no such tool", async () => {
    expect(await watchGpuMemory(path.join(await temporaryFolder(), "none")).end()).toBeNull();
  });
});
