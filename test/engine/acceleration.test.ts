/** What acceleration promises, in numbers: decibels and levels, budgets, refusals and reports; and calibrations on disk. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  accelerationReport,
  chooseAcceleration,
  decibelsOf,
  levelsOf,
  planAcceleration,
} from "../../src/engine/acceleration.ts";
import { gainsOf, levelsBetween } from "../../src/engine/calibrate.ts";
import { psnrOf } from "../../src/images/psnr.ts";
import {
  arithmeticOf,
  type Calibration,
  calibrationFile,
  calibrationText,
  findCalibration,
  keepCalibration,
  parseCalibration,
} from "../../src/engine/calibration.ts";
import { resolveParameters } from "../../src/engine/request.ts";

const calibration: Calibration = {
  checkpoint: "ab".repeat(32),
  edits: 60,
  gains: [
    { downTo: 0.8, gain: 400 },
    { downTo: 0, gain: 20 },
  ],
  arithmetic: { fp32: 0, int8: 2 },
};
const request = (fields: Parameters<typeof resolveParameters>[0] = {}) =>
  resolveParameters({ prompt: "Make it night", seed: 1, acceleration: "auto", ...fields });
const facts = { calibration, arithmetic: "fp32" };

describe("levels and decibels", () => {
  it.each([30, 34, 40, 50, 54.7, 55, 60])("are each other's inverse at %f dB", (decibels) => {
    expect(decibelsOf(levelsOf(decibels))).toBeCloseTo(decibels, 9);
  });

  it("are those of noise that is added before rounding", () => {
    // Uniform differences of root mean square r, on values at every place between two levels.
    for (const [levels, tolerance] of [
      [0.05, 2],
      [0.6, 0.6],
      [3, 0.1],
    ] as const) {
      const count = 20_000;
      const one = new Uint8Array(count);
      const other = new Uint8Array(count);
      for (let index = 0; index < count; index += 1) {
        const value = 100 + ((index * 0.618_034) % 20);
        const difference = levels * Math.sqrt(3) * (2 * ((index * 0.754_877_7) % 1) - 1);
        one[index] = Math.round(value);
        other[index] = Math.round(value + difference);
      }
      const measured = psnrOf(one, other);
      expect(decibelsOf(levels)).toBeLessThan(measured + 0.1);
      expect(decibelsOf(levels)).toBeGreaterThan(measured - tolerance);
    }
  });

  it("are none of equal pictures", () => {
    expect(psnrOf(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(Infinity);
    expect(levelsBetween(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(0);
    expect(psnrOf(Uint8Array.of(0), Uint8Array.of(255))).toBe(0);
  });
});

describe("where an edit may compute in one arithmetic or in float32", () => {
  const both = { arithmetic: "int8", exactArithmetic: "fp32" };
  const plan = (minPsnr: number, known: Calibration | undefined = calibration, arithmetic = both) =>
    planAcceleration(request({ minPsnr }), { ...arithmetic, calibration: async () => known });

  it("it takes float32 where the promise has no room for the other, and only there", async () => {
    const limit = decibelsOf(2);
    const near = await plan(limit + 0.01);
    expect(near).toMatchObject({ arithmetic: "fp32", isExact: true });
    expect(near.acceleration!.budget!.total).toBeCloseTo(levelsOf(limit + 0.01), 9);
    const far = await plan(limit - 1);
    expect(far).toMatchObject({ arithmetic: "int8", isExact: false });
    expect(far.acceleration!.budget!.total).toBeCloseTo(levelsOf(limit - 1) - 2, 9);
  });

  it("it takes float32 where nobody measured the other", async () => {
    const unmeasured = { ...calibration, arithmetic: { fp32: 0 } };
    expect(await plan(34, unmeasured)).toMatchObject({ arithmetic: "fp32", isExact: true });
  });

  it("it computes every step in the other where the checkpoint was not calibrated, or steps are not reused", async () => {
    expect(await planAcceleration(request(), { ...both, calibration: async () => undefined })).toMatchObject({
      arithmetic: "int8",
      isExact: false,
    });
    const off = request({ acceleration: "off" });
    expect(await planAcceleration(off, { ...both, calibration: async () => calibration })).toEqual({
      acceleration: undefined,
      arithmetic: "int8",
      isExact: false,
    });
  });
});

describe("an acceleration", () => {
  it("is none where it is off", () => {
    expect(chooseAcceleration(request({ acceleration: "off" }), facts)).toBeUndefined();
  });

  it("allows as many levels as the promise has", () => {
    for (const minPsnr of [30, 34, 40, 60]) {
      const { budget, notices } = chooseAcceleration(request({ minPsnr }), facts)!;
      expect(budget!.total).toBeCloseTo(levelsOf(minPsnr), 12);
      expect(budget!.perGap).toBeLessThan(budget!.total);
      expect(budget!.gains).toBe(calibration.gains);
      expect(notices).toEqual([]);
    }
  });

  it("takes off what the arithmetic costs", () => {
    const { budget, decibelsOf: of } = chooseAcceleration(request({ minPsnr: 34 }), {
      ...facts,
      arithmetic: "int8",
    })!;
    expect(budget!.total).toBeCloseTo(levelsOf(34) - 2, 12);
    expect(of(0)).toBeCloseTo(decibelsOf(2), 12);
  });

  it("is refused where the arithmetic alone does not keep the promise", () => {
    expect(() => chooseAcceleration(request({ minPsnr: 60 }), { ...facts, arithmetic: "int8" })).toThrow(
      "minPsnr must not be 60: computing in int8 alone departs from float32 by about 41.9 dB.",
    );
  });

  it.each([
    ["without a calibration", request(), { ...facts, calibration: undefined }, "not been calibrated"],
    ["with another sampler", request({ sampler: "heun" }), facts, "sampler euler, not with heun"],
    ["with LoRAs", request({ loras: [{ name: "ink" }] }), facts, "LoRAs change the network"],
    ["in unknown arithmetic", request(), { ...facts, arithmetic: "int4" }, "knows nothing of int4"],
    ["of four steps", request({ numSteps: 4 }), facts, "of 4 steps none can be reused"],
    [
      "of four steps without a calibration",
      request({ numSteps: 4 }),
      { ...facts, calibration: undefined },
      "of 4 steps none",
    ],
    ["of four steps that a mask leaves", request({ numSteps: 8, strength: 0.5 }), facts, "of 4 steps none"],
    ["of one step", request({ numSteps: 1 }), facts, "of one step none can be reused"],
  ])("computes every step %s, and says so", (_, resolved, given, notice) => {
    const { budget, notices } = chooseAcceleration(resolved, given)!;
    expect(budget).toBeUndefined();
    expect(notices).toEqual([expect.stringContaining(notice)]);
  });
});

describe("the report", () => {
  const acceleration = chooseAcceleration(request(), facts)!;

  it("sums the steps of all results, and has the estimate of the worst, rounded down", () => {
    const images = [
      { computedSteps: 12, reusedSteps: 16, error: 1 },
      { computedSteps: 14, reusedSteps: 14, error: 2.5 },
    ];
    const report = accelerationReport(acceleration, images, 28);
    expect(report).toEqual({
      computedSteps: 26,
      reusedSteps: 30,
      estimatedPsnr: Math.floor(10 * decibelsOf(2.5)) / 10,
    });
  });

  it("counts every step, without an estimate, where nothing was reused", () => {
    expect(accelerationReport(acceleration, [undefined], 28)).toEqual({
      computedSteps: 28,
      reusedSteps: 0,
      estimatedPsnr: undefined,
    });
  });
});

describe("min_psnr without acceleration", () => {
  it("is refused unless it is the default, which clients send along", () => {
    expect(() => request({ acceleration: "off", minPsnr: 34 })).toThrow(
      "minPsnr must not be given without acceleration.",
    );
    expect(request({ acceleration: "off", minPsnr: 40 }).minPsnr).toBeUndefined();
    expect(() => request({ acceleration: "on" as "off" })).toThrow(
      'acceleration must be off or auto, not "on".',
    );
  });
});

describe("gains", () => {
  it("hold for the worst edit of their noise levels, with a margin", () => {
    const [first, second, third] = gainsOf([
      { band: 0, error: 0.01, levels: 2 },
      { band: 0, error: 0.01, levels: 4 },
      { band: 1, error: 0, levels: 0 },
      { band: 2, error: 0.01, levels: 0 },
    ]);
    expect(first).toEqual({ downTo: 0.9, gain: 500 });
    expect(second!.gain).toBe(1e9);
    expect(third!.gain).toBeGreaterThan(0);
  });
});

describe("a calibration on disk", () => {
  const folder = async (): Promise<string> => {
    const made = await mkdtemp(path.join(tmpdir(), "retouch-calibration-"));
    onTestFinished(() => rm(made, { recursive: true }));
    return made;
  };

  it("is found by the checkpoint, and only by it", async () => {
    const cache = await folder();
    const shipped = await folder();
    const file = await keepCalibration(cache, calibration);
    expect(await findCalibration(cache, calibration.checkpoint, shipped)).toEqual(calibration);
    expect(await findCalibration(cache, "cd".repeat(32), shipped)).toBeUndefined();
    await writeFile(calibrationFile(cache, "cd".repeat(32)), await readFile(file));
    expect(await findCalibration(cache, "cd".repeat(32), shipped)).toBeUndefined();
    expect(await readdir(path.dirname(file))).toHaveLength(2);
  });

  it("takes the place of the one that ships, and gives way to it when damaged", async () => {
    const cache = await folder();
    const shipped = await folder();
    const name = path.basename(calibrationFile(cache, calibration.checkpoint));
    await writeFile(path.join(shipped, name), calibrationText({ ...calibration, edits: 20 }));
    expect((await findCalibration(cache, calibration.checkpoint, shipped))!.edits).toBe(20);
    const file = await keepCalibration(cache, calibration);
    expect((await findCalibration(cache, calibration.checkpoint, shipped))!.edits).toBe(60);
    await writeFile(file, calibrationText(calibration).slice(0, 50));
    expect((await findCalibration(cache, calibration.checkpoint, shipped))!.edits).toBe(20);
  });

  it.each([
    ["no JSON", "{"],
    ["no object", "null"],
    ["a list", "[]"],
    ["another format", JSON.stringify({ ...calibration, format: "x", version: 1 })],
    ["another version", calibrationText(calibration).replace('"version": 1', '"version": 2')],
    ["no gains", calibrationText({ ...calibration, gains: [] })],
    ["gains that do not reach 0", calibrationText({ ...calibration, gains: [{ downTo: 0.5, gain: 1 }] })],
    ["a gain of nothing", calibrationText({ ...calibration, gains: [{ downTo: 0, gain: 0 }] })],
    [
      "gains that rise",
      calibrationText({ ...calibration, gains: [...calibration.gains.toReversed(), { downTo: 0, gain: 1 }] }),
    ],
    ["negative costs", calibrationText({ ...calibration, arithmetic: { fp32: -1 } })],
    ["costs that are no numbers", calibrationText({ ...calibration, arithmetic: { fp32: null as never } })],
  ])("counts for nothing with %s", (_, text) => {
    expect(parseCalibration(Buffer.from(text))).toBeUndefined();
  });
});

it("names what networks compute in", () => {
  expect(arithmeticOf("cpu", "fp32", "float32")).toBe("fp32");
  expect(arithmeticOf("cpu", "int8", "float32")).toBe("int8");
  expect(arithmeticOf("cuda", "fp32", "float16")).toBe("fp32 float16 on cuda");
});
