/** What programs may ask of the recipe beside prompt, steps and guidance, against the reference's latents. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { OfferedState, ResumeOutcome } from "../../src/engine/edit-states.ts";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine/engine.ts";
import type { FloatTensor } from "../../src/engine/given-tensors.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { decodePicture } from "../../src/images/decode.ts";
import type { EditStep } from "../../src/engine/model.ts";
import { difference } from "../support/compare.ts";
import { type FixtureTensor, fixtures, readJson, readTensors } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { copyOfCheckpoint } from "../support/temporary.ts";

/** As allowed for whole loops in `parity.test.ts`. */
const TOLERANCE = 2e-4;
const TENSORS = [
  "promptEmbeds",
  "pooledPromptEmbeds",
  "negativePromptEmbeds",
  "negativePooledPromptEmbeds",
  "latents",
];

/** An edit in the engine's names, and fields of the scheduler. */
type Call = Omit<EditRequest, "image"> & { scheduler?: object; embeds?: number; negativeEmbeds?: number };

const calls = Object.entries(readJson<Record<string, Call>>("recipe.json"));
let tensors: Map<string, FixtureTensor>;
let image: Uint8Array;
beforeAll(async () => {
  tensors = await readTensors("recipe.safetensors");
  image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
});

async function open(scheduler: object = {}, options: EngineOptions = {}): Promise<Engine> {
  const checkpoint = await copyOfCheckpoint("plain");
  const file = path.join(checkpoint, "scheduler", "scheduler_config.json");
  const fields = JSON.parse(await readFile(file, "utf8")) as object;
  await writeFile(file, JSON.stringify({ ...fields, ...scheduler }));
  const engine = await createEngine({
    checkpoint,
    weights: "fp32",
    threads: 1,
    safety: { isOn: false },
    ...options,
  });
  onTestFinished(() => engine.close());
  return engine;
}

const tensorOf = (name: string): FloatTensor | undefined => tensors.get(name) as FloatTensor | undefined;

function requestOf(name: string): EditRequest {
  const { scheduler: _, embeds, negativeEmbeds: __, prompt, ...fields } = Object.fromEntries(calls)[name]!;
  const given = Object.fromEntries(TENSORS.map((field) => [field, tensorOf(`${name}.${field}`)]));
  return { image, ...fields, ...(embeds === undefined && { prompt }), ...given };
}

describe.each(calls)("the edit %s", (name, { scheduler, numImagesPerPrompt: count }) => {
  it("ends with the reference's latents", async () => {
    const engine = await open(scheduler);
    const { latents, parameters } = await engine.editToLatents(requestOf(name));
    const expected = tensorOf(`${name}.result`)!;
    expect(latents.shape).toEqual(expected.shape);
    expect(latents.shape[0]).toBe(count);
    expect(difference(latents.data, expected.data).relative).toBeLessThanOrEqual(TOLERANCE);
    expect(parameters.numSteps).toBe(requestOf(name).sigmas?.length ?? 3);
  });
});

describe("several images of one draw", () => {
  it("are all returned, with their steps, and go on from any of them to the same bytes", async () => {
    const engine = await open();
    const request = requestOf("three-images");
    const steps: EditStep[] = [];
    const states: OfferedState[] = [];
    const { images, image: first } = await engine.edit(request, {
      onStep: (step) => void steps.push(step),
      onState: (state) => void states.push(state),
    });
    const kept = await Promise.all(states.map((state) => state.encode()));
    expect(images).toHaveLength(3);
    expect(images[0]).toBe(first);
    expect(new Set(images.map((bytes) => Buffer.from(bytes).toString("base64"))).size).toBe(3);
    expect(steps.map(({ image: index, step }) => `${index}:${step}`)).toEqual([
      "0:1",
      "0:2",
      "0:3",
      "1:1",
      "1:2",
      "1:3",
      "2:1",
      "2:2",
      "2:3",
    ]);
    expect(states.map(({ step, of, isImageFinished }) => [step, of, isImageFinished])).toEqual(
      Array.from({ length: 9 }, (_, index) => [index + 1, 9, index % 3 === 2]),
    );
    for (const [index, resumeFrom] of kept.entries()) {
      const taken: EditStep[] = [];
      const rest = await engine.edit(request, { resumeFrom, onStep: (step) => void taken.push(step) });
      expect(rest.resumedFrom).toBe(index + 1);
      expect(taken).toHaveLength(8 - index);
      expect(rest.images).toEqual(images);
    }

    const alone: OfferedState[] = [];
    await engine.edit({ ...request, numImagesPerPrompt: 1 }, { onState: (state) => void alone.push(state) });
    const outcomes: ResumeOutcome[] = [];
    await engine.edit(request, {
      resumeFrom: await alone[0]!.encode(),
      onResume: (outcome) => outcomes.push(outcome),
    });
    expect(outcomes).toEqual([{ kind: "refused", reason: "is of one image where 3 are wanted" }]);
  });
});

describe("an interrupted edit", () => {
  it.each(["stochastic", "embeds-guided", "given-latents-stochastic", "sigmas", "longer-text"])(
    "with %s goes on to the same latents",
    async (name) => {
      const engine = await open(Object.fromEntries(calls)[name]!.scheduler);
      const states: Uint8Array[] = [];
      const request = requestOf(name);
      const whole = await engine.editToLatents(request, {
        onState: async (state) => void states.push(await state.encode()),
      });
      for (const resumeFrom of states) {
        const rest = await engine.editToLatents(request, { resumeFrom });
        expect(rest.resumedFrom).toBeGreaterThan(0);
        expect(rest.latents).toEqual(whole.latents);
      }
    },
  );

  it("does not go on with other tensors", async () => {
    const engine = await open();
    const request = requestOf("embeds");
    const states: Uint8Array[] = [];
    await engine.edit(request, { onState: async (state) => void states.push(await state.encode()) });
    const { promptEmbeds } = requestOf("embeds-guided");
    const data = promptEmbeds!.data.map((value) => value + 1);
    const { resumedFrom } = await engine.edit(
      { ...request, promptEmbeds: { ...promptEmbeds!, data } },
      { resumeFrom: states[0]! },
    );
    expect(resumedFrom).toBeUndefined();
  });
});

describe("an empty negative prompt", () => {
  it("costs nothing unless it is to count", async () => {
    const engine = await open();
    const { isEmptyNegativeUsed: _, ...request } = requestOf("empty-negative");
    const without = await engine.edit({ ...request, negativePrompt: "" });
    expect(without.parameters.trueCfgScale).toBe(1);
    const withIt = await engine.edit(requestOf("empty-negative"));
    expect(withIt.parameters).toMatchObject({ trueCfgScale: 2.5, isEmptyNegativeUsed: true });
    expect(withIt.image).not.toEqual(without.image);
    const atOne = await engine.edit({ ...requestOf("empty-negative"), trueCfgScale: 1 });
    expect(await decodePicture(atOne.image)).toEqual(await decodePicture(without.image));
  });
});

describe("latents as a result", () => {
  it("are checked as an image where the engine requires it", async () => {
    const engine = await open({}, { safety: { isRequired: true, threshold: 1 } });
    const { safety, latents } = await engine.editToLatents(requestOf("three-images"));
    expect(safety?.threshold).toBe(1);
    expect(difference(latents.data, tensorOf("three-images.result")!.data).relative).toBeLessThan(TOLERANCE);
    const strict = await open({}, { safety: { isRequired: true, threshold: 0 } });
    await expect(strict.editToLatents(requestOf("karras"))).rejects.toMatchObject({ code: "OUTPUT_FLAGGED" });
  });

  it("are refused where these steps have no noise levels", async () => {
    const engine = await open({ shift_terminal: 0.1 });
    await expect(engine.editToLatents({ ...requestOf("sigmas"), sigmas: [1] })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "sigmas must not be [1]: the checkpoint's scheduler gives no noise levels for it.",
      ),
    );
  });
});

describe("a checkpoint's scheduler", () => {
  it("is of the class that the index names, whatever its own file says", async () => {
    const engine = await open({ _class_name: "EulerDiscreteScheduler", use_karras_sigmas: true });
    const { latents } = await engine.editToLatents(requestOf("karras"));
    expect(difference(latents.data, tensorOf("karras.result")!.data).relative).toBeLessThan(TOLERANCE);
  });

  it("is refused by name if the index names another one", async () => {
    const checkpoint = await copyOfCheckpoint("plain");
    const file = path.join(checkpoint, "model_index.json");
    const index = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...index, scheduler: ["diffusers", "UniPCMultistepScheduler"] }));
    await expect(createEngine({ checkpoint })).rejects.toEqual(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In ${file}, scheduler is a "UniPCMultistepScheduler"; a FlowMatchEulerDiscreteScheduler is wanted.`,
      ),
    );
  });
});

describe("tensors of another size than the checkpoint's", () => {
  const zeros = (...shape: number[]): FloatTensor => ({
    data: new Float32Array(shape.reduce((size, dim) => size * dim, 1)),
    shape,
  });

  it.each([true, false])(
    "are refused with the size that is wanted, beside a prompt: %s",
    async (hasPrompt) => {
      const engine = await open();
      const { prompt, ...rest } = requestOf("embeds");
      const request = hasPrompt ? { ...rest, prompt } : rest;
      const refused = async (fields: Partial<EditRequest>): Promise<string> =>
        engine.edit({ ...request, ...fields }).then(
          () => "taken",
          (error: Error) => error.message,
        );
      expect(await refused({ promptEmbeds: zeros(10, 23) })).toBe(
        "promptEmbeds must be a tensor of the shape [L, 24] here, not [10, 23].",
      );
      expect(await refused({ pooledPromptEmbeds: zeros(17) })).toBe(
        "pooledPromptEmbeds must be a tensor of the shape [1, 16] here, not [1, 17].",
      );
      expect(await refused({ latents: zeros(15, 16) })).toBe(
        "latents must be a tensor of the shape [16, 16] here, not [15, 16].",
      );
    },
  );
});

describe("an autoencoder whose author chose no size", () => {
  it.each([{}, { sample_size: 32 }])("is drawn with at 1024*1024 at most: %j", async (size) => {
    const checkpoint = await copyOfCheckpoint("plain");
    const file = path.join(checkpoint, "vae", "config.json");
    const { sample_size: _, ...fields } = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...fields, ...size }));
    const engine = await createEngine({ checkpoint, weights: "fp32", threads: 1, safety: { isOn: false } });
    onTestFinished(() => engine.close());
    expect(engine.checkpoint.nativeSize).toBe(1024);
    const { workingSize } = await engine.edit({
      image,
      prompt: "a hat",
      size: { width: 160, height: 96 },
      numSteps: 1,
    });
    expect(workingSize).toEqual({ width: 160, height: 96 });
  });
});
