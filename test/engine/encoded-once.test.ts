/** What an engine does not do again for the same owner: encode the same prompt and the same image. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Components } from "../../src/engine/components.ts";
import { createEngine, type Engine, type EngineOptions } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import type { EditOptions } from "../../src/engine/run-edit.ts";
import { fixtures } from "../support/fixtures.ts";

const FAMILIES = {
  "FLUX.1 Kontext": { folder: "checkpoints", name: "plain", text: ["clip", "t5"] },
  "FLUX.2 klein": { folder: "klein/checkpoints", name: "odd", text: ["qwen3"] },
} as const;

afterEach(() => {
  vi.restoreAllMocks();
});

async function open(family: keyof typeof FAMILIES, options: EngineOptions = {}) {
  const { folder, name, text } = FAMILIES[family];
  const checkpoint = path.join(fixtures, folder, name);
  const engine = await createEngine({ checkpoint, threads: 1, safety: { isOn: false }, ...options });
  onTestFinished(() => engine.close());
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  const base: EditRequest = { image, prompt: "Make the red car blue", seed: 1, numSteps: 1, guidance: 1 };
  const run = vi.spyOn(Components.prototype, "run");
  /** The encoders that an edit runs, in order. */
  const encoders = async (changes: Partial<EditRequest> = {}, how: EditOptions = {}): Promise<string[]> => {
    run.mockClear();
    await engine.edit({ ...base, ...changes }, how);
    return run.mock.calls.map(([network]) => network).filter((one) => [...text, "encoder"].includes(one));
  };
  return { engine, base, text, encoders };
}

describe.each(Object.keys(FAMILIES) as (keyof typeof FAMILIES)[])("an engine of %s", (family) => {
  it("encodes neither text nor image again for another seed, and gives the same bytes", async () => {
    const { engine, base, text, encoders } = await open(family);
    expect(await encoders()).toEqual([...text, "encoder"]);
    expect(await encoders({ seed: 2 })).toEqual([]);
    expect(await encoders({ seed: 3, numImages: 2 })).toEqual([]);
    const { hits, misses, bytes } = engine.encodings;
    const each = text.length + 1;
    expect({ hits, misses }).toEqual({ hits: 2 * each, misses: each });
    expect(bytes).toBeGreaterThan(0);

    const again = await engine.edit({ ...base, seed: 2 });
    const { engine: fresh } = await open(family, { encodingCache: 0 });
    expect(again.image).toEqual((await fresh.edit({ ...base, seed: 2 })).image);
    await fresh.edit(base);
    expect(fresh.encodings).toMatchObject({ hits: 0, bytes: 0 });
  });

  it("embeds text and images once a pass, however many steps and results there are", async () => {
    const { encoders } = await open(family);
    const run = vi.mocked(Components.prototype.run);
    const embedders = async (changes: Partial<EditRequest>): Promise<number> => {
      await encoders({ numSteps: 3, numImages: 2, ...changes });
      return run.mock.calls.filter(([network]) => network === "embedders").length;
    };
    expect(await embedders({})).toBe(1);
    if (family === "FLUX.1 Kontext") {
      expect(await embedders({ negativePrompt: "blurry", trueCfgScale: 2 })).toBe(2);
    }
  });

  it("encodes what differs, and that alone", async () => {
    const { text, encoders } = await open(family);
    await encoders();
    expect(await encoders({ prompt: "Make it night" })).toEqual(text);
    const other = await readFile(path.join(fixtures, "pictures", "scene-96x64.png"));
    expect(await encoders({ image: other })).toEqual(["encoder"]);
    // The same image at another size is another one to the network.
    expect(await encoders({ size: { width: 96, height: 96 } })).toEqual(["encoder"]);
    expect(await encoders()).toEqual([]);
  });

  it("encodes for each owner what another has edited already", async () => {
    const { text, encoders } = await open(family);
    const all = [...text, "encoder"];
    expect(await encoders({}, { owner: "a" })).toEqual(all);
    expect(await encoders({}, { owner: "b" })).toEqual(all);
    expect(await encoders()).toEqual(all);
    for (const owner of ["a", "b", ""]) expect(await encoders({ seed: 2 }, { owner })).toEqual([]);
  });
});

describe("the encodings of an engine", () => {
  it("are made again after a LoRA of the text encoder, and shared by edits with and without others", async () => {
    const text = path.join(fixtures, "loras", "text.safetensors");
    const other = path.join(fixtures, "loras", "peft.safetensors");
    const { encoders } = await open("FLUX.1 Kontext", { loras: { text, other } });
    await encoders();
    expect(await encoders({ loras: [{ name: "other", scale: 1 }] })).toEqual([]);
    expect(await encoders({ loras: [{ name: "text", scale: 1 }] })).toEqual(["clip"]);
    expect(await encoders()).toEqual([]);
  });

  it("serve the negative prompt and previews as well", async () => {
    const { encoders } = await open("FLUX.1 Kontext");
    await encoders({ negativePrompt: "a hat" });
    expect(await encoders({ prompt: "a hat", seed: 5 }, { onStep: (step) => void step.preview() })).toEqual(
      [],
    );
  });

  it.each<[number]>([[-1], [1.5], [NaN]])("cannot take %d bytes", async (encodingCache) => {
    await expect(createEngine({ encodingCache })).rejects.toThrow(
      /^encodingCache must be a whole number of bytes from 0 to/,
    );
  });

  it("count in the memory of an engine", async () => {
    const sizes = async (options: EngineOptions): Promise<Pick<Engine, "neededBytes">> =>
      (await open("FLUX.1 Kontext", { memoryLimit: 2e9, ...options })).engine;
    const [none, some] = [await sizes({ encodingCache: 0 }), await sizes({ encodingCache: 10e6 })];
    expect(some.neededBytes - none.neededBytes).toBe(10e6);
  });
});
