/** `bench:peers` without what it measures: its options, its turns, its Python, its goals and its tables. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { BLOCK_SIDES, type BlocksReport } from "../../bench/peers/blocks.ts";
import type { ColdReport } from "../../bench/peers/edits.ts";
import { parseOptions } from "../../bench/peers/options.ts";
import { hasAll, OWN, preparePython, SHARED } from "../../bench/peers/python.ts";
import { goalsOf, type PartRecord, type Parts } from "../../bench/peers/report.ts";
import { tablesOf } from "../../bench/peers/table.ts";
import { type EditSideReport, editByTurns, ratioOf, rotated } from "../../bench/peers/turns.ts";
import { writeSource } from "../../bench/pictures.ts";
import { SIZES } from "../../bench/full-size/options.ts";
import type { SideCommand } from "../../bench/sides/side.ts";
import { inRepository } from "../../tools/paths.ts";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { summarize } from "../../tools/statistics.ts";
import { temporaryFolder } from "../support/temporary.ts";

describe("the options", () => {
  it("are all parts in the published sizes by default", () => {
    expect(parseOptions(["--threads", "2"])).toMatchObject({
      parts: ["documented", "native", "cold", "blocks", "products"],
      runs: 5,
      threads: 2,
      numSteps: 28,
      sizes: SIZES.published,
      rendered: undefined,
    });
    expect(parseOptions(["--small", "--only", "cold"])).toMatchObject({
      parts: ["cold"],
      runs: 1,
      numSteps: 2,
    });
    expect(parseOptions(["--help"])).toBe("help");
  });

  it.each([
    [["--only", "cold,warm"], "--only knows documented, native, cold, blocks, products, not warm."],
    [["--clock", "sun"], "--clock knows wall and cpu, not sun."],
    [["--runs", "0"], "--runs must be a whole number above 0, not 0."],
  ])("refuse %j", (args, sentence) => {
    expect(() => parseOptions(args)).toThrow(sentence);
  });
});

describe("turns", () => {
  /** A side that gives its picture back in a time of its own. */
  const sideNamed = (name: string, program = ""): SideCommand => ({
    name,
    command: process.execPath,
    args: [
      "-e",
      `const say = (value) => console.log(JSON.stringify(value));
       say({ ready: true, loadSeconds: 0.5 });
       require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
         const { image, output, prompt } = JSON.parse(line);
         ${program}
         require("node:fs").copyFileSync(image, output);
         const seconds = Number(prompt);
         say({ seconds, denoiseSeconds: seconds / 2, cpuSeconds: seconds * 3 });
       });`,
    ],
  });

  it("do the edit of a round on all sides, and count those after the first two", async () => {
    const folder = await temporaryFolder();
    const image = path.join(folder, "source.png");
    await writeSource(image, { width: 16, height: 16 });
    const said: string[] = [];
    const reports = await editByTurns(
      [
        sideNamed("first"),
        sideNamed("second"),
        sideNamed("late", `if (prompt === "3") return say({ error: "no room" });`),
        { name: "never", command: process.execPath, args: ["-e", "process.exit(3)"] },
      ],
      {
        runs: 3,
        folder,
        clock: "wall",
        threads: 2,
        orderOf: (round) => ({ image, prompt: String(round + 1), width: 16, height: 16, steps: 2, seed: 1 }),
        say: (sentence) => said.push(sentence),
      },
    );
    expect(Object.keys(reports)).toEqual(["first", "second", "late", "never"]);
    expect(reports["first"]).toMatchObject({
      seconds: { median: 4, min: 3, max: 5, values: [3, 4, 5] },
      secondsPerStep: { values: [0.75, 1, 1.25] },
      psnr: null,
    });
    expect(reports["second"]).toMatchObject({ seconds: { values: [3, 4, 5] }, psnr: null });
    expect(reports["late"]).toEqual({ error: "late failed: no room" });
    expect(reports["never"]).toEqual({
      error: expect.stringContaining("never ended without an answer") as string,
    });
    expect(said).toHaveLength(2);
  });

  it("count the processor's time over the threads where that is wanted", async () => {
    const folder = await temporaryFolder();
    const image = path.join(folder, "source.png");
    await writeSource(image, { width: 16, height: 16 });
    const order = { image, prompt: "2", width: 16, height: 16, steps: 2, seed: 1 };
    const options = { runs: 1, folder, orderOf: () => order, say: () => {} };
    const reports = await editByTurns([sideNamed("one")], { ...options, clock: "cpu", threads: 2 });
    expect(reports["one"]).toMatchObject({ seconds: { values: [3] }, secondsPerStep: null });
  });

  it("let each side go first once", () => {
    expect([0, 1, 2, 3].map((round) => rotated(["a", "b", "c"], round).join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
  });

  it("compare rounds, not medians", () => {
    expect(ratioOf(summarize([1, 2, 10]), summarize([2, 6, 10]))).toBe(2);
  });
});

describe("Python", () => {
  it("has the versions that everything else here has", () => {
    expect(hasAll(SHARED, OWN)).toBe(true);
  });

  it("is the shared one where that has all packages and is up to date", async () => {
    const folder = await temporaryFolder();
    const environment = async (name: string, requirements: string, stamp = requirements) => {
      const home = path.join(folder, name);
      await mkdir(home);
      await writeFile(`${home}.txt`, requirements);
      const digest = createHash("sha256").update(stamp).digest("hex");
      await writeFile(path.join(home, "requirements.sha256"), digest);
      return { folder: home, requirements: `${home}.txt` };
    };
    const wanted = await environment("wanted", "# few\na==1\n", "older");
    const shared = await environment("shared", "b==2\na==1\n");
    const said: string[] = [];
    const say = (sentence: string): void => void said.push(sentence);
    expect(preparePython(say, wanted, shared)).toContain(path.join("shared", "bin"));
    const whole = await environment("whole", "a==1\n");
    expect(preparePython(say, whole, shared)).toContain(path.join("whole", "bin"));
    expect(said).toEqual([]);
    expect(hasAll(await environment("other", "a==2\n"), wanted)).toBe(false);
  });
});

it("takes the time until a command on a terminal shows a text", ({ skip }) => {
  skip(withoutPython("reference") !== undefined, withoutPython("reference"));
  const run = (program: string): { seconds?: number; cpuSeconds?: number; error?: string } => {
    const args = [
      inRepository("bench", "peers", "first_step.py"),
      "step 1/",
      process.execPath,
      "-e",
      program,
    ];
    return JSON.parse(execFileSync(pythonProgram("reference"), args, { encoding: "utf8" })) as object;
  };
  const { seconds, cpuSeconds } = run(
    `if (!process.stderr.isTTY) process.exit(1);
     process.stderr.write("ste"); setTimeout(() => process.stderr.write("p 1/28"), 200); setTimeout(() => {}, 1e6)`,
  );
  expect(seconds).toBeGreaterThan(0.2);
  expect(cpuSeconds).toBeGreaterThan(0);
  expect(run(`console.log("no such file")`).error).toContain("no such file");
});

// ---- reports

const edit = (...seconds: number[]): EditSideReport => ({
  seconds: summarize(seconds),
  secondsPerStep: summarize(seconds.map((taken) => taken / 28)),
  startSeconds: 0.5,
  peakBytes: 256e6,
  psnr: 91.5,
});
const block = (...seconds: number[]): BlocksReport["sides"][string] => ({
  seconds: summarize(seconds),
  gflops: 700,
  peakBytes: null,
  agreement: { maxError: 0.01, decibels: 41.25 },
});
const recordOf = <Report>(report: Report | { error: string }): PartRecord<Report> => ({
  date: "2026-01-01T00:00:00.000Z",
  revision: "abc",
  settings: { runs: 2, threads: 2, clock: "wall" },
  loadAverage: { before: 0.1, after: 2 },
  report,
});

const PARTS: Parts = {
  documented: recordOf({
    sides: {
      "Retouch, fp32": edit(0.4, 0.4),
      "Retouch, int8": edit(0.25, 0.2),
      // As fast as it is, it leaves steps out.
      "Retouch, fp32, accelerated (40 dB)": edit(0.1, 0.1),
      "Retouch before": edit(0.5, 0.5),
    },
  }),
  native: recordOf({
    sides: {
      "Retouch, fp32": edit(0.2, 0.2),
      "diffusers (eager, float32)": edit(0.4, 0.4),
      "diffusers (eager, bfloat16)": edit(0.25, 0.25),
      "diffusers (torch.compile, float32)": { error: "no compiler" },
    },
  }),
  cold: recordOf({ seconds: { Retouch: summarize([0.5, 0.5]), "Retouch before": summarize([1, 1]) } }),
  blocks: recordOf({
    tokens: 2560,
    flops: 1e12,
    sides: {
      [BLOCK_SIDES.int8]: block(2, 2),
      [BLOCK_SIDES.torchBf16]: block(1.9, 1.9),
      [BLOCK_SIDES.q8]: block(8, 8),
      [BLOCK_SIDES.q4]: { error: "no compiler" },
    },
    peaks: {
      gemm: summarize([400, 420]),
      matmulInteger: summarize([1200, 1000]),
      torchFp32: summarize([300, 310]),
      torchBf16: { error: "no torch" },
    },
  }),
  products: recordOf({
    "64 \\* 256 by 512": {
      "Gemm, float32": { gflops: 200, speedup: 0.5, decibels: null },
      "QGemm, a scale per row": { gflops: 600, speedup: 1.5, decibels: 38.4 },
    },
  }),
};

it("holds the fastest mode that computes every step against each goal", () => {
  expect(goalsOf(PARTS).map(({ value, wanted, isMet }) => [value, wanted, isMet])).toEqual([
    [2.25, "at least 1.6", true],
    [1.25, "at least 1.5", false],
    [0.5, "at most 0.6", true],
    [4, "at least 1.3", true],
    [null, "at least 1.3", null],
    [0.95, "at least 0.9", true],
    [0.5833, "at least 0.6", false],
  ]);
});

it("leaves open what a part that could not run should have measured", () => {
  const failed: Parts = { ...PARTS, cold: recordOf<ColdReport>({ error: "no git" }) };
  expect(goalsOf(failed).map(({ isMet }) => isMet)).toEqual([true, false, null, true, null, true, false]);
  expect(tablesOf({ parts: failed, goals: [] })).toContain("- cold could not run: no git\n");
});

it("shows everything in tables", () => {
  const rows = tablesOf({ parts: PARTS, goals: goalsOf(PARTS) }).split("\n");
  expect(rows).toContain("| Retouch, int8 | 0.23 (0.20 to 0.25) | 2.25x | 8.0 | 0.5 | 256 MB | 92 dB |");
  expect(rows).toContain(
    "| diffusers (eager, float32) | 0.40 (0.40 to 0.40) | 0.63x | 14.3 | 0.5 | 256 MB | 92 dB |",
  );
  expect(rows).toContain("| diffusers (torch.compile, float32) | failed |  |  |  |  |  |");
  expect(rows).toContain("| Retouch before | 1.00 (1.00 to 1.00) |");
  expect(rows).toContain("| Retouch, int8 | 2.00 (2.00 to 2.00) | 700 | ? | 41.3 dB |");
  expect(rows).toContain("| onnxruntime, MatMulInteger U8S8 | 1200 |");
  expect(rows).toContain("| PyTorch, bfloat16 | failed |");
  expect(rows).toContain("| Gemm, float32 | 200 (0.50x) |");
  expect(rows).toContain("| QGemm, a scale per row | 600 (1.50x), 38.4 dB |");
  expect(rows).toContain("| native size: speed over the fastest diffusers | 1.25 | at least 1.5 | **no** |");
  expect(
    tablesOf({ parts: {}, goals: [] })
      .split("\n")
      .filter((line) => line !== ""),
  ).toHaveLength(2);
});
