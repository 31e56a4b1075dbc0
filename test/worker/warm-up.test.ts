import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import type { EditStep } from "../../src/engine/model.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { warmUp } from "../../src/worker/warm-up.ts";

/** Three steps that are said to take 10 ms each, after a first one of 500, and then a refusal. */
const refusing = (error: Error): Pick<Engine, "checkpoint" | "edit"> => ({
  checkpoint: {
    folder: "",
    name: "",
    isDemo: false,
    nativeSize: 128,
    grid: 16,
    scale: { nativeArea: 128 ** 2, grid: 16 },
    weights: { transformer: "fp32", t5: "fp32" },
  },
  async edit(_, { onStep } = {}) {
    for (const seconds of [0.5, 0.51, 0.52]) await onStep?.({ seconds } as EditStep);
    throw error;
  },
});

describe("warming up", () => {
  it("gives a speed also where the threshold refuses the result", async () => {
    const engine = refusing(new RetouchError("OUTPUT_FLAGGED", "The safety checker refused the result."));
    const { stepMs, nativeArea, grid } = await warmUp(engine, { isSafetyChecked: true });
    expect({ nativeArea, grid }).toEqual({ nativeArea: 128 * 128, grid: 16 });
    expect(stepMs).toBeCloseTo(10);
  });

  it("fails with every other failure", async () => {
    const error = new RetouchError("CHECKPOINT_MISSING", "The checker's weights are missing.");
    await expect(warmUp(refusing(error), { isSafetyChecked: true })).rejects.toBe(error);
  });
});
