/** What `auto` stands for: the fewest steps that are near enough by the checkpoint's own curve, or the model's number. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { autoNotices, readAutoSteps } from "../../src/engine/auto-steps.ts";
import { SHIPPED_CHECKPOINT } from "../../src/engine/shipped.ts";
import { resolveParameters } from "../../src/engine/request.ts";
import { openCheckpoint } from "../../src/pipelines/index.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

/** The choices of a checkpoint with this file. */
async function stepsBy(document: unknown) {
  const folder = await copyOfCheckpoint("plain");
  await writeFile(path.join(folder, "steps.json"), JSON.stringify(document));
  return readAutoSteps(await Checkpoint.open(folder));
}

describe("a checkpoint's curve", () => {
  it("gives the fewest steps that are near enough and stay so", async () => {
    const steps = await stepsBy({
      curves: {
        euler: { 4: 20, 8: 39.9, 12: 40, 28: 41 },
        // What is near by chance and then far again does not count.
        heun: { 2: 41, 4: 30, 6: 42 },
        // Out of order, and never near: the nearest.
        dpmpp_2m: { 8: 31, 2: 20, 4: 32 },
      },
    });
    expect(steps).toEqual({ euler: 12, heun: 6, dpmpp_2m: 4 });
  });

  it("may leave out a sampler, and be absent", async () => {
    expect(await stepsBy({ curves: { heun: { 3: 40 } } })).toEqual({ heun: 3 });
    const folder = await copyOfCheckpoint("plain");
    expect(await readAutoSteps(await Checkpoint.open(folder))).toBeUndefined();
  });

  it.each<[unknown]>([
    [{}],
    [{ curves: [] }],
    [{ curves: { euler: {} } }],
    [{ curves: { euler: null } }],
    [{ curves: { euler: { 0: 40 } } }],
    [{ curves: { euler: { 51: 40 } } }],
    [{ curves: { euler: { 1.5: 40 } } }],
    [{ curves: { euler: { 4: "40" } } }],
    [{ curves: { heun: { four: 40 } } }],
  ])("is refused as %j, naming file and field", async (document) => {
    await expect(stepsBy(document)).rejects.toEqual(
      refusal("CHECKPOINT_INVALID", /steps\.json, curves must be decibels by numbers of steps/),
    );
  });
});

describe("auto", () => {
  const request = { prompt: "Make it night", numSteps: "auto" } as const;
  const defaults = { numSteps: 28, guidance: 2, autoSteps: { euler: 12, heun: 5 } };

  it("takes what was measured with the sampler of the edit", () => {
    expect(resolveParameters(request, defaults).numSteps).toBe(12);
    expect(resolveParameters({ ...request, sampler: "heun" }, defaults).numSteps).toBe(5);
    expect(resolveParameters({ ...request, sigmas: [1, 0.5] }, defaults).numSteps).toBe(2);
  });

  it("takes the model's own where nothing was measured, and says so", () => {
    expect(resolveParameters({ ...request, sampler: "dpmpp_2m" }, defaults).numSteps).toBe(28);
    expect(resolveParameters(request).numSteps).toBe(28);
    expect(autoNotices(request, defaults, "dpmpp_2m")).toEqual([
      "How many steps are enough was not measured with dpmpp_2m for this checkpoint, so the edit takes the model's own 28.",
    ]);
    expect(autoNotices(request, defaults, "euler")).toEqual([]);
    expect(autoNotices({ numSteps: 28 }, { numSteps: 28 }, "euler")).toEqual([]);
    expect(autoNotices({ ...request, sigmas: [1] }, { numSteps: 28 }, "euler")).toEqual([]);
  });

  it("is the one word that is taken", () => {
    expect(() => resolveParameters({ ...request, numSteps: "Auto" as "auto" })).toThrow(
      "numSteps must be a whole number from 1 to 50, not Auto.",
    );
  });

  it("is measured for the checkpoint that ships, with every sampler", async () => {
    const { defaults: own } = await openCheckpoint(SHIPPED_CHECKPOINT);
    expect(Object.keys(own.autoSteps!)).toEqual(["euler", "heun", "dpmpp_2m"]);
    const { euler, heun, dpmpp_2m: solver } = own.autoSteps!;
    expect(euler!).toBeLessThan(own.numSteps);
    expect(solver!).toBeLessThanOrEqual(euler!);
    expect(heun!).toBeLessThanOrEqual(euler!);
  });
});
