/** The GPU's benchmark: all of it on a narrow network and the processor, and what it does before there is a GPU. */
import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { watchGpuMemory } from "../../bench/gpu/gpu-memory.ts";
import { parseOptions, STAGES } from "../../bench/gpu/options.ts";
import { type Report, reportOf } from "../../bench/gpu/report.ts";
import { inRepository, ROOT } from "../../tools/paths.ts";
import { temporaryFolder } from "../support/temporary.ts";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const cargo = inRepository("bench", "gpu", "cargo.py");

/** A Python program's end. */
function python(...args: string[]): { code: number | null; output: string; error: string } {
  const done = spawnSync("python3", args, { encoding: "utf8", cwd: ROOT });
  return { code: done.status, output: done.stdout, error: done.stderr };
}

it("runs whole on a processor, agrees with PyTorch and cleans up", async ({ skip }) => {
  skip(!existsSync(inRepository(".venv")), "npm run test:reference makes its Python");
  const folder = await temporaryFolder();
  const args = ["--small", "--device", "cpu", "--runs", "1", "--threads", "1"];
  const { stdout } = await promisify(execFile)("sh", [inRepository("bench", "gpu.sh"), ...args], {
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
  ];

  it("are those of the documented request on a GPU, in both types of half precision", () => {
    const options = parseOptions(places);
    expect(options.stages).toEqual(STAGES);
    expect(options.computeTypes).toEqual(["bfloat16", "float16"]);
    expect(options.size).toEqual({ latentSide: 1024 / 8, textTokens: 512 });
    expect(options.config).toMatchObject({ numDoubleBlocks: 19, numSingleBlocks: 38, numHeads: 24 });
  });

  it.each([
    [["--device", "cpu"], "The published sizes are for a GPU: add --small."],
    [["--device", "tpu"], "--device must be cpu or cuda, not tpu."],
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
    await expect.poll(() => watch.largest, { timeout: 10_000 }).toBe(4000 * 2 ** 20);
    expect(await watch.end()).toBe(4000 * 2 ** 20);
  });

  it("is not known where there is no such tool", async () => {
    expect(await watchGpuMemory(path.join(await temporaryFolder(), "none")).end()).toBeNull();
  });
});

describe.skipIf(!hasPython)("what is carried", () => {
  /** A folder of two files, packed into parts of 600 bytes. */
  async function packed(text = "x"): Promise<{ home: string; folder: string; parts: string[] }> {
    const home = await temporaryFolder();
    const folder = path.join(home, "cargo");
    await mkdir(path.join(folder, "bin"), { recursive: true });
    await writeFile(path.join(folder, "bin", "node"), text.repeat(50), { mode: 0o755 });
    const noise = Uint8Array.from({ length: 700 }, (_, index) => (index * index * 7919) >> 3);
    await writeFile(path.join(folder, "noise"), noise);
    expect(python(cargo, "pack", folder, path.join(home, "parts"), "600").code).toBe(0);
    const parts = (await readdir(path.join(home, "parts"))).toSorted();
    return { home, folder, parts: parts.map((name) => path.join(home, "parts", name)) };
  }

  it("comes in parts and is the same folder there", async () => {
    const { home, folder, parts } = await packed();
    expect(parts.length).toBeGreaterThan(1);
    const there = path.join(home, "there");
    for (const [index, part] of parts.entries()) {
      expect(python(cargo, "take", part, there).output).toContain(`: ${index + 1} of ${parts.length} parts.`);
    }
    for (let time = 0; time < 2; time += 1) expect(python(cargo, "open", there)).toMatchObject({ code: 0 });
    for (const name of ["bin/node", "noise"]) {
      expect(await readFile(path.join(there, "cargo", name))).toEqual(
        await readFile(path.join(folder, name)),
      );
    }
    expect(spawnSync("test", ["-x", path.join(there, "cargo", "bin", "node")]).status).toBe(0);
  });

  it("is refused where a part is damaged or missing", async () => {
    const { home, parts } = await packed();
    const there = path.join(home, "there");
    const file = path.join(parts[1]!, "cargo.01");
    const whole = await readFile(file);
    await writeFile(file, Buffer.concat([whole.subarray(1), Buffer.of(whole[0]! ^ 1)]));
    expect(python(cargo, "take", parts[1]!, there)).toMatchObject({
      code: 1,
      error: "cargo.01 is damaged: its checksum is not the one in SHA256SUMS.\n",
    });
    for (const part of parts.filter((_, index) => index !== 1)) python(cargo, "take", part, there);
    expect(python(cargo, "open", there)).toMatchObject({
      code: 1,
      error: "cargo.01 is missing; carry them first.\n",
    });
  });

  it("replaces what was carried of another cargo", async () => {
    const [old, fresh] = [await packed("a"), await packed("b")];
    const there = path.join(old.home, "there");
    for (const part of [...old.parts, ...fresh.parts]) python(cargo, "take", part, there);
    expect(python(cargo, "open", there).code).toBe(0);
    expect(await readFile(path.join(there, "cargo", "bin", "node"), "utf8")).toBe("b".repeat(50));
  });

  it("brings results home in parts that are checked", async () => {
    const home = await temporaryFolder();
    await mkdir(path.join(home, "results"));
    await writeFile(path.join(home, "results", "report.json"), "{}");
    expect(python(cargo, "results", path.join(home, "results"), path.join(home, "out")).code).toBe(0);
    const joined = path.join(home, "joined");
    expect(spawnSync("sh", [path.join(home, "out", "join.sh"), joined]).status).toBe(0);
    expect(await readFile(path.join(joined, "report.json"), "utf8")).toBe("{}");
  });
});

describe("the plan", () => {
  /** Evaluates an expression over the plan's module. */
  async function evaluate(skip: (condition: boolean, note: string) => void, expression: string) {
    skip(!existsSync(inRepository(".venv")), "npm run test:reference makes its Python");
    const program = `import json, sys; sys.path.insert(0, "bench/gpu"); import plan; print(${expression})`;
    const done = spawnSync(inRepository(".venv", "bin", "python"), ["-c", program], {
      cwd: ROOT,
      encoding: "utf8",
    });
    return { output: done.stdout, error: done.stderr };
  }

  it("adds up, and has a command for every part and stage", async ({ skip }) => {
    const { output } = await evaluate(
      skip,
      'plan.as_json(plan.make(2 * plan.MIB, {"parts/00": 58 * plan.MIB, "parts/01": 7 * plan.MIB}))',
    );
    const { calls, ...whole } = JSON.parse(output) as {
      calls: { command: string; minutes: number; carry: string[]; carried_mib: number }[];
      tree_mib: number;
      work_minutes: number;
      most_carried_mib: number;
    };
    expect(whole).toMatchObject({ tree_mib: 2, most_carried_mib: 64 });
    expect(calls.map(({ carried_mib }) => carried_mib)).toEqual([60, 9, 2, 2, 2]);
    expect(calls[1]).toMatchObject({ command: "sh bench/gpu.sh take parts/01", carry: ["parts/01"] });
    expect(calls.reduce((sum, { minutes }) => sum + minutes, 0)).toBeCloseTo(whole.work_minutes);
    expect(Math.max(...calls.map(({ minutes }) => minutes))).toBeLessThanOrEqual(9);
    const stages = calls.flatMap(
      ({ command }) => / there "\$OUT" (.*)$/.exec(command)?.[1]!.split(" ") ?? [],
    );
    expect(stages).toEqual(STAGES);
  });

  it("is refused where a call would carry too much", async ({ skip }) => {
    const { error } = await evaluate(skip, 'plan.make(7 * plan.MIB, {"parts/00": 58 * plan.MIB})');
    expect(error).toBe(
      "part 1 of 1 would carry 65.0 MiB, 7.0 of them the working tree, and at most 64 MiB can be carried.\n",
    );
  });

  it("leaves checkpoints and tests out of the tree that travels", async ({ skip }) => {
    const { output } = await evaluate(skip, "plan.sparse_tree_bytes() / plan.MIB");
    // Parts have 62 of the 64 MiB.
    expect(Number(output)).toBeGreaterThan(0.2);
    expect(Number(output)).toBeLessThan(2);
  });
});
