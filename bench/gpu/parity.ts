/** The shipped checkpoint on a device beside the processor in float32: one velocity, and one whole edit. */
import { readFile } from "node:fs/promises";
import { decodePicture } from "../../src/images/decode.ts";
import { encodePicture } from "../../src/images/encode.ts";
import type { Picture } from "../../src/images/picture.ts";
import { ROTARY_THETA } from "../../src/models/transformers/flux-config.ts";
import { rotaryTable } from "../../src/models/transformers/rotary.ts";
import { editImage } from "../../src/pipelines/flux1-kontext/edit.ts";
import { latentIds, textIds } from "../../src/pipelines/flux1-kontext/latents.ts";
import { loadNetworks } from "../../src/pipelines/flux1-kontext/model.ts";
import type { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { randomNormal } from "../../src/sampling/random.ts";
import { resolveRequest } from "../../src/engine/request.ts";
import type { RuntimeOptions, Traffic } from "../../src/runtime/session.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { type Agreement, agreementOf } from "../full-size/agreement.ts";
import { psnrOf } from "../../src/images/psnr.ts";
import { rounded } from "../../tools/statistics.ts";
import type { ComputeType, Options } from "./options.ts";

export interface ParitySide {
  computeType: ComputeType;
  /** Agreement of the first velocity with the processor's. */
  velocity: Agreement;
  /** The largest absolute difference between the two. */
  largestDifference: number;
  /** Between the two images, in decibels; Infinity where they are equal, which is null in JSON. */
  psnr: number;
  seconds: { load: number; edit: number };
  bytes: EditTraffic;
}

/** What travels to the device and back; `held` is there already, and would travel otherwise. */
export interface EditTraffic {
  /** In each step after the first. */
  perStep: Traffic;
  perEdit: Traffic;
}

const PROMPT = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space";
const SEED = 1;
const STEPS = { whole: 28, small: 2 };
const SIGMA = 0.9;

interface Found {
  velocity: Float32Array;
  picture: Picture;
  seconds: ParitySide["seconds"];
  bytes: EditTraffic;
}

/** Compares the device with the processor, and writes each side's image. */
export async function measureParity(
  options: Options,
  write: (name: string, bytes: Uint8Array) => Promise<void>,
): Promise<ParitySide[]> {
  const { device, threads, types } = options;
  const reference = await findOn({ device: "cpu", threads }, options);
  await write("cpu-float32.png", await encodePicture(reference.picture, "png"));
  const sides: ParitySide[] = [];
  for (const computeType of types.parity) {
    const found = await findOn({ device, threads, computeType }, options);
    await write(`${device}-${computeType}.png`, await encodePicture(found.picture, "png"));
    sides.push({
      computeType,
      velocity: agreementOf(found.velocity, reference.velocity),
      largestDifference: rounded(largestDifference(found.velocity, reference.velocity)),
      psnr: rounded(psnrOf(found.picture.data, reference.picture.data)),
      seconds: found.seconds,
      bytes: found.bytes,
    });
  }
  return sides;
}

async function findOn(runtime: RuntimeOptions, { checkpoint, picture, isSmall }: Options): Promise<Found> {
  const started = performance.now();
  const traffic = { up: 0, down: 0, held: 0 };
  const networks = await loadNetworks(await Checkpoint.open(checkpoint), { ...runtime, traffic });
  const loaded = performance.now();
  try {
    const source = await decodePicture(await readFile(picture));
    // The network's native size, so that nothing is enlarged.
    const side = networks.autoencoder.sampleSize;
    const request = resolveRequest({
      image: new Uint8Array(),
      prompt: PROMPT,
      size: { width: side, height: side },
      seed: SEED,
      numSteps: isSmall ? STEPS.small : STEPS.whole,
    });
    const steps = editImage(networks, [source], request);
    let perStep = { ...traffic };
    let next = await steps.next();
    while (!next.done) {
      const before = { ...traffic };
      next = await steps.next();
      if (!next.done) perStep = trafficSince(before, traffic);
    }
    const bytes = { perStep, perEdit: { ...traffic } };
    const edited = performance.now();
    const seconds = { load: rounded((loaded - started) / 1000), edit: rounded((edited - loaded) / 1000) };
    return { velocity: await firstVelocity(networks), picture: next.value.picture!, seconds, bytes };
  } finally {
    await networks.dispose();
  }
}

const trafficSince = (before: Traffic, { up, down, held }: Traffic): Traffic => ({
  up: up - before.up,
  down: down - before.down,
  held: held - before.held,
});

/** The velocity for noise at the native size; the reference is noise as well. */
async function firstVelocity(networks: Networks): Promise<Float32Array> {
  const { sampleSize } = networks.autoencoder;
  const grid = networks.latentSize({ width: sampleSize, height: sampleSize });
  const prompt = await networks.encodePrompt({ prompt: PROMPT });
  const ids = [textIds(networks.textLength), latentIds(grid, 0), latentIds(grid, 1)];
  const rotary = rotaryTable(Float32Array.from(ids.flatMap((part) => Array.from(part))), {
    axes: networks.flux.rotaryAxes,
    theta: ROTARY_THETA,
  });
  const [modulation] = await networks.modulations(Float32Array.of(SIGMA), 2.5, prompt);
  const length = (grid.width * grid.height * networks.flux.inChannels) / 4;
  return networks.velocity({
    latents: randomNormal(length, SEED),
    referenceLatents: randomNormal(length, SEED + 1),
    prompt,
    rotary,
    modulation: modulation!,
  });
}

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index]!)), 0);
