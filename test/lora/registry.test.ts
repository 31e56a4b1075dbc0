import { copyFile, rm } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { LoraRegistry } from "../../src/lora/registry.ts";
import type { LoraUse } from "../../src/lora/use.ts";
import { createFindTarget } from "../../src/pipelines/flux1-kontext/lora-targets.ts";
import { readFluxConfig } from "../../src/models/transformers/flux-config.ts";
import { fixtures } from "../support/fixtures.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { readComponent } from "../support/weights.ts";

const { config } = await readComponent("plain", "transformer");
const findTarget = createFindTarget(readFluxConfig(config));
const fileOf = (name: string): string => path.join(fixtures, "loras", `${name}.safetensors`);
const use = async (registry: LoraRegistry, uses: readonly LoraUse[]) => (await registry.choose(uses)).read();
const LAYER = "transformer_blocks.0.attn.to_q";

describe("the LoRAs of an engine", () => {
  it("are joined along the rank, with every factor in B", async () => {
    const registry = new LoraRegistry({ peft: fileOf("peft"), xlabs: fileOf("xlabs") }, findTarget);
    const [peft, xlabs, both] = await Promise.all(
      [["peft"], ["xlabs"], ["peft", "xlabs"]].map(async (names) => {
        const uses = names.map((name, index) => ({ name, scale: index === 0 ? 1 : -3 }));
        return (await use(registry, uses)).adapters.get(LAYER)!;
      }),
    );
    expect(both!.rank).toBe(peft!.rank + xlabs!.rank);
    expect(both!.down).toEqual(Float32Array.of(...peft!.down, ...xlabs!.down));
    const row = both!.up.subarray(0, both!.rank);
    const scaled = xlabs!.up.subarray(0, xlabs!.rank).map((value) => -3 * value);
    expect(row).toEqual(Float32Array.of(...peft!.up.subarray(0, peft!.rank), ...scaled));
  });

  it("say how much room the largest may take, together and alone", async () => {
    const names = ["peft", "xlabs", "control", "kohya", "text"];
    const registry = new LoraRegistry(
      { ...Object.fromEntries(names.map((name) => [name, fileOf(name)])), gone: "/nowhere/lora.safetensors" },
      findTarget,
    );
    const sizes: number[] = [];
    for (const name of names) sizes.push((await registry.choose([{ name, scale: 1 }])).memoryBytes);
    const rooms = await registry.roomsWanted();
    const [least, ...largest] = sizes.toSorted((a, b) => a - b);
    expect(rooms[0]).toBe(largest.reduce((sum, size) => sum + size, 0));
    expect(rooms).toEqual(rooms.toSorted((a, b) => b - a));
    for (const size of [least, ...largest, 0]) expect(rooms).toContain(size);
  });

  it("are read once, and anew when their file has changed", async () => {
    const file = path.join(await temporaryFolder(), "style.safetensors");
    await copyFile(fileOf("peft"), file);
    const registry = new LoraRegistry({ style: file }, findTarget);
    const style = async () => (await use(registry, [{ name: "style", scale: 1 }])).adapters;
    const first = await style();
    expect(await style()).toBe(first);
    await copyFile(fileOf("xlabs"), file);
    const second = await style();
    expect(second.get(LAYER)!.rank).not.toBe(first.get(LAYER)!.rank);
    await rm(file);
    const failed = style();
    await expect(failed).rejects.toEqual(refusal("LORA_INVALID", `The LoRA file ${file} cannot be opened.`));
    await expect(failed).rejects.toMatchObject({ values: { lora: "style", file } });
  });

  it("say by the LoRA's name which keys have no place, and what else the user should know", async () => {
    // A network without the text encoder has no place for what the file adds to it.
    const registry = new LoraRegistry({ text: fileOf("text"), control: fileOf("control") }, findTarget);
    const { notices } = await use(registry, [
      { name: "control", scale: 1 },
      { name: "text", scale: 1 },
    ]);
    expect(notices).toEqual([
      "The LoRA control replaces the weights of 12 norms, which its scale does not change.",
      expect.stringMatching(
        /^The LoRA text has keys for which the network has no place; they have no effect: lora_te1_.*, lora_te1_.*, lora_te1_.* and 9 more\.$/,
      ),
    ]);
  });

  it("are known by their names alone", async () => {
    const registry = new LoraRegistry({ peft: fileOf("peft") }, findTarget);
    await expect(use(registry, [{ name: fileOf("xlabs"), scale: 1 }])).rejects.toEqual(
      refusal("INVALID_PARAMETER", /^loras: there is no LoRA ".*xlabs.*"; known are peft\.$/),
    );
  });
});
