/** Whole edits with FLUX.2 [klein] and a LoRA, in every naming of its keys: the pictures that diffusers draws. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEngine, type EngineOptions } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { psnr } from "../support/compare.ts";
import { fixtures, readJson, readTensors, root } from "../support/fixtures.ts";
import { madeUpLora, type MadeUpLora, writeLora } from "../support/flux2-loras.ts";
import { kleinCases } from "../support/klein-cases.ts";

interface LoraCase extends MadeUpLora {
  /** Of `klein/cases.json`. */
  case: string;
  scale: number;
}

const cases = readJson<Record<string, LoraCase>>("klein/loras.json");
const pictures = await readTensors("klein/loras.safetensors");
/** Of pictures of 8 bits: a number in a thousand may be rounded to the other integer. */
const PICTURE_DB = 75;

describe.each(Object.keys(cases))("the edit %s", (name) => {
  const lora = cases[name]!;
  const edit = kleinCases.find((each) => each.name === lora.case)!;

  async function pixelsWith(loras: EditRequest["loras"], options: EngineOptions): Promise<Uint8Array> {
    const checkpoint = path.join(root, edit.checkpoint);
    const engine = await createEngine({
      checkpoint,
      threads: 1,
      safety: { isOn: false },
      referenceCache: edit.className === "Flux2KleinKVPipeline" ? "approximate" : undefined,
      ...options,
    });
    onTestFinished(() => engine.close());
    const { image, notices } = await engine.edit({
      image: await readFile(path.join(fixtures, edit.pictures[0]!)),
      prompt: edit.prompt,
      size: { width: edit.width!, height: edit.height! },
      sizeRule: "diffusers",
      seed: edit.seed,
      numSteps: edit.steps,
      guidance: edit.guidance,
      maxSequenceLength: edit.maxSequenceLength,
      loras,
    });
    // What this edit's guidance and a file without alphas are told.
    expect(
      notices.filter((notice) => !/^Guidance has no effect|^The LoRA ink does not say/.test(notice)),
    ).toEqual([]);
    return (await decodePicture(image)).data;
  }

  it("is the reference's, and another than without the LoRA", async () => {
    const files = { ink: await writeLora(madeUpLora(lora)) };
    const expected = pictures.get(name)!.data as Uint8Array;
    const found = await pixelsWith([{ name: "ink", scale: lora.scale }], { loras: files });
    expect(psnr(found, expected)).toBeGreaterThan(PICTURE_DB);
    const without = await pixelsWith([], { loras: files });
    expect(without).toEqual(await pixelsWith(undefined, {}));
    expect(psnr(found, without)).toBeLessThan(50);
  });
});
