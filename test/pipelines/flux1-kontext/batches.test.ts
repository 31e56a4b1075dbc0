/** Several images in one run of the transformer: each has the bits that it has alone. */
import { cpus } from "node:os";
import { describe, expect, it } from "vitest";
import { loadNetworks } from "../../../src/pipelines/flux1-kontext/model.ts";
import type { Networks, VelocityInputs } from "../../../src/pipelines/flux1-kontext/networks.ts";
import { SHIPPED_CHECKPOINT } from "../../../src/engine/shipped.ts";
import { DrawnNumbers } from "../../../src/runtime/drawn-numbers.ts";
import type { Tensor } from "../../../src/runtime/session.ts";
import { Checkpoint } from "../../../src/weights/checkpoint.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const [TARGET, REFERENCE] = [70, 35];
const THREADS = [1, Math.min(4, cpus().length)];

const load = async (
  weights: "fp32" | "int8",
  threads: number,
  options: { batch?: number; cacheFolder?: string } = {},
): Promise<Networks> =>
  loadNetworks(await Checkpoint.open(SHIPPED_CHECKPOINT), { threads }, { weights, ...options });

/** Those of images that differ in everything that may differ. */
async function inputsOf(networks: Networks, count: number): Promise<VelocityInputs[]> {
  const { inChannels, promptSize, pooledSize, headSize } = networks.flux;
  const { textLength } = networks;
  const numbers = new DrawnNumbers(7);
  const floats = (shape: readonly number[]): Float32Array => numbers.normal(shape).data as Float32Array;
  const inputs: VelocityInputs[] = [];
  for (let image = 0; image < count; image += 1) {
    const prompt = {
      promptEmbeds: { data: floats([textLength, promptSize]), shape: [textLength, promptSize] },
      pooledPromptEmbeds: { data: floats([1, pooledSize]), shape: [1, pooledSize] },
      clipTokenIds: [],
      t5TokenIds: [],
      isCut: false,
    };
    const [modulation] = await networks.modulations(Float32Array.of(0.9 - image / 10), 2.5, prompt);
    const angles = numbers.angles([1, textLength + TARGET + REFERENCE, headSize / 2]);
    const dataOf = ({ data }: Tensor): Float32Array => data as Float32Array;
    inputs.push({
      // Of other magnitudes: what is rounded together would be rounded otherwise.
      latents: floats([TARGET, inChannels]).map((value) => value * (1 + 5 * image)),
      embedded: await networks.embed({ referenceLatents: floats([REFERENCE, inChannels]), prompt }),
      rotary: { cos: dataOf(angles.cos), sin: dataOf(angles.sin) },
      modulation: modulation!,
    });
  }
  return inputs;
}

const bitsOf = (velocity: Float32Array): Buffer =>
  Buffer.from(velocity.buffer, velocity.byteOffset, velocity.byteLength);

describe.each(["fp32", "int8"] as const)("with weights in %s", (weights) => {
  it.each(THREADS)("an image of a batch is the same image alone, on %i threads", async (threads) => {
    const cacheFolder = await temporaryFolder();
    // Weights are converted by one thread, which needs no program of its own.
    if (weights !== "fp32") await (await load(weights, 1, { cacheFolder })).dispose();
    const [networks, single] = [
      await load(weights, threads, { batch: 4, cacheFolder }),
      await load(weights, threads, { cacheFolder }),
    ];
    const inputs = await inputsOf(networks, 4);
    const alone: Buffer[] = [];
    for (const one of inputs) {
      const bits = bitsOf((await networks.velocities([one]))[0]!);
      // The graph for one image gives the same.
      expect(Buffer.compare(bits, bitsOf((await single.velocities([one]))[0]!))).toBe(0);
      alone.push(bits);
    }
    for (const size of [2, 3, 4]) {
      const together = await networks.velocities(inputs.slice(0, size));
      expect(together.map((velocity, image) => Buffer.compare(bitsOf(velocity), alone[image]!))).toEqual(
        Array.from({ length: size }, () => 0),
      );
    }
    await networks.dispose();
    await single.dispose();
  });
});
