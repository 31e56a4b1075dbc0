/** Images that are drawn together: the same bytes as alone, the same steps, and the same states. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createEngine, type EditRequest, type Engine, type EngineOptions } from "../../src/index.ts";
import type { OfferedState } from "../../src/engine/edit-states.ts";
import type { EditOptions } from "../../src/engine/run-edit.ts";
import { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const checkpoint = path.join(fixtures, "checkpoints", "plain");
const loras = { peft: path.join(fixtures, "loras", "peft.safetensors") };
const open = (options: EngineOptions): Promise<Engine> =>
  createEngine({ checkpoint, threads: 1, weights: "fp32", safety: { isOn: false }, loras, ...options });

let alone: Engine;
let together: Engine;
let base: EditRequest;
beforeAll(async () => {
  [alone, together] = [await open({ batch: 1 }), await open({ batch: 4 })];
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  base = { image, prompt: "Make the red car blue", seed: 1, numSteps: 4 };
});
afterAll(() => Promise.all([alone.close(), together.close()]));
afterEach(() => {
  vi.restoreAllMocks();
});

/** Results, their steps, and how many images each run of the transformer had. */
async function edited(on: Engine, request: Partial<EditRequest>, options: EditOptions = {}) {
  const velocities = vi.spyOn(Networks.prototype, "velocities");
  const steps: [image: number | undefined, step: number][] = [];
  const result = await on.edit(
    { ...base, ...request },
    { ...options, onStep: ({ image, step }) => void steps.push([image, step]) },
  );
  const sizes = velocities.mock.calls.map(([inputs]) => inputs.length);
  velocities.mockRestore();
  return { images: result.images, steps, sizes };
}

const NEGATIVE = { negativePrompt: "blurry", trueCfgScale: 2 };

describe("the images of an edit, several in a run", () => {
  it.each<[string, Partial<EditRequest>]>([
    ["of one prompt", {}],
    ["away from a negative prompt", NEGATIVE],
    ["with heun", { sampler: "heun" }],
    ["with dpmpp_2m", { sampler: "dpmpp_2m" }],
    ["with LoRAs", { loras: [{ name: "peft", scale: 0.8 }] }],
    ["inside a mask", { mask: new Uint8Array(), strength: 0.6 }],
    ["with accelerated steps", { acceleration: "auto", numSteps: 8 }],
  ])("have the bytes that they have alone: %s", async (_, { ...request }) => {
    if ("mask" in request) request.mask = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    request.numImages = 3;
    const expected = await edited(alone, request);
    const actual = await edited(together, request);
    expect(expected.sizes.every((size) => size === 1)).toBe(true);
    expect(actual.sizes.some((size) => size > 1)).toBe(true);
    expect(actual.images.map((image, index) => Buffer.compare(image, expected.images[index]!))).toEqual([
      0, 0, 0,
    ]);
    // Each image's steps, whatever their order.
    const ofImage = (steps: typeof actual.steps, image: number) => steps.filter(([one]) => one === image);
    for (const image of [0, 1, 2])
      expect(ofImage(actual.steps, image)).toEqual(ofImage(expected.steps, image));
  });

  it("are drawn step by step, and a single one with both of its passes", async () => {
    await edited(together, { numImages: 4 });
    const { steps, sizes } = await edited(together, { numImages: 4, numSteps: 2 });
    expect(steps).toEqual([0, 1, 2, 3, 0, 1, 2, 3].map((image, index) => [image, index < 4 ? 1 : 2]));
    expect(sizes).toEqual([4, 4]);
    await edited(together, NEGATIVE);
    expect((await edited(together, { ...NEGATIVE, numSteps: 2 })).sizes).toEqual([2, 2]);
  });

  it("go on from a state of each", async () => {
    const request = { numImages: 3, numSteps: 3 };
    const states: OfferedState[] = [];
    const { images } = await edited(together, request, { onState: (state) => void states.push(state) });
    expect(states.map(({ step, of }) => [step, of])).toEqual(
      Array.from({ length: 9 }, (_, index) => [index + 1, 9]),
    );
    for (const state of [states[0]!, states[3]!, states[4]!, states[7]!]) {
      const bytes = await state.encode();
      for (const engine of [together, alone]) {
        const onResume = vi.fn<NonNullable<EditOptions["onResume"]>>();
        const again = await edited(engine, request, { resumeFrom: bytes, onResume });
        expect(onResume.mock.calls).toEqual([[{ kind: "resumed", step: state.step }]]);
        expect(again.steps).toHaveLength(9 - state.step);
        expect(again.images.map((image, index) => Buffer.compare(image, images[index]!))).toEqual([0, 0, 0]);
      }
    }
  });

  it("are all given up when the edit is cancelled, or its listener fails", async () => {
    const controller = new AbortController();
    const onStep = vi.fn<() => void>(() => controller.abort());
    const cancelled = together.edit({ ...base, numImages: 4 }, { signal: controller.signal, onStep });
    await expect(cancelled).rejects.toThrow(refusal("ABORTED", "The edit was cancelled.") as Error);
    expect(onStep).toHaveBeenCalledTimes(1);
    const failing = together.edit(
      { ...base, numImages: 4 },
      {
        onStep() {
          throw new Error("no more");
        },
      },
    );
    await expect(failing).rejects.toThrow("no more");
    // The next edit meets none of them.
    expect((await edited(together, { numSteps: 1 })).sizes).toEqual([1]);
  });
});

it("is measured by turns, and nothing is tried once it is known", async () => {
  const cacheFolder = await temporaryFolder();
  const engine = await open({ batch: "auto", cacheFolder });
  const sizes: number[] = [];
  for (let edit = 0; edit < 4; edit += 1)
    sizes.push(...(await edited(engine, { numImages: 2, numSteps: 8 })).sizes);
  const [{ shape, sizes: found, unequal }] = engine.batches.found as [Engine["batches"]["found"][number]];
  expect(shape).toMatch(/^\d+\+\d+\+\d+$/);
  expect(found.map(({ size }) => size)).toEqual([1, 2]);
  expect(found.every(({ runs }) => runs >= 5)).toBe(true);
  expect(unequal).toEqual([]);
  const [one, two] = found as unknown as [{ seconds: number }, { seconds: number }];
  const isFaster = two.seconds / 2 < 0.97 * one.seconds;
  expect(sizes.at(-1)).toBe(isFaster ? 2 : 1);
  await engine.close();
  // Another process on this machine need not find it out again.
  const next = await open({ batch: "auto", cacheFolder });
  expect(new Set((await edited(next, { numImages: 2 })).sizes)).toEqual(new Set([isFaster ? 2 : 1]));
  expect(next.batches.found.map((one) => one.shape)).toEqual([shape]);
  await next.close();
});

it("takes one image where it is told so, and no other number than there is", async () => {
  await expect(open({ batch: 5 })).rejects.toThrow(
    refusal("INVALID_PARAMETER", "batch must be auto, 1, 2, 3, 4, not 5.") as Error,
  );
});
