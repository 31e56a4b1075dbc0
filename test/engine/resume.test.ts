/** Interrupted edits that go on: the bytes of an undisturbed run, from any step, and what else must not happen. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { OfferedState, ResumeOutcome } from "../../src/engine/edit-states.ts";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import type { EditResult } from "../../src/engine/run-edit.ts";
import { decodeState, type EditState, encodeState } from "../../src/engine/state-file.ts";
import { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { fixtures } from "../support/fixtures.ts";
import { changeSafetensors } from "../support/safetensors.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

const folderOf = (name: string): string => path.join(fixtures, "checkpoints", name);
const loras = Object.fromEntries(
  ["peft", "control"].map((name) => [name, path.join(fixtures, "loras", `${name}.safetensors`)]),
);
const open = (options: EngineOptions = {}): Promise<Engine> =>
  createEngine({
    checkpoint: folderOf("plain"),
    threads: 1,
    batch: 1,
    safety: { isOn: false },
    loras,
    ...options,
  });

let engine: Engine;
let base: EditRequest;
beforeAll(async () => {
  engine = await open();
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  base = { image, prompt: "Make the red car blue", seed: 1, numSteps: 3 };
});
afterAll(() => engine.close());
afterEach(() => {
  vi.restoreAllMocks();
});

/** A run that is not disturbed, and its states. */
async function whole(
  request: Partial<EditRequest> = {},
  on = engine,
): Promise<{ result: EditResult; states: Uint8Array[] }> {
  const offered: OfferedState[] = [];
  const result = await on.edit({ ...base, ...request }, { onState: (state) => void offered.push(state) });
  return { result, states: await Promise.all(offered.map((state) => state.encode())) };
}

async function resumed(
  resumeFrom: Uint8Array,
  request: Partial<EditRequest> = {},
  on = engine,
): Promise<{ result: EditResult; outcomes: ResumeOutcome[]; steps: number[]; passes: number }> {
  const velocity = vi.spyOn(Networks.prototype, "velocities");
  const outcomes: ResumeOutcome[] = [];
  const steps: number[] = [];
  const result = await on.edit(
    { ...base, ...request },
    {
      resumeFrom,
      onResume: (outcome) => outcomes.push(outcome),
      onStep: ({ step }) => void steps.push(step),
    },
  );
  const passes = velocity.mock.calls.length;
  velocity.mockRestore();
  return { result, outcomes, steps, passes };
}

const changed = (state: Uint8Array, changes: Partial<EditState>): Uint8Array =>
  encodeState({ ...decodeState(state), ...changes });

describe("an interrupted edit", () => {
  it.each<[string, Partial<EditRequest>]>([
    ["of the image's own size", {}],
    ["of another shape", { size: { width: 96, height: 48 } }],
    ["larger than the network's own size", { size: { width: 200, height: 120 } }],
    ["with a negative prompt", { negativePrompt: "a green car", trueCfgScale: 3 }],
    ["with LoRAs", { loras: [{ name: "peft", scale: 0.7 }, { name: "control" }] }],
    ["that keeps what is unchanged", { isUnchangedKept: true }],
    ["in JPEG, with five steps", { format: "jpeg", numSteps: 5 }],
    ["in one step", { numSteps: 1 }],
  ])("%s gives the same bytes from any step, and takes the steps that were left", async (_, request) => {
    const { result, states } = await whole(request);
    const numSteps = Number(request.numSteps ?? 3);
    expect(states).toHaveLength(numSteps);
    expect(result.resumedFrom).toBeUndefined();
    for (const [index, state] of states.entries()) {
      const step = index + 1;
      const again = await resumed(state, request);
      expect(Buffer.compare(again.result.image, result.image)).toBe(0);
      expect(again.outcomes).toEqual([{ kind: "resumed", step }]);
      expect(again.steps).toEqual(Array.from({ length: numSteps - step }, (__, at) => step + at + 1));
      expect(again.passes).toBe((numSteps - step) * (request.negativePrompt === undefined ? 1 : 2));
      expect(again.result).toMatchObject({ resumedFrom: step, notices: result.notices });
    }
  });

  it("with several results gives the same bytes from any step, and draws only those that were not finished", async () => {
    const { result, states } = await whole({ numImages: 3, numSteps: 2, isUnchangedKept: true });
    expect(states).toHaveLength(6);
    for (const [index, state] of states.entries()) {
      const again = await resumed(state, { numImages: 3, numSteps: 2, isUnchangedKept: true });
      expect(again.result.images).toEqual(result.images);
      expect(again.outcomes).toEqual([{ kind: "resumed", step: index + 1 }]);
      expect(again.passes).toBe(5 - index);
      expect(again.result).toMatchObject({ resumedFrom: index + 1, notices: result.notices });
    }
  });

  it("with several results may be interrupted again in a later one", async () => {
    const request = { ...base, numImages: 3, numSteps: 2 };
    const { result, states } = await whole(request);
    const offered: OfferedState[] = [];
    await engine.edit(request, { resumeFrom: states[0]!, onState: (state) => void offered.push(state) });
    expect(offered.map(({ step, of }) => [step, of])).toEqual([2, 3, 4, 5, 6].map((step) => [step, 6]));
    for (const [index, state] of offered.entries()) {
      const bytes = await state.encode();
      expect(Buffer.compare(bytes, states[index + 1]!)).toBe(0);
      expect((await resumed(bytes, request)).result.images).toEqual(result.images);
    }
  });

  it("gives the same bytes in another process's engine, and after a second interruption", async () => {
    const { result, states } = await whole({ numSteps: 5 });
    const other = await open();
    onTestFinished(() => other.close());
    const offered: OfferedState[] = [];
    await other.edit(
      { ...base, numSteps: 5 },
      { resumeFrom: states[0]!, onState: (state) => void offered.push(state) },
    );
    expect(offered.map(({ step, of }) => [step, of])).toEqual([2, 3, 4, 5].map((step) => [step, 5]));
    const later = await offered[1]!.encode();
    expect(Buffer.compare(later, states[2]!)).toBe(0);
    const again = await resumed(later, { numSteps: 5 });
    expect(Buffer.compare(again.result.image, result.image)).toBe(0);
  });

  it.each<[string, EngineOptions]>([
    ["float32", {}],
    ["8 bits", { weights: "int8" }],
    ["4 bits", { weights: "int4" }],
  ])("in %s may go on with another number of threads: they change no number", async (_, options) => {
    const images: Uint8Array[] = [];
    const latents: Float32Array[] = [];
    for (const threads of [1, 2, 3]) {
      const own = await open({ ...options, checkpoint: folderOf("odd"), loras: {}, threads });
      const { result, states } = await whole({ size: { width: 104, height: 88 } }, own);
      images.push(result.image);
      latents.push(decodeState(states.at(-1)!).latents);
      await own.close();
    }
    expect(latents[1]).toEqual(latents[0]);
    expect(latents[2]).toEqual(latents[0]);
    expect(new Set(images.map((image) => Buffer.from(image).toString("base64"))).size).toBe(1);
  });
});

describe("what was computed elsewhere", () => {
  it("goes on, and the result says for good that its bytes may differ", async () => {
    const { result, states } = await whole();
    const { environment } = decodeState(states[0]!);
    const elsewhere = changed(states[0]!, {
      environment: { ...environment, build: "0.9.0", processor: "another processor" },
    });
    const sentence =
      "This edit was interrupted and went on with another version of Retouch and another kind of processor: " +
      "its bytes may differ from those of an undisturbed run.";
    const offered: OfferedState[] = [];
    const options = { resumeFrom: elsewhere, onState: (state: OfferedState) => void offered.push(state) };
    const once = await engine.edit(base, options);
    expect(once.notices).toEqual([...result.notices, sentence]);
    expect(once.resumedFrom).toBe(1);
    // From here on nothing differs any more, but the first step was computed elsewhere.
    const twice = await resumed(await offered[0]!.encode());
    expect(twice.result.notices).toEqual([...result.notices, sentence]);
  });

  it("names this build, runtime, processor, device, weights and tiles, and no thread or folder", async () => {
    const { states } = await whole();
    const { environment } = decodeState(states[0]!);
    expect(environment).toEqual({
      build: expect.stringMatching(/^\d+\.\d+\.\d+\S* [0-9a-f]{16}$/),
      runtime: expect.stringMatching(/^onnxruntime \d+\.\d+\.\d+, Node v\d+/),
      processor: expect.any(String),
      device: "cpu float32",
      weights: "fp32",
      tiles: expect.any(String),
    });
  });
});

describe("a state that cannot be used", () => {
  const ANEW = { steps: [1, 2, 3], passes: 3 };

  it.each<[string, Partial<EditRequest>]>([
    ["prompt", { prompt: "Make the red car green" }],
    ["seed", { seed: 2 }],
    ["guidance", { guidance: 3 }],
    ["size", { size: { width: 96, height: 64 } }],
    ["negative prompt", { negativePrompt: "a green car" }],
    ["LoRA", { loras: [{ name: "peft" }] }],
  ])("because it has another %s leaves the edit as it is without it", async (_, request) => {
    const { states } = await whole();
    const { result } = await whole(request);
    const again = await resumed(states[1]!, request);
    expect(again.outcomes).toEqual([
      { kind: "refused", reason: "belongs to another edit, or to another checkpoint" },
    ]);
    expect(again.steps).toEqual(ANEW.steps);
    expect(Buffer.compare(again.result.image, result.image)).toBe(0);
    expect(again.result.resumedFrom).toBeUndefined();
  });

  it("because it has another number of results does so, too", async () => {
    const { states } = await whole({ numImages: 2 });
    for (const numImages of [1, 3]) {
      const { outcomes, passes } = await resumed(states[3]!, { numImages });
      expect(outcomes).toEqual([
        { kind: "refused", reason: "belongs to another edit, or to another checkpoint" },
      ]);
      expect(passes).toBe(3 * numImages);
    }
    const again = await resumed(changed(states[3]!, { numImages: 3 }), { numImages: 2 });
    expect(again.outcomes).toEqual([{ kind: "refused", reason: "is of 3 images where 2 are wanted" }]);
  });

  it("because it has another image or number of steps does so, too", async () => {
    const { states } = await whole();
    const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    // One more byte after the end of the file: the same pixels, but not the same image.
    const again = await resumed(states[1]!, { image: Buffer.concat([image, Buffer.of(0)]) });
    expect(again.outcomes).toMatchObject([{ kind: "refused" }]);
    expect((await resumed(states[1]!, { numSteps: 4 })).steps).toEqual([1, 2, 3, 4]);
  });

  it("because its checkpoint was trained further, in one tensor of the same name and shape, does so, too", async () => {
    const { states } = await whole();
    const folder = await copyOfCheckpoint("plain");
    await changeSafetensors(
      path.join(folder, "transformer", "diffusion_pytorch_model.safetensors"),
      (tensors) => {
        const [name] = Object.keys(tensors).toSorted();
        const { bytes } = tensors[name!]!;
        tensors[name!]!.bytes = Uint8Array.from(bytes, (byte) => byte ^ 1);
      },
    );
    const other = await open({ checkpoint: folder });
    onTestFinished(() => other.close());
    const again = await resumed(states[1]!, {}, other);
    expect(again.outcomes).toMatchObject([{ kind: "refused" }]);
    expect(again.steps).toEqual(ANEW.steps);
  });

  it("is used by the same checkpoint in another folder", async () => {
    const { result, states } = await whole();
    const other = await open({ checkpoint: await copyOfCheckpoint("plain") });
    onTestFinished(() => other.close());
    const again = await resumed(states[1]!, {}, other);
    expect(again.outcomes).toEqual([{ kind: "resumed", step: 2 }]);
    expect(again.result.notices).toEqual(result.notices);
  });

  it.each<[string, (state: Uint8Array) => Uint8Array, string]>([
    ["nothing", () => new Uint8Array(), "is damaged"],
    ["half of it", (state) => state.subarray(0, state.length / 2), "is damaged"],
    ["one bit changed", (state) => Uint8Array.from(state, (byte, at) => (at === 900 ? byte ^ 4 : byte)), ""],
    [
      "latents of another shape",
      (state) => {
        const { latents } = decodeState(state);
        return changed(state, { latents: latents.slice(0, 64), latentShape: [1, 64] });
      },
      "has latents [1, 64] where [",
    ],
  ])("because of %s leaves the edit as it is without it", async (_, damage, reason) => {
    const { result, states } = await whole();
    const again = await resumed(damage(states[1]!));
    expect(again.outcomes).toEqual([{ kind: "refused", reason: expect.stringContaining(reason) }]);
    expect(again).toMatchObject(ANEW);
    expect(Buffer.compare(again.result.image, result.image)).toBe(0);
  });
});
