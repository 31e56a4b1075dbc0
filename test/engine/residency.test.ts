import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { Component } from "../../src/engine/component.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { squareEdit } from "../../src/engine/extent.ts";
import { type MemoryPlan, planMemory } from "../../src/engine/memory-plan.ts";
import { PUBLISHED_PLAN } from "../../src/pipelines/flux1-kontext/published.ts";
import { Residency } from "../../src/engine/residency.ts";
import { input } from "../../src/onnx/graph.ts";
import { relu } from "../../src/onnx/ops.ts";
import { WeightSet } from "../../src/weights/weight-set.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const GB = 1e9;
const folderOf = (name: string): string => path.join(fixtures, "checkpoints", name);
const edit = squareEdit(512);
const COMPONENTS = PUBLISHED_PLAN.components.map(({ name }) => name);

/** Networks of no weights that are taken to be as large as the published ones. */
function residencyOf(plan: MemoryPlan, limitBytes: number, isLoadedAhead?: boolean) {
  const components = COMPONENTS.map((name) => {
    const outputs = { y: relu(input("x", "float32", [1])) };
    const weights = new WeightSet(name, new Map());
    return new Component(name, { outputs, weights, runtime: { threads: 1 } });
  });
  const residency = new Residency(components, plan, limitBytes, isLoadedAhead);
  const run = async (name: string): Promise<string[]> => {
    const component = components.find((one) => one.name === name)!;
    const { y } = await residency.run(component, { x: { data: Float32Array.of(2), shape: [1] } });
    expect([...(y!.data as Float32Array)]).toEqual([2]);
    return loaded();
  };
  const loaded = (): string[] => components.filter((one) => one.isLoaded).map(({ name }) => name);
  return { residency, run, loaded };
}

describe("which networks are loaded", () => {
  it("is all of them, before the first edit, where all fit", async () => {
    const { residency, loaded } = residencyOf(planMemory(PUBLISHED_PLAN, "int8", edit, 64 * GB), 64 * GB);
    const plan = planMemory(PUBLISHED_PLAN, "int8", edit, 64 * GB);
    expect(residency.isWhole).toBe(true);
    await residency.follow(plan);
    expect(loaded()).toEqual([...COMPONENTS]);
    await residency.dispose();
    expect(loaded()).toEqual([]);
  });

  it("is none before it is needed, where that was asked for; what was loaded stays", async () => {
    const plan = planMemory(PUBLISHED_PLAN, "int8", edit, 64 * GB);
    const { residency, run, loaded } = residencyOf(plan, 64 * GB, false);
    await residency.follow(plan);
    expect(loaded()).toEqual([]);
    await run("t5");
    await residency.follow(plan);
    expect(await run("clip")).toEqual(
      ["clip", "t5"].toSorted((a, b) => COMPONENTS.indexOf(a) - COMPONENTS.indexOf(b)),
    );
  });

  it("is one large one at a time where they do not fit beside each other", async () => {
    const plan = planMemory(PUBLISHED_PLAN, "int8", edit, 12 * GB);
    const { residency, run, loaded } = residencyOf(plan, 12 * GB);
    await residency.follow(plan);
    expect(loaded()).toEqual([]);
    await run("clip");
    await run("t5");
    await run("encoder");
    await run("modulation");
    // Nine tenths of what networks may take together: everything else makes room for it.
    expect(await run("transformer")).toEqual(["transformer"]);
    expect(await run("transformer")).toEqual(["transformer"]);
    expect(await run("t5")).toEqual(["t5"]);
  });

  it("is the transformer all the time where text encoders come and go beside it", async () => {
    const plan = planMemory(PUBLISHED_PLAN, "int8", edit, 22 * GB);
    const { run } = residencyOf(plan, 22 * GB);
    for (const name of COMPONENTS) await run(name);
    // A second edit: what is in the way is the modulation's network, and later T5.
    expect(await run("t5")).toEqual(expect.arrayContaining(["t5", "transformer"]));
    expect(await run("modulation")).toContain("transformer");
    expect(await run("transformer")).toContain("transformer");
  });

  it("makes no difference to the picture, nor to a second edit, a preview and a sketch", async () => {
    const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    const request = { image, prompt: "a red square", negativePrompt: "blue", numSteps: 2, seed: 3 };
    const edits = async (memoryLimit?: number): Promise<Uint8Array[]> => {
      const options = { checkpoint: folderOf("plain"), weights: "fp32", threads: 1, memoryLimit } as const;
      const engine = await createEngine({ ...options, safety: { isOn: false } });
      const seen: Uint8Array[] = [];
      for (const isSketched of [true, false]) {
        const { image: edited } = await engine.edit(request, {
          isSketched,
          async onStep({ sketch, preview }) {
            seen.push(...(await Promise.all([sketch(), preview()])).map(({ data }) => data));
          },
        });
        seen.push(edited);
      }
      await engine.close();
      return seen;
    };
    // Just above what an edit needs at least: no two networks at a time.
    expect(await edits(260 * 2 ** 20)).toEqual(await edits());
  });
});

describe("an engine", () => {
  it("refuses an edit for which there is not enough memory, and a limit that is none", async () => {
    const checkpoint = folderOf("plain");
    const engine = await createEngine({ checkpoint, threads: 1, memoryLimit: 100e6 });
    const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    await expect(engine.edit({ image, prompt: "a red square" })).rejects.toEqual(
      refusal(
        "MEMORY_INSUFFICIENT",
        /^An edit at 64x64 needs about \d+ MB of memory with fp32 weights, and 100 MB may be used/,
      ),
    );
    await engine.close();
    await expect(createEngine({ checkpoint, memoryLimit: 0 })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "memoryLimit must be a number above 0, not 0."),
    );
  });
});
