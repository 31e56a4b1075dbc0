/** One velocity with LoRAs of every format, against what diffusers gives with the same files. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Networks } from "../../src/kontext/networks.ts";
import { LoraShelf } from "../../src/lora/shelf.ts";
import { createFindTarget } from "../../src/lora/targets.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { difference } from "../support/compare.ts";
import { fixtures, type FixtureTensor, readTensors } from "../support/fixtures.ts";
import { firstVelocity } from "../support/velocity.ts";

const TOLERANCE = 1e-5;
const FORMATS = ["peft", "kohya", "original", "control", "xlabs"];
const GUIDANCE = 2.5;

const fileOf = (name: string): string => path.join(fixtures, "loras", `${name}.safetensors`);
const FILES = Object.fromEntries(FORMATS.map((name) => [name, fileOf(name)]));

let tensors: Map<string, FixtureTensor>;
let velocities: Map<string, FixtureTensor>;
let adaptable: Networks;
let shelf: LoraShelf;

beforeAll(async () => {
  tensors = await readTensors("cases/plain-square.safetensors");
  velocities = await readTensors("loras/velocities.safetensors");
  adaptable = await load({ isAdaptable: true });
  shelf = new LoraShelf(FILES, createFindTarget(adaptable.flux));
});
afterAll(() => adaptable.dispose());

const load = async (options?: { isAdaptable: boolean }): Promise<Networks> =>
  Networks.load(await Checkpoint.open(path.join(fixtures, "checkpoints", "plain")), { threads: 1 }, options);

const velocityOf = (networks: Networks): Promise<Float32Array> => firstVelocity(networks, tensors, GUIDANCE);

async function expectReference(name: string): Promise<void> {
  const expected = velocities.get(name)!.data as Float32Array;
  const { relative } = difference(await velocityOf(adaptable), expected);
  expect(relative, `${name}: relative error ${relative.toExponential(1)}`).toBeLessThanOrEqual(TOLERANCE);
}

describe("the velocity", () => {
  it.each(FORMATS)("of a LoRA in the format of %s is the reference's", async (name) => {
    const { adapters } = await shelf.use([{ name, scale: 1 }]);
    adaptable.adapt(adapters);
    await expectReference(name);
    const without = velocities.get("none")!.data as Float32Array;
    expect(difference(velocities.get(name)!.data as Float32Array, without).relative).toBeGreaterThan(0.02);
  });

  it("of two LoRAs with scales is the reference's", async () => {
    const { adapters } = await shelf.use([
      { name: "peft", scale: 0.75 },
      { name: "kohya", scale: -0.5 },
    ]);
    adaptable.adapt(adapters);
    await expectReference("peft-kohya");
  });

  it("of no LoRA, or of one with the scale 0, is that of networks which take none, to the last bit", async () => {
    const plain = await load();
    const expected = await velocityOf(plain);
    await plain.dispose();
    adaptable.adapt(new Map());
    expect(await velocityOf(adaptable)).toEqual(expected);
    adaptable.adapt((await shelf.use([{ name: "peft", scale: 0 }])).adapters);
    expect(await velocityOf(adaptable)).toEqual(expected);
  });

  it("follows the LoRAs from call to call", async () => {
    for (const name of ["kohya", "xlabs", "kohya"]) {
      adaptable.adapt((await shelf.use([{ name, scale: 1 }])).adapters);
      await expectReference(name);
    }
  });
});
