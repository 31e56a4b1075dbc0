/** What the engine does with the checker's word: a threshold of 0 refuses everything. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { createEngine, type Engine, type EngineSafety } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { Session } from "../../src/runtime/session.ts";
import { createSafetyChecker } from "../../src/safety/checker.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";

const checkpoint = path.join(fixtures, "checkpoints", "plain");
const flagged = refusal(
  "OUTPUT_FLAGGED",
  /^The safety checker refused the result: it looks pornographic \(score 0\.\d{3}, refused from 0\)\.$/,
);

let request: EditRequest;
beforeAll(async () => {
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  request = { image, prompt: "Make the red car blue", seed: 1, numSteps: 1 };
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** An engine of the test's own. */
async function open(safety?: EngineSafety): Promise<Engine> {
  const engine = await createEngine({ checkpoint, threads: 1, safety });
  onTestFinished(() => engine.close());
  return engine;
}

/** The networks that are loaded during `work`. */
async function loadedDuring(work: () => Promise<unknown>): Promise<string[]> {
  const load = vi.spyOn(Session, "load");
  await work();
  const names = load.mock.calls.map(([, { name }]) => name);
  load.mockRestore();
  return names;
}

describe("a result that the checker refuses", () => {
  it("is not handed out, and the engine goes on", async () => {
    const engine = await open({ threshold: 0 });
    await expect(engine.edit(request)).rejects.toEqual(flagged);
    await expect(engine.edit({ ...request, isSafetyChecked: true })).rejects.toEqual(flagged);
    expect(await engine.edit({ ...request, isSafetyChecked: false })).toMatchObject({ width: 64 });
  });

  it("is refused also where the request goes without the check and the engine requires it", async () => {
    const engine = await open({ threshold: 0, isRequired: true });
    await expect(engine.edit({ ...request, isSafetyChecked: false })).rejects.toEqual(flagged);
  });
});

describe("a flagged result that the caller keeps", () => {
  it("is handed out with its mark, by the threshold of the edit", async () => {
    const engine = await open();
    const kept = await engine.edit(request, { isFlaggedKept: true, safetyThreshold: 0 });
    expect(kept.safety).toEqual({ score: expect.any(Number), threshold: 0, isFlagged: true });
    expect(kept.results[0]!.safety).toEqual(kept.safety);
    const passed = await engine.edit(request, { isFlaggedKept: true });
    expect(passed.safety).toEqual({ score: kept.safety!.score, threshold: 0.7 });
    expect(passed.image).toEqual(kept.image);
    await expect(engine.edit(request, { safetyThreshold: 0 })).rejects.toEqual(flagged);
  });
});

describe("a result that passes", () => {
  it("is rated as it is handed out, enlarged, and is the same as without the check", async () => {
    const engine = await open();
    const enlarged = { ...request, size: { width: 320, height: 256 } };
    const { image, safety, parameters } = await engine.edit(enlarged);
    const checker = createSafetyChecker({ threads: 1 });
    const { score, threshold } = await checker.check(await decodePicture(image));
    await checker.close();
    expect(safety).toEqual({ score, threshold });
    expect(parameters.isSafetyChecked).toBe(true);
    const unchecked = await engine.edit({ ...enlarged, isSafetyChecked: false });
    expect(await decodePicture(unchecked.image)).toEqual(await decodePicture(image));
  });
});

describe("the checker", () => {
  it("is loaded by the first edit that is checked, and once", async () => {
    const engine = await open();
    const unchecked = { ...request, isSafetyChecked: false };
    expect(await loadedDuring(() => engine.edit(unchecked))).toEqual([]);
    expect(await loadedDuring(() => engine.edit(request))).toEqual(["safety"]);
    expect(await loadedDuring(() => engine.edit(request))).toEqual([]);
  });

  it.each<[EngineSafety, boolean | undefined]>([
    [{ isOn: true }, false],
    [{ isOn: false }, undefined],
    [{ isOn: false, threshold: 0 }, true],
    [{ isOn: false, isRequired: true }, true],
  ])("is not asked with %o where a request says %o", async (safety, isSafetyChecked) => {
    const engine = await open(safety);
    let result: Awaited<ReturnType<Engine["edit"]>> | undefined;
    const loaded = await loadedDuring(
      async () => (result = await engine.edit({ ...request, isSafetyChecked })),
    );
    expect(loaded).toEqual([]);
    expect(result!.safety).toBeUndefined();
    expect(result!.parameters.isSafetyChecked).toBe(false);
  });

  it("that cannot be loaded ends the edit before its first step", async () => {
    const engine = await open();
    const load = vi.spyOn(Session, "load").mockRejectedValueOnce(new Error("There is no memory left."));
    const onStep = vi.fn<() => void>();
    await expect(engine.edit(request, { onStep })).rejects.toThrow("There is no memory left.");
    expect(onStep).not.toHaveBeenCalled();
    expect(load).toHaveBeenCalledTimes(1);
    expect((await engine.edit(request)).safety).toBeDefined();
  });

  it("that cannot be loaded ends the edit after its first step, where networks are loaded when they are needed", async () => {
    const engine = await createEngine({ checkpoint, threads: 1, isLoadedAhead: false });
    onTestFinished(() => engine.close());
    const onStep = vi.fn<() => void>();
    const names: string[] = [];
    const original = Session.load;
    const load = vi.spyOn(Session, "load").mockImplementation((model, options) => {
      names.push(options.name);
      if (options.name !== "safety") return original.call(Session, model, options);
      return Promise.reject(new Error("There is no memory left."));
    });
    await expect(engine.edit(request, { onStep })).rejects.toThrow("There is no memory left.");
    load.mockRestore();
    expect(onStep).toHaveBeenCalledTimes(1);
    // What comes after the first step was not loaded before it.
    expect(names.filter((name) => name === "vae")).toHaveLength(1);
    expect(names.at(-1)).toBe("safety");
    expect((await engine.edit(request)).safety).toBeDefined();
  });

  it("may not have a threshold beyond 0 to 1, which is said before a checkpoint is loaded", async () => {
    const made = createEngine({ checkpoint: "nowhere", safety: { threshold: 2 } });
    await expect(made).rejects.toEqual(
      refusal("INVALID_PARAMETER", "safety.threshold must be a number from 0 to 1, not 2."),
    );
  });
});
