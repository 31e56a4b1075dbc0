/** Edits with each sampler by a whole engine: passes, masks, a second pass, interruptions, and where one is refused. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { OfferedState } from "../../src/engine/edit-states.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { estimateMs } from "../../src/engine/estimate.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import type { EditOptions, EditResult } from "../../src/engine/run-edit.ts";
import { Networks as KleinNetworks } from "../../src/pipelines/flux2-klein/networks.ts";
import { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { SAMPLERS, type SamplerName } from "../../src/sampling/sampler-names.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

const folders = { kontext: "checkpoints/plain", klein: "klein/checkpoints/odd" };

afterEach(() => {
  vi.restoreAllMocks();
});

async function open(family: keyof typeof folders, checkpoint = path.join(fixtures, folders[family])) {
  const engine = await createEngine({
    checkpoint,
    weights: "fp32",
    batch: 1,
    threads: 1,
    safety: { isOn: false },
  });
  onTestFinished(() => engine.close());
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  const base: EditRequest = { image, prompt: "Make the red car blue", seed: 1, numSteps: 3, guidance: 1 };
  const runs =
    family === "kontext"
      ? vi.spyOn(Networks.prototype, "velocities")
      : vi.spyOn(KleinNetworks.prototype, "velocity");
  const edit = async (
    changes: Partial<EditRequest>,
    how: EditOptions = {},
  ): Promise<{ result: EditResult; passes: number; steps: number[] }> => {
    runs.mockClear();
    const steps: number[] = [];
    const onStep = (step: { step: number }): void => void steps.push(step.step);
    const result = await engine.edit({ ...base, ...changes }, { onStep, ...how });
    return { result, passes: runs.mock.calls.length, steps };
  };
  return { engine, edit };
}

const PASSES: Readonly<Record<SamplerName, number>> = { euler: 3, heun: 5, dpmpp_2m: 3 };

describe.each(["kontext", "klein"] as const)("a sampler of %s", (family) => {
  it("takes the passes that it is said to take, and draws something of its own", async () => {
    const { edit } = await open(family);
    const images = new Set<string>();
    for (const sampler of SAMPLERS) {
      const { result, passes, steps } = await edit({ sampler });
      expect(passes).toBe(PASSES[sampler]);
      expect(steps).toEqual([1, 2, 3]);
      expect(result.parameters).toMatchObject({ sampler, numSteps: 3 });
      images.add(Buffer.from(result.image).toString("base64"));
      const { xmp } = await sharp(result.image).metadata();
      expect(xmp!.includes('sampler="')).toBe(sampler !== "euler");
    }
    expect(images.size).toBe(3);
  });

  it("draws with a second pass, in a mask, and with strength", async () => {
    const { edit } = await open(family);
    const white = { create: { width: 64, height: 64, channels: 3, background: "white" } } as const;
    const mask = await sharp(white).png().toBuffer();
    const second = family === "kontext" ? { negativePrompt: "a hat" } : { guidance: 3 };
    for (const sampler of SAMPLERS) {
      expect((await edit({ sampler, ...second })).passes).toBe(2 * PASSES[sampler]);
      const { passes, steps } = await edit({ sampler, mask, strength: 0.6 });
      expect(steps).toEqual([2, 3]);
      expect(passes).toBe(sampler === "heun" ? 3 : 2);
    }
  });

  it("goes on from the state after any step with the same bytes", async () => {
    const { edit } = await open(family);
    for (const sampler of SAMPLERS) {
      const offered: OfferedState[] = [];
      const whole = await edit({ sampler }, { onState: (state) => void offered.push(state) });
      for (const state of offered.slice(0, 2)) {
        const rest = await edit({ sampler }, { resumeFrom: await state.encode() });
        expect(rest.result.image).toEqual(whole.result.image);
        expect(rest.result.resumedFrom).toBe(3 - rest.steps.length);
      }
      const other = sampler === "euler" ? "heun" : "euler";
      const reasons: string[] = [];
      await edit(
        { sampler: other },
        {
          resumeFrom: await offered[0]!.encode(),
          onResume: (outcome) => outcome.kind === "refused" && reasons.push(outcome.reason),
        },
      );
      expect(reasons).toHaveLength(1);
    }
  });
});

describe("a sampler", () => {
  it.each([
    ["stochastic_sampling", "heun"],
    ["invert_sigmas", "dpmpp_2m"],
  ] as const)("that does not suit %s is refused, and euler is not", async (field, sampler) => {
    const folder = await copyOfCheckpoint("plain");
    const file = path.join(folder, "scheduler", "scheduler_config.json");
    const fields = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...fields, [field]: true }));
    const { edit } = await open("kontext", folder);
    await expect(edit({ sampler })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        `sampler must not be ${sampler}: the checkpoint's scheduler has ${field}, which only euler follows.`,
      ),
    );
    expect((await edit({ sampler: "euler" })).passes).toBe(3);
  });

  it("that nobody knows is refused", async () => {
    const { edit } = await open("kontext");
    await expect(edit({ sampler: "ddim" as "euler" })).rejects.toEqual(
      refusal("INVALID_PARAMETER", 'sampler must be euler, heun or dpmpp_2m, not "ddim".'),
    );
  });

  it("counts in the estimate of an edit by its passes", () => {
    const speed = { nativeArea: 64 * 64, grid: 16, stepMs: 10, fixedMs: 0 };
    const edit = { size: { width: 64, height: 64 }, images: [undefined], guidance: 1, isNegativeUsed: false };
    const msOf = (sampler?: SamplerName): number => estimateMs(speed, { ...edit, numSteps: 8, sampler });
    expect(msOf("heun") / msOf()).toBeCloseTo(15 / 8, 9);
    expect(msOf("dpmpp_2m")).toBe(msOf("euler"));
  });
});
