/** Edits with FLUX.2 [klein] by a whole engine: what programs may ask of it, and what it says where it has no effect. */
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { OfferedState } from "../../src/engine/edit-states.ts";
import { Components } from "../../src/engine/components.ts";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine/engine.ts";
import type { FloatTensor } from "../../src/engine/given-tensors.ts";
import type { EditStep } from "../../src/engine/model.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import { Networks } from "../../src/pipelines/flux2-klein/networks.ts";
import { referenceSizes } from "../../src/pipelines/flux2-klein/reference-sizes.ts";
import { Session } from "../../src/runtime/session.ts";
import { difference, psnr } from "../support/compare.ts";
import { fixtures, readTensors } from "../support/fixtures.ts";
import { kleinCases } from "../support/klein-cases.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const folderOf = (name: string): string => path.join(fixtures, "klein", "checkpoints", name);
const open = (name: string, options: EngineOptions = {}): Promise<Engine> =>
  createEngine({ checkpoint: folderOf(name), threads: 1, safety: { isOn: false }, ...options });

let distilled: Engine;
let undistilled: Engine;
let square: Uint8Array;
let wide: Uint8Array;
let base: EditRequest;
beforeAll(async () => {
  [distilled, undistilled] = await Promise.all([open("plain"), open("odd")]);
  square = await readFile(path.join(fixtures, "klein", "pictures", "scene-64x64.png"));
  wide = await readFile(path.join(fixtures, "klein", "pictures", "scene-96x64.png"));
  base = { image: square, prompt: "Make the red car blue", seed: 1, numSteps: 2, maxSequenceLength: 32 };
});
afterAll(() => Promise.all([distilled.close(), undistilled.close()]));
afterEach(() => {
  vi.restoreAllMocks();
});

/** How often the transformer runs during `work`. */
async function countRuns(work: () => Promise<unknown>): Promise<number> {
  const velocity = vi.spyOn(Networks.prototype, "velocity");
  await work();
  const { length } = velocity.mock.calls;
  velocity.mockRestore();
  return length;
}

describe("an edit with klein", () => {
  it("takes the model's own steps and guidance where it does not choose", async () => {
    const { numSteps: _, ...own } = base;
    const { parameters, notices } = await distilled.edit(own);
    expect(parameters).toMatchObject({ numSteps: 4, guidance: 1, trueCfgScale: 1, negativePrompt: "" });
    expect(notices).toEqual([]);
    const guided = await undistilled.edit(base);
    expect(guided.parameters).toMatchObject({ guidance: 4, trueCfgScale: 4 });
    expect(guided.notices).toEqual([]);
  });

  it.each([
    ["no image", [], undefined],
    ["one", ["square"], { width: 64, height: 64 }],
    [
      "two, of which the first has the result's shape within a token",
      ["wide", "square"],
      { width: 62, height: 41 },
    ],
    ["four", ["square", "square", "wide", "square"], { width: 64, height: 64 }],
  ])("takes %s", async (_, names, referenceSize) => {
    const image = names.map((name) => (name === "wide" ? wide : square));
    const size = { width: 70, height: 41 };
    const result = await distilled.edit({ ...base, image, size });
    expect(result).toMatchObject(size);
    expect(await decodePicture(result.image)).toMatchObject(size);
    expect(result.workingSize).toEqual(size);
    expect(result.referenceSize).toEqual(referenceSize);
  });

  it("draws a square of the native size where there is neither an image nor a size", async () => {
    const { image: _, ...without } = base;
    const levels = await open("double-only");
    onTestFinished(() => levels.close());
    // Five levels: half a megapixel of latent cells is 2048 x 2048 pixels.
    expect(levels.checkpoint).toMatchObject({ nativeSize: 2048, grid: 32 });
    expect(undistilled.checkpoint).toMatchObject({ nativeSize: 512, grid: 8 });
    const { width, height } = await undistilled.edit({ ...without, numSteps: 1, guidance: 1 });
    expect({ width, height }).toEqual({ width: 512, height: 512 });
  });

  it("is refused with more images than the model takes", async () => {
    await expect(distilled.edit({ ...base, image: Array<Uint8Array>(5).fill(square) })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "image must be at most 4 images, not 5."),
    );
  });

  it("is refused by name with what the model does not take", async () => {
    await expect(distilled.edit({ ...base, prompt2: "more words" })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "prompt2 is not supported: the model of this checkpoint reads one prompt.",
      ),
    );
    await expect(distilled.edit({ ...base, image: [], mask: square })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "mask: it goes with the image to edit and at most one to look at, and there are none.",
      ),
    );
    await expect(distilled.edit({ ...base, image: [square, square, square], mask: square })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "mask: it goes with the image to edit and at most one to look at, and there are 3.",
      ),
    );
    const pooled = { data: new Float32Array(8), shape: [8] };
    await expect(distilled.edit({ ...base, pooledPromptEmbeds: pooled })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "pooledPromptEmbeds is not supported: the model of this checkpoint has no pooled embeddings.",
      ),
    );
  });

  it("says that a prompt was cut", async () => {
    const { notices } = await distilled.edit({ ...base, maxSequenceLength: 4 });
    expect(notices).toEqual([
      "The prompt is longer than the 4 tokens that this checkpoint reads; its end was cut off.",
    ]);
  });
});

describe("guidance", () => {
  it("is a second pass per step on a model that was not distilled, above 1", async () => {
    const runs = (engine: Engine, guidance: number): Promise<number> =>
      countRuns(() => engine.edit({ ...base, guidance }));
    expect(await runs(undistilled, 4)).toBe(4);
    expect(await runs(undistilled, 1)).toBe(2);
    expect(await runs(distilled, 4)).toBe(2);
  });

  it("has no effect on a distilled model, which says so", async () => {
    const [without, with4] = [await distilled.edit(base), await distilled.edit({ ...base, guidance: 4 })];
    expect((await decodePicture(with4.image)).data).toEqual((await decodePicture(without.image)).data);
    expect(with4.notices).toEqual([
      "Guidance has no effect on this model, which was distilled to do without it.",
    ]);
    const negative = await distilled.edit({ ...base, negativePrompt: "blue" });
    expect(negative.notices).toEqual([
      "The negative prompt has no effect on this model, which was distilled to do without guidance.",
    ]);
    expect(negative.parameters).toMatchObject({ negativePrompt: "", trueCfgScale: 1 });
  });

  it("leads away from a negative prompt in place of the empty text", async () => {
    const [plain, blank, negative] = [
      await undistilled.edit(base),
      await undistilled.edit({ ...base, negativePrompt: "  " }),
      await undistilled.edit({ ...base, negativePrompt: "a green car" }),
    ];
    expect(await decodePicture(blank.image)).toEqual(await decodePicture(plain.image));
    expect(negative.image).not.toEqual(plain.image);
    expect(negative.parameters).toMatchObject({ negativePrompt: "a green car", trueCfgScale: 4 });
    expect(negative.notices).toEqual([]);
    const alone = await undistilled.edit({ ...base, negativePrompt: "a green car", guidance: 1 });
    expect(alone.notices).toEqual([
      "The negative prompt had no effect: on this model, guidance above 1 applies it.",
    ]);
    const scaled = await undistilled.edit({ ...base, negativePrompt: "a green car", trueCfgScale: 5 });
    expect(await decodePicture(scaled.image)).toEqual(await decodePicture(negative.image));
    expect(scaled.notices).toEqual([
      "The true CFG scale has no effect on this model: its guidance is the strength of the negative prompt, too.",
    ]);
  });
});

describe("the sizes of the reference", () => {
  const CROPPED = kleinCases.find(({ name }) => name === "plain-cropped")!;

  it("are one option away", async () => {
    const crop = CROPPED;
    const image = await readFile(path.join(fixtures, crop.pictures[0]!));
    const request = {
      image,
      prompt: crop.prompt,
      seed: crop.seed,
      numSteps: crop.steps,
      maxSequenceLength: crop.maxSequenceLength,
    };
    const result = await distilled.edit({ ...request, sizeRule: "diffusers" });
    expect(result).toMatchObject({ width: 64, height: 64, referenceSize: { width: 79, height: 66 } });
    const expected = (await readTensors(`klein/cases/${crop.name}.safetensors`)).get("picture")!;
    expect(psnr((await decodePicture(result.image)).data, expected.data as Uint8Array)).toBeGreaterThan(75);
    expect(result.parameters.sizeRule).toBe("diffusers");
    const xmpOf = async (image: Uint8Array) => (await sharp(image).metadata()).xmpAsString;
    expect(await xmpOf(result.image)).toContain('retouch:sizeRule="diffusers"');
    const own = await distilled.edit(request);
    expect(own).toMatchObject({ width: 79, height: 66, parameters: { sizeRule: "exact" } });
    expect(await xmpOf(own.image)).not.toContain("retouch:sizeRule");
  });

  it("keep what was not edited where the first image lost nothing, and say so elsewhere", async () => {
    const keep = async (image: Uint8Array) =>
      distilled.edit({ ...base, image, isUnchangedKept: true, sizeRule: "diffusers" });
    expect((await keep(square)).kept).toBeDefined();
    const cropped = await readFile(path.join(fixtures, CROPPED.pictures[0]!));
    const { kept, notices } = await keep(cropped);
    expect(kept).toBeUndefined();
    expect(notices).toEqual([
      "What was not edited could not be kept, because the image and the result differ in shape.",
    ]);
  });

  it("are refused by name elsewhere", async () => {
    const kontext = await createEngine({
      checkpoint: path.join(fixtures, "checkpoints", "plain"),
      threads: 1,
    });
    onTestFinished(() => kontext.close());
    await expect(kontext.edit({ ...base, sizeRule: "diffusers" })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "sizeRule is not supported: diffusers has a rule of sizes of this kind for FLUX.2 alone.",
      ),
    );
  });

  it("are a megapixel at most, whole tokens cut from the middle, and those of the first image", () => {
    expect(
      referenceSizes(
        [
          { width: 2000, height: 1501 },
          { width: 100, height: 70 },
        ],
        undefined,
      ),
    ).toEqual({
      size: { width: 1168, height: 880 },
      target: { content: { width: 1168, height: 880 }, canvas: { width: 1168, height: 880 } },
      references: [
        { content: { width: 1182, height: 887 }, canvas: { width: 1168, height: 880 } },
        { content: { width: 100, height: 70 }, canvas: { width: 96, height: 64 } },
      ],
    });
    expect(referenceSizes([], undefined).size).toEqual({ width: 1024, height: 1024 });
    expect(referenceSizes([{ width: 64, height: 64 }], { width: 100, height: 50 }).size).toEqual({
      width: 96,
      height: 48,
    });
    expect(() => referenceSizes([{ width: 900, height: 15 }], undefined)).toThrow(
      refusal("INVALID_PARAMETER", "size must be at least 16 pixels wide and high."),
    );
  });
});

describe("a second edit", () => {
  it("with the same text and images encodes nothing again, and gives the same bytes", async () => {
    const engine = await open("plain");
    onTestFinished(() => engine.close());
    const runs = vi.spyOn(Session.prototype, "run");
    const request = { ...base, image: [square, wide] };
    const first = await engine.edit(request);
    // Text, two images, modulation, embedders, two steps, decoding.
    expect(runs).toHaveBeenCalledTimes(8);
    runs.mockClear();
    const again = await engine.edit(request);
    expect(runs).toHaveBeenCalledTimes(5);
    expect(again.image).toEqual(first.image);
    runs.mockClear();
    // The second image at the place of the first has another size, because the target has its shape.
    await engine.edit({ ...request, prompt: "Remove the tree", seed: 2 });
    expect(runs).toHaveBeenCalledTimes(6);
  });
});

describe("an interrupted edit", () => {
  it.each([
    ["of a distilled model", () => distilled, {}],
    ["of a guided one", () => undistilled, { numSteps: 3, negativePrompt: "a hat" }],
    ["without an image", () => distilled, { image: [], size: { width: 48, height: 32 } }],
  ])("%s gives the same bytes from any step", async (_, engineOf, changes) => {
    const engine = engineOf();
    const request = { ...base, numSteps: 3, ...changes };
    const offered: OfferedState[] = [];
    const whole = await engine.edit(request, { onState: (state) => void offered.push(state) });
    const states = await Promise.all(offered.map((state) => state.encode()));
    expect(states).toHaveLength(3);
    for (const [index, resumeFrom] of states.entries()) {
      const rest = await engine.edit(request, { resumeFrom });
      expect(rest.resumedFrom).toBe(index + 1);
      expect(rest.image).toEqual(whole.image);
    }
    const other = await engine.edit({ ...request, sizeRule: "diffusers" }, { resumeFrom: states[0]! });
    expect(other.resumedFrom).toBeUndefined();
  });

  it("ends within a step of its signal", async () => {
    const controller = new AbortController();
    const steps: number[] = [];
    const edit = distilled.edit(
      { ...base, numSteps: 4 },
      {
        signal: controller.signal,
        onStep({ step }) {
          steps.push(step);
          if (step === 2) controller.abort();
        },
      },
    );
    await expect(edit).rejects.toMatchObject({ code: "ABORTED" });
    expect(steps).toEqual([1, 2]);
  });
});

describe("looks at a step", () => {
  it("are a preview at working size and a rough sketch of it", async () => {
    const seen: Record<"sketch" | "preview", { width: number; height: number; data: Uint8Array }>[] = [];
    const onStep = async ({ sketch, preview }: EditStep): Promise<void> =>
      void seen.push({ sketch: await sketch(), preview: await preview() });
    const { image } = await distilled.edit(base, { onStep, isSketched: true });
    expect(seen).toHaveLength(2);
    expect(seen[1]!.preview).toMatchObject({ width: 64, height: 64 });
    expect(seen[1]!.sketch).toMatchObject({ width: 32, height: 32 });
    // The last velocity leads straight to the result.
    expect(psnr(seen[1]!.preview.data, (await decodePicture(image)).data)).toBeGreaterThan(60);
  });
});

describe("what was not edited", () => {
  it("keeps the first image's own pixels, where it has the result's shape", async () => {
    const { kept, notices } = await distilled.edit({ ...base, image: [square, wide], isUnchangedKept: true });
    expect(kept?.mask).toMatchObject({ width: 64, height: 64 });
    expect(notices).toEqual([]);
    const other = await distilled.edit({
      ...base,
      size: { width: 96, height: 32 },
      isUnchangedKept: true,
    });
    expect(other.kept).toBeUndefined();
    expect(other.notices).toEqual([
      "What was not edited could not be kept, because the image and the result differ in shape.",
    ]);
  });

  it("is nothing where there is no image", async () => {
    const size = { width: 32, height: 32 };
    const { kept, notices } = await distilled.edit({ ...base, image: [], size, isUnchangedKept: true });
    expect(kept).toBeUndefined();
    expect(notices).toEqual([]);
  });
});

describe("tensors of the caller's", () => {
  it("take the place of texts and noise", async () => {
    const name = "odd-one";
    const one = kleinCases.find((each) => each.name === name)!;
    const tensors = await readTensors(`klein/cases/${name}.safetensors`);
    const [promptEmbeds, negativePromptEmbeds, latents] = [
      "promptEmbeds",
      "negative.promptEmbeds",
      "noise",
    ].map((tensor) => tensors.get(tensor) as FloatTensor);
    const image = await readFile(path.join(fixtures, one.pictures[0]!));
    const size = { width: one.width!, height: one.height! };
    const request = { image, size, numSteps: one.steps, guidance: one.guidance, seed: 77 };
    const result = await undistilled.editToLatents({
      ...request,
      sizeRule: "diffusers",
      promptEmbeds,
      negativePromptEmbeds,
      latents,
    });
    const expected = tensors.get(`latents.${one.steps}`)!;
    expect(result.latents.shape).toEqual(expected.shape);
    expect(difference(result.latents.data, expected.data as Float32Array).relative).toBeLessThan(1e-4);
    const wrong = { data: new Float32Array(10), shape: [2, 5] };
    await expect(undistilled.edit({ ...request, promptEmbeds: wrong })).rejects.toEqual(
      refusal("INVALID_PARAMETER", "promptEmbeds must be a tensor of the shape [L, 24] here, not [2, 5]."),
    );
  });

  it("may be several images of one draw", async () => {
    const { images } = await distilled.edit({ ...base, numImagesPerPrompt: 3 });
    expect(new Set(images.map((bytes) => Buffer.from(bytes).toString("base64"))).size).toBe(3);
  });
});

describe("references whose keys and values are kept", () => {
  const kept = kleinCases.find(({ name }) => name === "plain-kept-one")!;

  it("are those of the other class's pipeline, where they are asked for by name", async () => {
    const size = { width: kept.width!, height: kept.height! };
    const image = await readFile(path.join(fixtures, kept.pictures[0]!));
    const { prompt, seed, steps: numSteps, maxSequenceLength } = kept;
    const request = { image, prompt, seed, numSteps, size, maxSequenceLength };
    const engine = await open("plain", { referenceCache: "approximate" });
    onTestFinished(() => engine.close());
    const latents = async (on: Engine): Promise<Float32Array> =>
      (await on.editToLatents({ ...request, sizeRule: "diffusers" })).latents.data;
    const expected = (await readTensors(`klein/cases/${kept.name}.safetensors`)).get(`latents.${numSteps}`)!;
    const approximate = await latents(engine);
    expect(difference(approximate, expected.data as Float32Array).relative).toBeLessThan(1e-4);
    const { relative } = difference(approximate, await latents(distilled));
    expect(relative).toBeGreaterThan(1e-3);
  });

  it("go with guidance where the model has it, and with no image", async () => {
    const engine = await open("odd", { referenceCache: "approximate" });
    onTestFinished(() => engine.close());
    expect(await countRuns(() => engine.edit(base))).toBe(4);
    const size = { width: 32, height: 32 };
    const without = { ...base, image: [], size };
    const [cached, exact] = [await engine.edit(without), await undistilled.edit(without)];
    expect(await decodePicture(cached.image)).toEqual(await decodePicture(exact.image));
  });

  it("are refused by name elsewhere", async () => {
    const checkpoint = path.join(fixtures, "checkpoints", "plain");
    await expect(createEngine({ checkpoint, threads: 1, referenceCache: "approximate" })).rejects.toEqual(
      refusal(
        "INVALID_PARAMETER",
        "referenceCache is not supported: the model of this checkpoint sees its image in every step.",
      ),
    );
    await expect(open("plain", { referenceCache: "exact" as "approximate" })).rejects.toEqual(
      refusal("INVALID_PARAMETER", 'referenceCache must be approximate, not "exact".'),
    );
  });
});

describe("little memory", () => {
  it("makes no difference to the picture, nor to a second edit, a preview and a sketch", async () => {
    const edits = async (memoryLimit?: number): Promise<Uint8Array[]> => {
      const engine = await open("odd", { weights: "fp32", memoryLimit });
      onTestFinished(() => engine.close());
      const seen: Uint8Array[] = [];
      for (const isSketched of [true, false]) {
        const { image } = await engine.edit(base, {
          isSketched,
          async onStep({ sketch, preview }) {
            seen.push(...(await Promise.all([sketch(), preview()])).map(({ data }) => data));
          },
        });
        seen.push(image);
      }
      return seen;
    };
    // Just above what an edit needs at least: no two networks at a time.
    expect(await edits(254 * 2 ** 20)).toEqual(await edits());
    await expect(edits(200 * 2 ** 20)).rejects.toMatchObject({ code: "MEMORY_INSUFFICIENT" });
  });
});

describe("an image too large for the memory", () => {
  it("goes through the autoencoder in tiles, seams and all", async () => {
    const { data, info } = await sharp(square).resize(1408, 1152).raw().toBuffer({ resolveWithObject: true });
    const image = await encodePicture({ width: info.width, height: info.height, data }, "png");
    const runs = async (memoryLimit?: number) => {
      // Of large tokens, so that there are few of them.
      const engine = await open("double-only", { weights: "fp32", memoryLimit });
      onTestFinished(() => engine.close());
      const run = vi.spyOn(Components.prototype, "run");
      const result = await engine.edit({ ...base, image });
      const names = run.mock.calls.map(([name]) => name);
      run.mockRestore();
      const count = (wanted: string): number => names.filter((name) => name === wanted).length;
      return {
        pixels: (await decodePicture(result.image)).data,
        encoded: count("encoder"),
        decoded: count("decoder"),
      };
    };
    const [whole, tiled] = [await runs(), await runs(340 * 2 ** 20)];
    expect([whole.encoded, whole.decoded]).toEqual([1, 1]);
    // Tiles of 1024 pixels at every 768.
    expect([tiled.encoded, tiled.decoded]).toEqual([4, 4]);
    expect(tiled.pixels).not.toEqual(whole.pixels);
    expect(psnr(tiled.pixels, whole.pixels)).toBeGreaterThan(25);
  });
});

describe("a checkpoint whose parts do not fit", () => {
  const withFields = async (file: string, fields: Record<string, unknown>): Promise<Promise<Engine>> => {
    const checkpoint = path.join(await temporaryFolder(), "klein");
    await cp(folderOf("plain"), checkpoint, { recursive: true });
    const full = path.join(checkpoint, file);
    const known = JSON.parse(await readFile(full, "utf8")) as object;
    await writeFile(full, JSON.stringify({ ...known, ...fields }));
    return createEngine({ checkpoint, threads: 1 });
  };

  it.each([
    [
      "vae/config.json",
      { latent_channels: 5 },
      /transformer has 16 channels and the autoencoder in .*vae 5; four times as many are wanted/,
    ],
    [
      "transformer/config.json",
      { joint_attention_dim: 25 },
      /embeddings of 25 numbers, and the text encoder in .*text_encoder gives 24: 3 layers of 8/,
    ],
    [
      "scheduler/scheduler_config.json",
      { use_flow_sigmas: true },
      /use_flow_sigmas is true; noise levels of the scheduler's own are not supported/,
    ],
    [
      "text_encoder/config.json",
      { num_hidden_layers: 26 },
      /num_hidden_layers is 26, and the output of layer 27 is read/,
    ],
    [
      "model_index.json",
      { text_encoder: ["transformers", "Qwen2Model"] },
      /text_encoder is a "Qwen2Model"; a Qwen3ForCausalLM is wanted/,
    ],
  ])("is refused: %s with %o", async (file, fields, sentence) => {
    await expect(withFields(file, fields)).rejects.toMatchObject({
      code: expect.stringMatching(/^CHECKPOINT_/),
      message: expect.stringMatching(sentence),
    });
  });
});
