/**
 * Every stage of an edit against the reference implementation, for checkpoints of different shapes. A stage is fed with
 * the reference's own output of the stage before, so the first wrong stage is the one that fails; the denoising loop
 * runs on its own, from noise to picture.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editImage } from "../../../src/pipelines/flux1-kontext/edit.ts";
import { latentIds, textIds } from "../../../src/pipelines/flux1-kontext/latents.ts";
import { packLatents, unpackLatents } from "../../../src/pipelines/shared/packing.ts";
import { ROTARY_THETA } from "../../../src/models/transformers/flux-config.ts";
import { rotaryTable } from "../../../src/models/transformers/rotary.ts";
import { loadNetworks } from "../../../src/pipelines/flux1-kontext/model.ts";
import type { Networks } from "../../../src/pipelines/flux1-kontext/networks.ts";
import type { Prompt } from "../../../src/pipelines/flux1-kontext/prompt.ts";
import { randomNormal } from "../../../src/sampling/random.ts";
import { levelsOf, timeShift } from "../../../src/pipelines/flux1-kontext/schedule.ts";
import { decodePicture } from "../../../src/images/decode.ts";
import { pictureToPixels, pixelsToPicture } from "../../../src/images/picture.ts";
import { Checkpoint } from "../../../src/weights/checkpoint.ts";
import { editCases } from "../../support/cases.ts";
import { difference, psnr } from "../../support/compare.ts";
import { type FixtureTensor, fixtures, readTensors, root } from "../../support/fixtures.ts";

/** Relative errors allowed in float32, with room over the worst that was seen on machines with AVX2 and AVX-512. */
const TOLERANCE = { exact: 0, table: 1e-6, stage: 1e-4, loop: 2e-4 };

describe.each(editCases)("the edit $name", (edit) => {
  let networks: Networks;
  let tensors: Map<string, FixtureTensor>;

  beforeAll(async () => {
    networks = await loadNetworks(await Checkpoint.open(path.join(root, edit.checkpoint)), { threads: 1 });
    tensors = await readTensors(`cases/${edit.name}.safetensors`);
  });
  afterAll(() => networks.dispose());

  const floats = (name: string): Float32Array => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float32Array)) throw new Error(`The fixture has no float32 tensor ${name}.`);
    return data;
  };
  const shapeOf = (name: string): readonly number[] => tensors.get(name)!.shape;
  const gridOf = (name: string): { width: number; height: number } => {
    const [height, width] = shapeOf(name).slice(-2) as [number, number];
    return { width, height };
  };
  const expectClose = (
    stage: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    tolerance: number,
  ) => {
    const { relative, largest, index } = difference(actual, expected);
    const report = `${stage}: relative error ${relative.toExponential(1)}, largest ${largest.toExponential(1)} at ${index}`;
    expect(relative, report).toBeLessThanOrEqual(tolerance);
  };
  const targetGrid = () => networks.latentSize(edit);
  const hasNegative = edit.negativePrompt !== null && edit.trueCfgScale > 1;

  /** The reference's own embeddings, as the transformer takes them. */
  const promptFixture = (prefix: string): Prompt => ({
    promptEmbeds: { data: floats(`${prefix}promptEmbeds`), shape: shapeOf(`${prefix}promptEmbeds`).slice(1) },
    pooledPromptEmbeds: {
      data: floats(`${prefix}pooledPromptEmbeds`),
      shape: shapeOf(`${prefix}pooledPromptEmbeds`),
    },
    clipTokenIds: [],
    t5TokenIds: [],
    isCut: false,
  });

  it("encodes the text to the same tokens and embeddings", async () => {
    const texts = [["", edit.prompt], ...(hasNegative ? [["negative.", edit.negativePrompt!]] : [])];
    for (const [prefix, text] of texts as [string, string][]) {
      const prompt = await networks.encodePrompt({ prompt: text });
      expect(prompt.clipTokenIds.map(BigInt)).toEqual([
        ...(tensors.get(`${prefix}clipTokenIds`)!.data as BigInt64Array),
      ]);
      expect(prompt.t5TokenIds.map(BigInt)).toEqual([
        ...(tensors.get(`${prefix}t5TokenIds`)!.data as BigInt64Array),
      ]);
      const expected = promptFixture(prefix);
      for (const name of ["promptEmbeds", "pooledPromptEmbeds"] as const) {
        expectClose(
          name,
          prompt[name].data as Float32Array,
          expected[name].data as Float32Array,
          TOLERANCE.stage,
        );
      }
    }
  });

  it("encodes the reference to the same latents", async () => {
    const source = await decodePicture(await readFile(path.join(fixtures, edit.picture)));
    expectClose("referencePixels", pictureToPixels(source), floats("referencePixels"), TOLERANCE.table);

    const latents = await networks.encodePixels(floats("referencePixels"), gridOf("referencePixels"));
    const { latentChannels, shiftFactor, scalingFactor } = networks.autoencoder;
    const mean = floats("referenceMoments").subarray(0, latents.length);
    expectClose(
      "referenceMoments",
      latents,
      mean.map((value) => (value - shiftFactor) * scalingFactor),
      TOLERANCE.stage,
    );
    const packed = packLatents(latents, latentChannels, gridOf("referenceMoments"));
    expectClose("referenceLatents", packed, floats("referenceLatents"), TOLERANCE.stage);
  });

  it("places text, target and reference at the same positions", () => {
    const ids = [
      textIds(networks.textLength),
      latentIds(targetGrid(), 0),
      latentIds(gridOf("referenceMoments"), 1),
    ] as const;
    expectClose("textIds", ids[0], floats("textIds"), TOLERANCE.exact);
    expectClose("latentIds", ids[1], floats("latentIds"), TOLERANCE.exact);
    expectClose("referenceIds", ids[2], floats("referenceIds"), TOLERANCE.exact);

    const { cos, sin } = rotaryTable(Float32Array.of(...ids[0], ...ids[1], ...ids[2]), {
      axes: networks.flux.rotaryAxes,
      theta: ROTARY_THETA,
    });
    // The reference stores every angle twice, for both numbers of the pair that it turns.
    const everySecond = (values: Float32Array) => values.filter((_, index) => index % 2 === 0);
    expectClose("rotaryCos", cos, everySecond(floats("rotaryCos")), TOLERANCE.table);
    expectClose("rotarySin", sin, everySecond(floats("rotarySin")), TOLERANCE.table);
  });

  it("draws the same noise and the same schedule", () => {
    const { width, height } = targetGrid();
    const { latentChannels } = networks.autoencoder;
    const noise = packLatents(
      randomNormal(latentChannels * width * height, edit.seed),
      latentChannels,
      targetGrid(),
    );
    expect(difference(noise, floats("noise")).largest).toBeLessThanOrEqual(1e-6);
    expectClose("mu", [timeShift(networks.schedule, (width * height) / 4)], floats("mu"), TOLERANCE.table);
    const { sigmas } = levelsOf(networks.schedule, { numSteps: edit.steps }, (width * height) / 4);
    expectClose("sigmas", sigmas, floats("sigmas"), TOLERANCE.table);
  });

  it("predicts the same first velocity", async () => {
    const half = (name: string) => floats(name).filter((_, index) => index % 2 === 0);
    const inputs = {
      latents: floats("noise"),
      referenceLatents: floats("referenceLatents"),
      rotary: { cos: half("rotaryCos"), sin: half("rotarySin") },
    };
    for (const prefix of hasNegative ? ["", "negative."] : [""]) {
      const prompt = promptFixture(prefix);
      const sigmas = floats("sigmas").subarray(0, -1);
      const [modulation] = await networks.modulations(sigmas, edit.guidance, prompt);
      const velocity = await networks.velocity({ ...inputs, prompt, modulation: modulation! });
      expectClose(`${prefix}velocity`, velocity, floats(`${prefix}velocity`), TOLERANCE.stage);
    }
  });

  it("decodes the last latents to the same pixels", async () => {
    const grid = unpackLatents(
      floats(`latents.${edit.steps}`),
      networks.autoencoder.latentChannels,
      targetGrid(),
    );
    const decoded = await networks.decodeLatents(grid, targetGrid());
    expectClose("decoded", decoded, floats("decoded"), TOLERANCE.stage);
    const picture = pixelsToPicture(floats("decoded"), edit.width, edit.height);
    expect(psnr(picture.data, tensors.get("picture")!.data as Uint8Array)).toBe(Infinity);
  });

  it("follows the same path from noise to the picture", async () => {
    const source = await decodePicture(await readFile(path.join(fixtures, edit.picture)));
    const request = {
      prompt: edit.prompt,
      negativePrompt: edit.negativePrompt ?? "",
      trueCfgScale: edit.trueCfgScale,
      size: undefined,
      numSteps: edit.steps,
      guidance: edit.guidance,
      seed: edit.seed,
      format: "png" as const,
      isSafetyChecked: false,
      isUnchangedKept: false,
      loras: [],
    };
    // The reference implementation is told to take the picture at its own size.
    const size = { width: edit.width, height: edit.height };
    const [target, reference] = [size, source].map(({ width, height }) => ({
      content: { width, height },
      canvas: { width, height },
    }));
    const steps = editImage(networks, [source], request, {
      sizes: { size, target: target!, references: [reference!] },
    });
    let next = await steps.next();
    while (!next.done) {
      const { step, latents } = next.value;
      if (edit.keptSteps.includes(step)) {
        expectClose(`latents.${step}`, latents, floats(`latents.${step}`), TOLERANCE.loop);
      }
      next = await steps.next();
    }
    const decibels = psnr(next.value.picture!.data, tensors.get("picture")!.data as Uint8Array);
    expect(decibels).toBeGreaterThanOrEqual(60);
  });
});
