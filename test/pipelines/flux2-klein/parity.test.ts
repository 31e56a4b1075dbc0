/**
 * Every stage of an edit with FLUX.2 [klein] against the reference implementation, for checkpoints of different shapes
 * and none to four pictures. A stage is fed with the reference's own output of the stage before, so the first wrong stage
 * is the one that fails; the denoising loop runs on its own, from noise to picture.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveParameters } from "../../../src/engine/request.ts";
import type { SizePlan } from "../../../src/engine/sizes.ts";
import { decodePicture } from "../../../src/images/decode.ts";
import { type Picture, pixelsToPicture } from "../../../src/images/picture.ts";
import { rotaryTable, type RotaryTable } from "../../../src/models/transformers/rotary.ts";
import { createReferences, encodeReferences } from "../../../src/pipelines/flux2-klein/conditioning.ts";
import { editImages } from "../../../src/pipelines/flux2-klein/edit.ts";
import { isGuided } from "../../../src/pipelines/flux2-klein/guidance.ts";
import { loadNetworks } from "../../../src/pipelines/flux2-klein/model.ts";
import type { Networks } from "../../../src/pipelines/flux2-klein/networks.ts";
import { referenceIds, targetIds, textIds } from "../../../src/pipelines/flux2-klein/positions.ts";
import { referenceSizes } from "../../../src/pipelines/flux2-klein/reference-sizes.ts";
import { empiricalShift } from "../../../src/pipelines/flux2-klein/time-shift.ts";
import { noiseLevels } from "../../../src/pipelines/shared/noise-schedule.ts";
import { planesToTokens, unpackLatents } from "../../../src/pipelines/shared/packing.ts";
import { joined } from "../../../src/pipelines/shared/rotary.ts";
import { randomNormal } from "../../../src/sampling/random.ts";
import { Checkpoint } from "../../../src/weights/checkpoint.ts";
import { difference, psnr } from "../../support/compare.ts";
import { type FixtureTensor, fixtures, readTensors, root } from "../../support/fixtures.ts";
import { kleinCases } from "../../support/klein-cases.ts";

/** Relative errors allowed in float32, with room over the worst that was seen on machines with AVX2 and AVX-512. */
const TOLERANCE = { exact: 0, table: 1e-6, stage: 1e-4 };
/** Of pictures of 8 bits: a number in a thousand may be rounded to the other integer. */
const PICTURE_DB = 75;

describe.each(kleinCases)("the edit $name", (edit) => {
  let networks: Networks;
  let tensors: Map<string, FixtureTensor>;
  let pictures: Picture[];
  let plan: SizePlan;

  beforeAll(async () => {
    const form = { areReferencesKept: edit.className === "Flux2KleinKVPipeline" };
    networks = await loadNetworks(await Checkpoint.open(path.join(root, edit.checkpoint)), form, {
      threads: 1,
    });
    tensors = await readTensors(`klein/cases/${edit.name}.safetensors`);
    pictures = await Promise.all(
      edit.pictures.map(async (picture) => decodePicture(await readFile(path.join(fixtures, picture)))),
    );
    const size = edit.width && edit.height ? { width: edit.width, height: edit.height } : undefined;
    plan = referenceSizes(pictures, size, networks.autoencoder);
  });
  afterAll(() => networks.dispose());

  const floats = (name: string): Float32Array => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float32Array)) throw new Error(`The fixture has no float32 tensor ${name}.`);
    return data;
  };
  const shapeOf = (name: string): readonly number[] => tensors.get(name)!.shape;
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
  const targetGrid = () => networks.latentSize(plan.target.canvas);
  const numTokens = () => (targetGrid().width * targetGrid().height) / 4;
  const idsOfReferences = () =>
    plan.references.map(({ canvas }, index) => referenceIds(networks.latentSize(canvas), index));
  const hasNegative = () => isGuided(networks.configs, edit);
  const prefixes = () => (hasNegative() ? ["", "negative."] : [""]);

  /** The reference's own embeddings, as the transformer takes them. */
  const embedsOf = (prefix: string) => ({
    data: floats(`${prefix}promptEmbeds`),
    shape: shapeOf(`${prefix}promptEmbeds`).slice(1),
  });

  it("is guided where the reference is", () => {
    expect(hasNegative()).toBe(tensors.has("negative.velocity"));
  });

  it("encodes the text to the same tokens and embeddings", async () => {
    for (const prefix of prefixes()) {
      const text = prefix === "" ? edit.prompt : "";
      const prompt = await networks.encodePrompt(text, edit.maxSequenceLength);
      expect(prompt.tokenIds.map(BigInt)).toEqual([
        ...(tensors.get(`${prefix}tokenIds`)!.data as BigInt64Array),
      ]);
      const { data, shape } = embedsOf(prefix);
      expect(prompt.promptEmbeds.shape).toEqual(shape);
      expectClose("promptEmbeds", prompt.promptEmbeds.data as Float32Array, data, TOLERANCE.stage);
    }
  });

  it("encodes the references to the same latents", async () => {
    const sizes = plan.references.flatMap(({ canvas }) => [canvas.width, canvas.height]);
    expect(sizes.map(BigInt)).toEqual([...(tensors.get("referenceSizes")!.data as BigInt64Array)]);
    const latents = joined(await encodeReferences(networks, pictures, plan));
    expect(latents).toHaveLength(floats("referenceLatents").length);
    if (latents.length > 0) {
      expectClose("referenceLatents", latents, floats("referenceLatents"), TOLERANCE.stage);
    }
  });

  it("places text, target and references at the same positions", () => {
    const target = targetIds(targetGrid());
    // With keys and values kept, the reference has the target last.
    const ids = networks.configs.areReferencesKept
      ? [...idsOfReferences(), target]
      : [target, ...idsOfReferences()];
    expectClose("imageIds", joined(ids), tensors.get("imageIds")!.data as Uint8Array, TOLERANCE.exact);
    const { cos, sin } = rotaryOf([textIds(edit.maxSequenceLength), ...ids]);
    expectClose("rotaryCos", cos, floats("rotaryCos"), TOLERANCE.table);
    expectClose("rotarySin", sin, floats("rotarySin"), TOLERANCE.table);
  });

  const rotaryOf = (ids: readonly Float32Array[]): RotaryTable => {
    const { rotaryAxes: axes, rotaryTheta: theta } = networks.configs.transformer;
    return rotaryTable(joined(ids), { axes, theta });
  };

  it("draws the same noise and the same schedule", () => {
    const { inChannels } = networks.configs.transformer;
    const noise = planesToTokens(randomNormal(numTokens() * inChannels, edit.seed), inChannels);
    expect(difference(noise, floats("noise")).largest).toBeLessThanOrEqual(1e-6);
    const mu = empiricalShift(numTokens(), edit.steps);
    expectClose("mu", [mu], floats("mu"), TOLERANCE.table);
    const levels = noiseLevels(networks.schedule, { numSteps: edit.steps }, mu);
    expectClose("sigmas", levels.sigmas, floats("sigmas"), TOLERANCE.table);
  });

  it("predicts the same first velocity", async () => {
    const length = numTokens() * networks.configs.transformer.inChannels;
    const packed = floats("referenceLatents");
    const references = await createReferences(
      networks,
      packed.length > 0 ? [packed] : [],
      packed.length > 0 ? [joined(idsOfReferences())] : [],
      undefined,
    );
    const passing = networks.configs.areReferencesKept ? [] : idsOfReferences();
    const rotary = rotaryOf([textIds(edit.maxSequenceLength), targetIds(targetGrid()), ...passing]);
    const [timestep] = floats("timesteps");
    const [modulation] = await networks.modulations(Float32Array.of(timestep! / 1000));
    for (const prefix of prefixes()) {
      const velocity = await networks.velocity({
        latents: floats("noise"),
        embedded: await networks.embed({ promptEmbeds: embedsOf(prefix) }, references),
        rotary,
        modulation: modulation!,
      });
      expect(velocity).toHaveLength(length);
      expectClose(`${prefix}velocity`, velocity, floats(`${prefix}velocity`), TOLERANCE.stage);
    }
  });

  it("decodes the last latents to the same pixels", async () => {
    const { latentChannels } = networks.autoencoder;
    const grid = unpackLatents(floats(`latents.${edit.steps}`), latentChannels, targetGrid());
    const decoded = await networks.decodeLatents(grid, targetGrid());
    expectClose("decoded", decoded, floats("decoded"), TOLERANCE.stage);
    const { width, height } = plan.target.canvas;
    const picture = pixelsToPicture(floats("decoded"), width, height);
    expect(psnr(picture.data, tensors.get("picture")!.data as Uint8Array)).toBe(Infinity);
  });

  it("follows the same path from noise to the picture", async () => {
    const resolved = resolveParameters({
      prompt: "replaced below, since users must give a text",
      maxSequenceLength: edit.maxSequenceLength,
      numSteps: edit.steps,
      guidance: edit.guidance,
      seed: edit.seed,
    });
    const request = { ...resolved, prompt: edit.prompt };
    const steps = editImages(networks, pictures, request, { sizes: plan });
    let next = await steps.next();
    while (!next.done) {
      const { step, latents } = next.value;
      expectClose(`latents.${step}`, latents, floats(`latents.${step}`), TOLERANCE.stage);
      next = await steps.next();
    }
    const decibels = psnr(next.value.picture!.data, tensors.get("picture")!.data as Uint8Array);
    expect(decibels).toBeGreaterThanOrEqual(PICTURE_DB);
  });
});
