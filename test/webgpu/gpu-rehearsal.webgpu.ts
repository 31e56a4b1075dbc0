/**
 * The GPU benchmark as it runs on a borrowed machine, from the bundle to the results at home, with a Vulkan device in
 * software in place of the GPU: every program and script of it, on a narrow network.
 */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import type { Report } from "../../bench/gpu/report.ts";
import { inRepository, ROOT } from "../../tools/paths.ts";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { softwareGpu, withoutSoftwareGpu } from "../../tools/software-gpu.ts";
import { temporaryFolder } from "../support/temporary.ts";

const PYTHON = pythonProgram("reference");
const run = promisify(execFile);
/** Bytes of the small step's latents and of its velocity: 4 x 4 tokens of 64 numbers in float32. */
const LATENTS = 4 * 4 * 64 * 4;

it("comes home with a report", async ({ skip }) => {
  skip(withoutSoftwareGpu !== undefined, withoutSoftwareGpu);
  skip(withoutPython("reference") !== undefined, withoutPython("reference"));
  const folder = await temporaryFolder();
  const options = ["--device webgpu --small --runs 1 --threads 1", `--python ${PYTHON}`].join(" ");
  const env = softwareGpu({
    ...process.env,
    RETOUCH_GPU_FOLDER: path.join(folder, "there"),
    RETOUCH_GPU_OPTIONS: options,
  });
  const inFolder = (name: string): string => inRepository("scripts", "remote-gpu", name);
  const pack = [
    inRepository("scripts", "run-ts.mjs"),
    inFolder("pack.ts"),
    "--rehearsal",
    "--folder",
    folder,
  ];
  await run(process.execPath, pack, { cwd: ROOT });

  const plan = [inFolder("plan.py"), "bench", "--parts", path.join(folder, "parts"), "--json"];
  const { calls } = JSON.parse((await run(PYTHON, plan, { cwd: ROOT })).stdout) as {
    calls: { command: string }[];
  };
  let out = "";
  for (const [index, { command }] of calls.entries()) {
    out = path.join(folder, `out-${index}`);
    await run("sh", ["-c", command], { cwd: ROOT, env: { ...env, OUT: out } });
  }
  const home = path.join(folder, "home");
  await run("sh", [path.join(out, "join.sh"), home]);
  expect((await readdir(home)).toSorted()).toEqual(
    [
      "cpu-float32.png",
      "webgpu-float32.png",
      ...["parity", "pytorch", "report", "step", "weights"].map((stage) => `${stage}.json`),
    ].toSorted(),
  );

  const report = JSON.parse(await readFile(path.join(home, "report.json"), "utf8")) as Report;
  expect(report.parity!.map(({ computeType }) => computeType)).toEqual(["float32"]);
  for (const { velocity, psnr, bytes } of report.parity!) {
    expect(velocity.decibels).toBeGreaterThan(60);
    // Null where the pictures are equal.
    expect(psnr ?? Infinity).toBeGreaterThan(60);
    expect(bytes.perStep.held).toBeGreaterThan(bytes.perStep.up);
  }
  expect(report.sides.map(({ name }) => name)).toEqual([
    "Retouch, float32",
    "Retouch, float16",
    "PyTorch (diffusers), bfloat16",
  ]);
  for (const side of report.sides) {
    if ("error" in side) throw new Error(`${side.name}: ${side.error}`);
    expect(side.agreement!.decibels).toBeGreaterThan(side.name.startsWith("Retouch") ? 60 : 25);
    expect(side.peakShare).toBeGreaterThan(0);
    if (side.bytesPerStep) expect(side.bytesPerStep).toMatchObject({ up: LATENTS, down: LATENTS });
  }
  expect(report.device).toBe("webgpu");
  expect(report.peak.what).toContain("by PyTorch on the processor");
});
