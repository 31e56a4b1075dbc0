/** LoRAs with the keys, ranks and types of those published for FLUX.1 in 8 steps, against what diffusers gives with them. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { findBaseIn } from "../../src/engine/base-layers.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { LoraRegistry } from "../../src/lora/registry.ts";
import type { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { loadNetworks, openKontext } from "../../src/pipelines/flux1-kontext/model.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { readSafetensorsHeader } from "../../src/weights/safetensors.ts";
import { difference } from "../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../support/fixtures.ts";
import { firstVelocity } from "../support/velocity.ts";

/** As of `loras.test.ts`. */
const TOLERANCE = 3e-5;
const GUIDANCE = 2.5;
const RANK = 64;
const FILES = Object.fromEntries(
  ["hyper", "turbo"].map((name) => [name, path.join(fixtures, "loras", `${name}.safetensors`)]),
);
const folder = path.join(fixtures, "checkpoints", "plain");

let networks: Networks;
let tensors: Map<string, FixtureTensor>;
let velocities: Map<string, FixtureTensor>;
let registry: LoraRegistry;
beforeAll(async () => {
  tensors = await readTensors("cases/plain-square.safetensors");
  velocities = await readTensors("loras/few-step-velocities.safetensors");
  networks = await loadNetworks(await Checkpoint.open(folder), { threads: 1 }, { isAdaptable: true });
  const model = await openKontext(await Checkpoint.open(folder));
  registry = new LoraRegistry(FILES, model.findLoraTarget, findBaseIn(model));
});
afterAll(() => networks.dispose());

describe.each([
  { name: "hyper", scale: 0.125, type: "F32", around: 0 },
  { name: "turbo", scale: 1, type: "BF16", around: 4 },
])("the LoRA $name, at its own scale", ({ name, scale, type, around }) => {
  it("gives diffusers' velocity, beside the tokens of a reference", async () => {
    const { adapters, notices } = await (await registry.choose([{ name, scale }])).read();
    // Neither published file says so either; both were made for this factor.
    expect(notices).toEqual([expect.stringContaining("like diffusers, it is used with the factor 1.")]);
    const velocity = await firstVelocity(networks, tensors, GUIDANCE, adapters);
    const expected = velocities.get(name)!.data as Float32Array;
    const { relative } = difference(velocity, expected);
    expect(relative, `relative error ${relative.toExponential(1)}`).toBeLessThanOrEqual(TOLERANCE);
    expect(difference(expected, await firstVelocity(networks, tensors, GUIDANCE)).relative).toBeGreaterThan(
      0.1,
    );
  });

  it("has the layout of the published file", async () => {
    const stored = [...(await readSafetensorsHeader(FILES[name]!))];
    const layers = stored.filter(([key]) => key.endsWith(".lora_A.weight"));
    expect(stored).toHaveLength(2 * layers.length);
    // Of each block 14 and 6 matrices; those around are the embedders of image and text and the two of the output.
    expect(layers).toHaveLength(2 * 14 + 2 * 6 + around);
    for (const [key, { storedType, shape }] of stored) {
      expect(key).toMatch(/^transformer\..*\.lora_[AB]\.weight$/);
      expect(storedType).toBe(type);
      expect(shape[key.endsWith("lora_A.weight") ? 0 : 1]).toBe(RANK);
    }
  });

  it("changes a picture in 8 steps, and with a sampler of second order in 4", async () => {
    const engine = await createEngine({
      checkpoint: folder,
      threads: 1,
      safety: { isOn: false },
      loras: FILES,
    });
    onTestFinished(() => engine.close());
    const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
    const base = { image, prompt: "Make the red car blue", seed: 1 };
    const [plain, few, fewer] = [
      await engine.edit({ ...base, numSteps: 8 }),
      await engine.edit({ ...base, numSteps: 8, loras: [{ name, scale }] }),
      await engine.edit({ ...base, numSteps: 4, sampler: "dpmpp_2m", loras: [{ name, scale }] }),
    ];
    expect(few.image).not.toEqual(plain.image);
    expect(fewer.image).not.toEqual(few.image);
    expect(few.parameters).toMatchObject({ numSteps: 8, loras: [{ name, scale }] });
  });
});
