/** One velocity with LoRAs of every format, against what diffusers gives with the same files. */
import { readFile, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findBaseIn } from "../../src/engine/base-layers.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { loadNetworks, openKontext } from "../../src/pipelines/flux1-kontext/model.ts";
import type { ComponentOptions } from "../../src/engine/components.ts";
import type { Adapters } from "../../src/models/adapters.ts";
import type { Networks } from "../../src/pipelines/flux1-kontext/networks.ts";
import { LoraRegistry } from "../../src/lora/registry.ts";
import type { LoraUse } from "../../src/lora/use.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { difference } from "../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors, root } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { fileOf } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { firstVelocity } from "../support/velocity.ts";

/** Processors differ in the last digit of exp, which the angles of time, thousands of radians, enlarge. */
const TOLERANCE = 3e-5;
const FORMATS = [
  "peft",
  "kohya",
  "original",
  "control",
  "xlabs",
  "patterns",
  "alphas",
  "dora",
  "folder/adapter_model",
];
const GUIDANCE = 2.5;
/** Of the case. */
const PROMPT = "Make the red car blue";

const loraOf = (name: string): string => path.join(fixtures, "loras", `${name}.safetensors`);
const FILES = Object.fromEntries([...FORMATS, "text"].map((name) => [name, loraOf(name)]));

let tensors: Map<string, FixtureTensor>;
let velocities: Map<string, FixtureTensor>;
let adaptable: Networks;
let registry: LoraRegistry;

beforeAll(async () => {
  tensors = await readTensors("cases/plain-square.safetensors");
  velocities = await readTensors("loras/velocities.safetensors");
  adaptable = await load({ isAdaptable: true });
  const model = await openKontext(await plain());
  registry = new LoraRegistry(FILES, model.findLoraTarget, findBaseIn(model));
});
afterAll(() => adaptable.dispose());

const use = async (uses: readonly LoraUse[]) => (await registry.choose(uses)).read();

const plain = (): Promise<Checkpoint> => Checkpoint.open(path.join(fixtures, "checkpoints", "plain"));
const load = async (options?: ComponentOptions): Promise<Networks> =>
  loadNetworks(await plain(), { threads: 1 }, options);

const velocityOf = (networks: Networks, adapters?: Adapters): Promise<Float32Array> =>
  firstVelocity(networks, tensors, GUIDANCE, adapters);

async function expectReference(name: string, adapters: Adapters): Promise<void> {
  const expected = velocities.get(name)!.data as Float32Array;
  const { relative } = difference(await velocityOf(adaptable, adapters), expected);
  expect(relative, `${name}: relative error ${relative.toExponential(1)}`).toBeLessThanOrEqual(TOLERANCE);
}

describe("the velocity", () => {
  it.each(FORMATS)("of a LoRA in the format of %s is the reference's", async (name) => {
    const { adapters } = await use([{ name, scale: 1 }]);
    await expectReference(name.split("/")[0]!, adapters);
    const without = velocities.get("none")!.data as Float32Array;
    const expected = velocities.get(name.split("/")[0]!)!.data as Float32Array;
    expect(difference(expected, without).relative).toBeGreaterThan(0.01);
  });

  it("of two LoRAs with scales is the reference's", async () => {
    const { adapters } = await use([
      { name: "peft", scale: 0.75 },
      { name: "kohya", scale: -0.5 },
    ]);
    await expectReference("peft-kohya", adapters);
  });

  it("of a plain LoRA, a DoRA and another in turn is the reference's", async () => {
    const { adapters } = await use([
      { name: "peft", scale: 1 },
      { name: "dora", scale: -0.5 },
      { name: "kohya", scale: 0.5 },
    ]);
    await expectReference("peft-dora-kohya", adapters);
  });

  it("of norms in a LoRA does not depend on its scale, as the reference's", async () => {
    const { adapters } = await use([
      { name: "control", scale: 0 },
      { name: "peft", scale: 1 },
    ]);
    await expectReference("control-peft", adapters);
  });

  it("of no LoRA, or of one with the scale 0, is that of networks which take none, to the last bit", async () => {
    const plain = await load();
    const expected = await velocityOf(plain);
    await plain.dispose();
    expect(await velocityOf(adaptable)).toEqual(expected);
    const { adapters } = await use([{ name: "peft", scale: 0 }]);
    expect(await velocityOf(adaptable, adapters)).toEqual(expected);
  });

  it("follows the LoRAs from call to call", async () => {
    for (const name of ["kohya", "xlabs", "kohya"]) {
      await expectReference(name, (await use([{ name, scale: 1 }])).adapters);
    }
  });

  it.each([
    ["int8", 0.03],
    ["int4", 0.3],
  ] as const)("changes as much over weights in %s, to %d of the change", async (weights, tolerance) => {
    const cacheFolder = await temporaryFolder();
    const few = await load({ isAdaptable: true, weights, cacheFolder, accuracyLevel: 1 });
    try {
      const plain = await velocityOf(few);
      const changed = await velocityOf(few, (await use([{ name: "peft", scale: 1 }])).adapters);
      const change = (to: Float32Array, from: Float32Array) => to.map((value, index) => value - from[index]!);
      const [none, peft] = ["none", "peft"].map((name) => velocities.get(name)!.data as Float32Array);
      const { relative } = difference(change(changed, plain), change(peft!, none!));
      expect(relative, `relative error ${relative}`).toBeLessThan(tolerance);
    } finally {
      await few.dispose();
    }
  });
});

describe("a LoRA of the text encoder", () => {
  const pooledOf = async (networks: Networks, adapters?: Adapters): Promise<Float32Array> =>
    (await networks.encodePrompt({ prompt: PROMPT }, { adapters })).pooledPromptEmbeds.data as Float32Array;
  const expectPooled = (actual: Float32Array, name: string): void => {
    const expected = velocities.get(`${name}.pooled`)!.data as Float32Array;
    expect(difference(actual, expected).relative).toBeLessThanOrEqual(TOLERANCE);
  };

  it("changes the pooled text and the velocity as the reference's", async () => {
    const { adapters } = await use([{ name: "text", scale: 0.5 }]);
    await expectReference("text", adapters);
    expectPooled(await pooledOf(adaptable, adapters), "text");
    expectPooled(await pooledOf(adaptable), "none");
  });

  it("has its own pooled text where texts are remembered", async () => {
    // Less than all networks need, so that T5 is released and its results are kept.
    const released = await load({ isAdaptable: true, limitBytes: 3_000_000 });
    try {
      const { adapters } = await use([{ name: "text", scale: 0.5 }]);
      for (const name of ["none", "text", "none"]) {
        expectPooled(await pooledOf(released, name === "text" ? adapters : undefined), name);
      }
    } finally {
      await released.dispose();
    }
  });
});

describe("a LoRA for which there is no room", () => {
  it("is refused by what its header says, before it is read", async () => {
    const file = path.join(await temporaryFolder(), "large.safetensors");
    // Two gigabytes that take no room on the disk.
    const [rows, columns] = [1000, 1_000_000];
    const tensor = { dtype: "F16", shape: [rows, columns], data_offsets: [0, 2 * rows * columns] };
    const header = fileOf({ "transformer.x_embedder.lora_A.weight": tensor });
    await writeFile(file, header);
    await truncate(file, header.length + 2 * rows * columns);
    const engine = await createEngine({ memoryLimit: 1e9, loras: { large: file }, safety: { isOn: false } });
    try {
      const image = await readFile(path.join(root, "examples", "bluebird.png"));
      const edited = engine.edit({ image, prompt: "Make it night", loras: [{ name: "large", scale: 1 }] });
      await expect(edited).rejects.toEqual(
        refusal("MEMORY_INSUFFICIENT", /, 8\.0 GB of it for LoRAs, and 1\.0 GB may be used\.$/),
      );
      // The next edit is none the worse for it.
      await engine.edit({ image, prompt: "Make it night", numSteps: 1, size: { width: 128, height: 128 } });
    } finally {
      await engine.close();
    }
  });
});
