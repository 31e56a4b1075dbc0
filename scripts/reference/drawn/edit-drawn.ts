/** An edit of a drawn case: the whole engine below the decoding of images and the choice of sizes. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { DrawnEdit } from "./protocol.ts";
import type { FloatTensor } from "../../../src/engine/given-tensors.ts";
import { findBaseIn } from "../../../src/engine/base-layers.ts";
import { Components } from "../../../src/engine/components.ts";
import { resolveParameters } from "../../../src/engine/request.ts";
import type { SizePlan, WorkingSize } from "../../../src/engine/sizes.ts";
import type { Picture } from "../../../src/images/picture.ts";
import { LoraRegistry } from "../../../src/lora/registry.ts";
import { openModel } from "../../../src/pipelines/index.ts";
import { readSafetensorsHeader } from "../../../src/weights/safetensors.ts";

export interface DrawnOutcome {
  /** After the last step, packed. */
  latents: Float32Array;
  picture: Picture;
  notices: readonly string[];
}

/** @throws RetouchError as the engine does */
export async function editDrawn(folder: string, edit: DrawnEdit, sources: readonly Picture[]): Promise<DrawnOutcome> {
  const loraFiles = edit.loras.map(({ file }) => [file, path.join(folder, file)]);
  const { model } = await openModel(folder, filesOf(folder, edit));
  const runtime = { threads: 1, device: "cpu" as const };
  const components = await Components.load(model, runtime, {
    isAdaptable: loraFiles.length > 0,
    cacheFolder: path.join(folder, "converted"),
  });
  try {
    const request = resolveParameters({
      prompt: edit.prompt,
      prompt2: edit.prompt_2 ?? undefined,
      maxSequenceLength: edit.max_sequence_length ?? undefined,
      negativePrompt: edit.negative_prompt ?? undefined,
      isEmptyNegativeUsed: edit.negative_prompt !== null,
      trueCfgScale: edit.true_cfg_scale ?? undefined,
      numSteps: edit.steps,
      sigmas: edit.sigmas ?? undefined,
      guidance: edit.guidance,
      seed: edit.seed,
      loras: edit.loras.map(({ file, scale }) => ({ name: file, scale })),
    });
    const registry = new LoraRegistry(Object.fromEntries(loraFiles) as Record<string, string>, model.findLoraTarget, findBaseIn(model));
    const loras = await registry.choose(request.loras);
    const given = edit.latents == null ? {} : { latents: await readLatents(path.join(folder, edit.latents)) };
    const steps = model.createEditor(components).edit(sources, request, { sizes: sizesOf(edit), loras, given });
    let latents = new Float32Array();
    for (let next = await steps.next(); ; next = await steps.next()) {
      if (next.done) return { latents, picture: next.value.picture!, notices: next.value.notices };
      latents = Float32Array.from(next.value.latents);
    }
  } finally {
    await components.dispose();
  }
}

async function readLatents(file: string): Promise<FloatTensor> {
  const { byteOffset, byteLength, shape } = (await readSafetensorsHeader(file)).get("latents")!;
  const bytes = Uint8Array.from((await readFile(file)).subarray(byteOffset, byteOffset + byteLength));
  return { data: new Float32Array(bytes.buffer), shape: [...shape] };
}

const filesOf = (folder: string, { files }: DrawnEdit): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, file]) => [name, path.join(folder, file)]));

/** Sizes as they are: nothing is scaled, only padded to whole tokens. */
function sizesOf({ target, references, grid }: DrawnEdit): SizePlan {
  const up = (side: number): number => Math.ceil(side / grid) * grid;
  const workingSize = ([width, height]: [number, number]): WorkingSize => ({
    content: { width, height },
    canvas: { width: up(width), height: up(height) },
  });
  const [width, height] = target;
  return { size: { width, height }, target: workingSize(target), references: references.map(workingSize) };
}
